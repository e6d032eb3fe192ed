"""Arms that were run on different days are compared only if an arm of both days is the same."""

from __future__ import annotations

import json

import pytest

from experiments.real_student.rights import DEVS, DifferError, changed, merged, read, rights, tables, write


def run(home, rounds, right):
    """A finished run whose last round has these problems right."""
    for number in range(rounds + 1):
        folder = home / (f"round_{number}" if number else "base") / "lm_eval"
        folder.mkdir(parents=True)
        last = number == rounds
        rows = [{"doc": {"id": i}, "exact_match": float(v if last else 1 - v)} for i, v in right.items()]
        text = "\n".join(json.dumps(r) for r in rows)
        (folder / "samples_gsm8k_test_2026-01-02T00-00-00.0.jsonl").write_text(text)
        (folder / "samples_gsm8k_test_2026-01-01T00-00-00.0.jsonl").write_text(text.replace("0.0", "1.0"))
    return home


@pytest.mark.parametrize("rounds", [0, 2])
def test_the_last_round_counts_and_of_two_files_the_later(tmp_path, rounds):
    found = rights(run(tmp_path, rounds, {"a": 1, "b": 0}))
    assert found == {("gsm8k_test", "a"): 1, ("gsm8k_test", "b"): 0}


def test_arms_of_two_days_are_joined_by_problem(tmp_path):
    base, sei, other = (
        {("s", i): v for i, v in zip("abcd", values, strict=True)} for values in ("0011", "1110", "0001")
    )
    held = {arm: {k: int(v) for k, v in found.items()} for arm, found in [("base", base), ("sei", sei)]}
    new = {"shuffled": {k: int(v) for k, v in other.items()}, "base": held["base"]}
    joined = merged(held, new)
    assert list(joined) == ["base", "sei", "shuffled"]
    write(tmp_path / "f.csv", joined)
    assert read(tmp_path / "f.csv") == joined
    assert changed(joined["sei"], joined["base"], "s") == "2 / 1, 1"


def test_an_arm_that_differs_between_the_days_is_refused():
    with pytest.raises(DifferError, match="base: 1 of 2 problems differ"):
        merged({"base": {("s", "a"): 1, ("s", "b"): 0}}, {"base": {("s", "a"): 1, ("s", "b"): 1}})


def test_holm_adjusts_over_the_declared_arms_alone():
    keys = [
        (name, str(i))
        for name in ("gsm8k_test", "math_test", "svamp", "mawps_parts", *DEVS.values())
        for i in range(20)
    ]
    arms = {
        "base": dict.fromkeys(keys, 0),
        "sei": {k: int(int(k[1]) < 8) for k in keys},
        "self_instruct": {k: int(int(k[1]) < 4) for k in keys},
        "sei_unrefined": {k: int(int(k[1]) < 6) for k in keys},
    }
    part = next(t for t in tables(arms).split("\n\n") if "less `base`: points" in t)
    to_base = part.splitlines()[2:]
    assert [line.count("(") for line in to_base] == [2, 2, 0]
    assert to_base[0].startswith("| `sei` | +40.0 [")
