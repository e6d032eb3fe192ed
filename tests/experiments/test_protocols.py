"""Every arm of every frozen protocol composes and builds; its tables name missing runs."""

from __future__ import annotations

import json

import pytest

from experiments import combined_types, error_types, first_measurement, one_round_types, refiner_gain, words_types
from experiments.combined_types.arms import PROTOCOL as COMBINED
from experiments.error_types.arms import PROTOCOL as TYPES
from experiments.error_types.tables import level_table, pair_table
from experiments.first_measurement.arms import PROTOCOL as FIRST
from experiments.one_round_types.afterwards import PAIRS as PAIRS_AFTERWARDS
from experiments.one_round_types.afterwards import PROTOCOL as AFTERWARDS
from experiments.one_round_types.afterwards import kinds_table
from experiments.one_round_types.arms import PAIRS
from experiments.one_round_types.arms import PROTOCOL as ONE_ROUND
from experiments.refiner_gain.arms import PROTOCOL as GAIN
from experiments.words_types.arms import PROTOCOL as WORDS
from experiments.words_types.tables import METRICS
from sei.clusterers.shuffled import Shuffled
from sei.clusterers.ward import Ward
from sei.compare.significance import paired_t
from sei.parts import is_part
from tests.compose import built

PROTOCOLS = {
    "first_measurement": FIRST,
    "error_types": TYPES,
    "combined_types": COMBINED,
    "refiner_gain": GAIN,
    "one_round_types": ONE_ROUND,
    "words_types": WORDS,
}
RUN = {**PROTOCOLS, "one_round_types, afterwards": AFTERWARDS}
ARMS = [
    pytest.param(name, arm, marks=() if i % 4 == 0 else pytest.mark.slow)
    for name, p in RUN.items()
    for i, arm in enumerate(p.arms)
]


@pytest.mark.parametrize(("name", "arm"), ARMS)
def test_every_arm_composes_and_builds(name, arm):
    assert is_part(built(f"experiment={RUN[name].experiment}", *RUN[name].arms[arm])["method"])


def test_protocols_share_no_seed():
    seeds = [s for p in PROTOCOLS.values() for s in p.seeds]
    assert len(seeds) == len(set(seeds))
    assert all(
        m.__doc__ for m in (combined_types, error_types, first_measurement, one_round_types, refiner_gain, words_types)
    )


def test_the_placebo_permutes_the_types_of_its_clusterer():
    method = built("experiment=combined_types", *COMBINED.arms["combined_shuffled"])["method"]
    assert isinstance(method.cluster.clusterer, Shuffled)
    assert isinstance(method.cluster.clusterer.inner, Ward)
    assert method.synthesize.budget.balance == 1.0


def test_arms_that_were_not_run_say_so(tmp_path):
    for protocol, full, more in ((COMBINED, "combined", ()), (WORDS, "full", (METRICS,))):
        lines = level_table(tmp_path, protocol, full, *more)
        assert len(lines) == 2 + 1 + len(protocol.arms)
        assert all("not run" in line for line in lines[2:])


def test_kinds_of_mistakes_lead_to_what_was_written_and_kept(tmp_path):
    kinds = {"p0": "add", "p1": "add", "p2": "add", "p3": "halve"}
    kept = {"full": ("p0", "p1", "p2", "p3"), "none": ("p0", "p1", "p2")}
    for arm, sources in kept.items():
        home = tmp_path / "main" / arm / "s221" / "round_1"
        home.mkdir(parents=True)
        (home.parent / "summary.json").write_text("{}")
        map_rows = [{"problem_id": k, "error_type": v} for k, v in kinds.items()]
        written = [{"id": f"syn-{p}", "source_ids": [p]} for p in kinds]
        written[1]["source_ids"] = ["syn-p0"]  # made from an example that was made from a bad case
        scored = [{"example": row, "kept": row["id"][4:] in sources} for row in written]
        for name, rows in (("cluster_map", map_rows), ("synthetic", written), ("refined", scored)):
            (home / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert kinds_table(tmp_path)[2:] == [
        "| full | 0.00 | 0.00 | 0.0 | 0.0 | 2.0 |",
        "| none | 0.00 | 0.25 | 0.0 | 1.0 | 2.0 |",
    ]


def test_pairs_name_arms_and_are_tested_in_a_family_of_their_own(tmp_path):
    assert {arm for pair in PAIRS for arm in pair} == set(ONE_ROUND.arms)
    assert {arm for pair in PAIRS_AFTERWARDS for arm in pair} == set(AFTERWARDS.arms)
    levels = {
        "full": (60, 62, 64),
        "full_shuffled": (55, 58, 59),
        "equal": (70, 70, 71),
        "equal_shuffled": (70, 71, 70),
    }
    for arm, measured in levels.items():
        for seed, accuracy in zip(ONE_ROUND.seeds, measured, strict=False):
            scores = {"arithmetic_far": {"macro": accuracy / 100}}
            home = tmp_path / "main" / arm / f"s{seed}"
            home.mkdir(parents=True)
            (home / "summary.json").write_text(
                json.dumps({"baseline": {}, "rounds": [{"scores": scores}], "best_round": 1})
            )
    first, second = pair_table(tmp_path, ONE_ROUND, PAIRS[:2], ("arithmetic_far", "last", "macro"))[2:]
    t = paired_t([60, 62, 64], [55, 58, 59])
    assert first.startswith(f"| full less full_shuffled | +4.7 [{t.delta.low:+.1f}, {t.delta.high:+.1f}] | 3 |")
    assert f"| {t.p:.4f} | {2 * t.p:.4f} | real |" in first
    assert "null" in second
