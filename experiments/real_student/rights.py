"""Keep which problems every arm had right, and compare arms that were run on different days.

``python -m experiments.real_student.rights FILE [FOLDER --seed N]`` adds the arms of ``FOLDER/main`` to ``FILE``, a CSV
of problems and arms, and prints the difference of every two arms on each set. An arm that is in both must be equal in
both: the runs are then the same to the last answer.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

from experiments.real_student.arms import ARMS, EXPLORATORY
from sei.compare.significance import bootstrap, detectable_sign_flip, mcnemar, sign_flip
from sei.statistics import matched_difference, wilson

Key = tuple[str, str]  # set and problem
MEANS = {"in domain": ("gsm8k_test", "math_test"), "out of domain": ("svamp", "mawps_parts")}


class DifferError(Exception):
    """Two runs of the same arm differ."""


def rights(run: Path) -> dict[Key, int]:
    """Return 1 or 0 for every problem that the last round of a run answered, or its base without rounds."""
    rounds = sorted(run.glob("round_*/lm_eval"), key=lambda p: int(p.parent.name.removeprefix("round_")))
    files = sorted((rounds[-1] if rounds else run / "base" / "lm_eval").glob("samples_*.jsonl"))
    found: dict[Key, int] = {}
    for file in files:  # a later file of a set replaces an earlier one
        name = file.stem.removeprefix("samples_").rpartition("_")[0]
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            found[name, row["doc"]["id"]] = int(row["exact_match"])
    return found


def merged(held: Mapping[str, dict[Key, int]], new: Mapping[str, dict[Key, int]]) -> dict[str, dict[Key, int]]:
    """Return the arms of both, in the protocol's order.

    Raises:
        DifferError: if an arm of both differs; names the problems.
    """
    for arm in held.keys() & new.keys():
        differ = [key for key in held[arm] if held[arm][key] != new[arm].get(key)]
        if differ:
            raise DifferError(f"{arm}: {len(differ)} of {len(held[arm])} problems differ, such as {differ[:3]}")
    return {arm: {**held, **new}[arm] for arm in (*ARMS, *EXPLORATORY) if arm in held or arm in new}


def read(file: Path) -> dict[str, dict[Key, int]]:
    """Return the arms of a file; none if it is missing."""
    if not file.exists():
        return {}
    with file.open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    return {arm: {(r["set"], r["id"]): int(r[arm]) for r in rows} for arm in rows[0] if arm not in ("set", "id")}


def write(file: Path, arms: Mapping[str, dict[Key, int]]) -> None:
    """Write a file, sorted by set and problem."""
    with file.open("w", encoding="utf-8", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["set", "id", *arms])
        for key in sorted(next(iter(arms.values()))):
            out.writerow([*key, *(arm[key] for arm in arms.values())])


def accuracy(arm: Mapping[Key, int], name: str) -> str:
    """Return an arm's accuracy on a set, in percent, with its interval."""
    values = [v for (of, _), v in arm.items() if of == name]
    share = wilson(sum(values), len(values))
    return f"{100 * share.mean:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def difference(after: Mapping[Key, int], before: Mapping[Key, int], name: str) -> str:
    """Return the difference of two arms on a set: points with interval, fixed, broken, p."""
    steps = [after[key] - before[key] for key in before if key[0] == name]
    fixed, broken = steps.count(1), steps.count(-1)
    points = matched_difference(fixed, broken, len(steps))
    p = mcnemar(fixed, broken)
    return f"{_points(points.mean, points.low, points.high)}, {fixed} / {broken}, p {_p(p)}"


def mean_difference(after: Mapping[Key, int], before: Mapping[Key, int], names: tuple[str, ...]) -> str:
    """Return the difference of two arms averaged over sets: points with interval, p, and what would have been found."""
    steps = [[float(after[key] - before[key]) for key in before if key[0] == name] for name in names]
    points, least = bootstrap(steps), detectable_sign_flip(steps)
    found = "" if least is None else f", detectable {100 * least:.1f}"
    return f"{_points(points.mean, points.low, points.high)}, p {_p(sign_flip(steps))}{found}"


def _points(mean: float, low: float, high: float) -> str:
    return f"{100 * mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def _p(p: float | None) -> str:
    return "-" if p is None else f"{p:.3f}"


def main() -> int:
    """Add arms to a file, and print accuracies and differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", help="the runs to add")
    parser.add_argument("--seed", type=int, default=601)
    args = parser.parse_args()
    arms = read(args.file)
    if args.folder:
        runs = {arm: args.folder / "main" / arm / f"s{args.seed}" for arm in ARMS}
        arms = merged(arms, {arm: rights(run) for arm, run in runs.items() if (run / "summary.json").exists()})
        write(args.file, arms)
    names = sorted({name for name, _ in next(iter(arms.values()))})
    for arm in arms:
        print(f"{arm}: " + "; ".join(f"{name} {accuracy(arms[arm], name)}" for name in names))
    for before, after in combinations(arms, 2):
        for name in names:
            print(f"{after} - {before}, {name}: {difference(arms[after], arms[before], name)}")
        for title, sets in MEANS.items():
            print(f"{after} - {before}, {title}: {mean_difference(arms[after], arms[before], sets)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
