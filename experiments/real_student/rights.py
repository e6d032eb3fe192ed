"""Keep which problems every arm had right, and compare arms that were run on different days.

``python -m experiments.real_student.rights FILE [FOLDER --seed N]`` adds the arms of ``FOLDER/main`` to ``FILE``, a CSV
of problems and arms, and prints the tables of the README: accuracies, and the differences to the base and to ``sei``.
An arm that is in both must be equal in both: the runs are then the same to the last answer.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Mapping
from pathlib import Path

from experiments.real_student.arms import ARMS, EXPLORATORY
from sei.compare.significance import bootstrap, holm, mcnemar, sign_flip
from sei.statistics import wilson

Key = tuple[str, str]  # set and problem
TESTS = {"GSM8K": "gsm8k_test", "MATH": "math_test", "SVAMP": "svamp", "MAWPS": "mawps_parts"}
DEVS = {"GSM8K dev": "gsm8k_dev", "MATH dev": "math_dev"}
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


def mean(arm: Mapping[Key, int], names: tuple[str, ...]) -> str:
    """Return an arm's accuracy averaged over sets, in percent, with its interval."""
    found = bootstrap([[float(v) for (of, _), v in arm.items() if of == name] for name in names])
    return f"{100 * found.mean:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def tables(arms: Mapping[str, dict[Key, int]]) -> str:
    """Return the tables of all arms: accuracies, and the differences of every arm to the base and to ``sei``.

    Holm adjusts over the declared arms; an exploratory arm has its own p alone.
    """
    parts = [
        _table(["accuracy", *TESTS], {arm: [accuracy(r, n) for n in TESTS.values()] for arm, r in arms.items()}),
        _table(
            ["accuracy, mean", *MEANS, *DEVS],
            {
                arm: [*(mean(r, n) for n in MEANS.values()), *(accuracy(r, n) for n in DEVS.values())]
                for arm, r in arms.items()
            },
        ),
    ]
    for before in [name for name in ("base", "sei") if name in arms]:
        others = {arm: r for arm, r in arms.items() if arm not in ("base", before)}
        by_set = {arm: [changed(r, arms[before], n) for n in TESTS.values()] for arm, r in others.items()}
        parts.append(_table([f"less `{before}`: fixed / broken, p", *TESTS], by_set))
        parts.append(_table([f"less `{before}`: points, p (Holm)", *MEANS], _means(others, arms[before])))
    return "\n\n".join(parts)


def changed(after: Mapping[Key, int], before: Mapping[Key, int], name: str) -> str:
    """Return how many problems of a set one arm has right and the other wrong, and p of the exact sign test."""
    steps = [after[key] - before[key] for key in before if key[0] == name]
    fixed, broken = steps.count(1), steps.count(-1)
    return f"{fixed} / {broken}, {_p(mcnemar(fixed, broken))}"


def _means(arms: Mapping[str, dict[Key, int]], before: Mapping[Key, int]) -> dict[str, list[str]]:
    cells: dict[str, list[str]] = {arm: [] for arm in arms}
    for names in MEANS.values():
        steps = {a: [[float(r[k] - before[k]) for k in before if k[0] == n] for n in names] for a, r in arms.items()}
        ps = {arm: sign_flip(x) for arm, x in steps.items()}
        adjusted = holm({arm: 1.0 if p is None else p for arm, p in ps.items() if arm not in EXPLORATORY})
        for arm, x in steps.items():
            found = bootstrap(x)
            points = f"{100 * found.mean:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
            cells[arm].append(f"{points}, {_p(ps[arm])}" + (f" ({_p(adjusted[arm])})" if arm in adjusted else ""))
    return cells


def _table(header: list[str], rows: Mapping[str, list[str]]) -> str:
    lines = [header, ["---"] * len(header), *([f"`{arm}`", *cells] for arm, cells in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _p(p: float | None) -> str:
    if p is None:
        return "-"
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0") if p < 1 else "1"


def main() -> int:
    """Add arms to a file, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", help="the runs to add")
    parser.add_argument("--seed", type=int, default=601)
    args = parser.parse_args()
    arms = read(args.file)
    if args.folder:
        runs = {arm: args.folder / "main" / arm / f"s{args.seed}" for arm in (*ARMS, *EXPLORATORY)}
        arms = merged(arms, {arm: rights(run) for arm, run in runs.items() if (run / "summary.json").exists()})
        write(args.file, arms)
    print(tables(arms))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
