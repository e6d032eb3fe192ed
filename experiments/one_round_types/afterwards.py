"""Questions asked after the protocol had run: ``python -m experiments.one_round_types.afterwards FOLDER [--jobs 2]``.

Not declared beforehand. Where does the advantage of error types come from: from the written problems, or from those
that refinement keeps? Uses the same seeds and budget without refinement, and with one pooled validation for all types.
Runs what is missing, then prints. The last table shows how far written and kept problems are from the actual kinds of
mistakes.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

from experiments import protocol
from experiments.error_types.tables import level_table, pair_table
from experiments.one_round_types.arms import ARMS, SEEDS
from experiments.protocol import Protocol

_KEEP_ALL = ("refiner=none",)

LATER: dict[str, tuple[str, ...]] = {
    "full_unrefined": (*ARMS["full"], *_KEEP_ALL),
    "shuffled_unrefined": (*ARMS["full_shuffled"], *_KEEP_ALL),
    "none_unrefined": (*ARMS["none"], *_KEEP_ALL),
    "random_unrefined": ("synthesizer=random", *_KEEP_ALL),
    "full_pooled": (*ARMS["full"], "ablation=pooled_validation"),
}

_ARMS = {**{name: ARMS[name] for name in ("full", "full_shuffled", "none")}, **LATER}
PROTOCOL = Protocol("one_round_types", SEEDS, _ARMS, {"main": ((), tuple(_ARMS))})

PAIRS = (
    ("full", "full_unrefined"),
    ("full_shuffled", "shuffled_unrefined"),
    ("none", "none_unrefined"),
    ("full_unrefined", "shuffled_unrefined"),
    ("full_unrefined", "none_unrefined"),
    ("full_unrefined", "random_unrefined"),
    ("full", "full_pooled"),
    ("full_pooled", "full_shuffled"),
)
METRICS = {
    "out of domain, balanced over skills": ("arithmetic_far", "last", "macro"),
    "in domain": ("arithmetic_test", "last", "accuracy"),
}


def kinds_table(folder: Path) -> list[str]:
    """Return, by arm, the distribution of candidates and kept ones over the kinds of mistakes of the bad cases.

    A kind is a Ward type of ``full`` with the same seed. A candidate has the kind of the bad case that it was made
    from, over any number of steps. Distance: total variation to the shares of the bad cases, 0 if equal.
    """
    lines = [
        "| arm | distance, candidates | distance, kept | kinds under half their share, candidates | kept | of |",
        "|---|---|---|---|---|---|",
    ]
    for arm in _ARMS:
        runs = PROTOCOL.load(folder, "main", arm)
        if arm == "random_unrefined" or not runs:  # its exemplars need not be bad cases
            continue
        found = [_spread(folder / "main" / "full" / f"s{seed}", run["home"]) for seed, run in runs.items()]
        cells = [f"{mean(column):.{2 if i < 2 else 1}f}" for i, column in enumerate(zip(*found, strict=True))]
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    return lines


def _spread(full: Path, home: Path) -> tuple[float, float, int, int, int]:
    kind = {row["problem_id"]: row["error_type"] for row in _rows(full / "round_1" / "cluster_map.jsonl")}
    there = Counter(kind.values())
    source = {row["id"]: row["source_ids"][0] for row in _rows(home / "round_1" / "synthetic.jsonl")}

    def root(example: str) -> str:
        while example in source:
            example = source[example]
        return example

    scored = list(_rows(home / "round_1" / "refined.jsonl"))
    made = Counter(kind[root(row["example"]["id"])] for row in scored)
    kept = Counter(kind[root(row["example"]["id"])] for row in scored if row["kept"])
    return distance(made, there), distance(kept, there), _scarce(made, there), _scarce(kept, there), len(there)


def distance(one: Counter[str], other: Counter[str]) -> float:
    """Return the total variation distance between two shares."""
    return sum(abs(one[k] / one.total() - other[k] / other.total()) for k in {*one, *other}) / 2


def _scarce(found: Counter[str], there: Counter[str]) -> int:
    return sum(found[k] / found.total() < there[k] / there.total() / 2 for k in there)


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    yield from map(json.loads, file.read_text(encoding="utf-8").splitlines())


def main() -> int:
    """Run what is missing and print the tables; returns the exit code of the runs."""
    code = protocol.run(PROTOCOL, __doc__)
    folder = Path(sys.argv[1])
    print("\n".join(level_table(folder, PROTOCOL, "full", METRICS)), end="\n\n")
    for title, metric in METRICS.items():
        print(f"**{title}**", end="\n\n")
        print("\n".join(pair_table(folder, PROTOCOL, PAIRS, metric)), end="\n\n")
    print("\n".join(kinds_table(folder)))
    return code


if __name__ == "__main__":
    raise SystemExit(main())
