"""Tables of the first measurement: ``python -m experiments.first_measurement.tables FOLDER``."""

from __future__ import annotations

import argparse
import json
import re
import statistics
from pathlib import Path
from typing import Any

from experiments.first_measurement.arms import BLOCKS, PROTOCOL, SEEDS
from experiments.protocol import values
from sei.compare.significance import holm, paired_t
from sei.statistics import t_interval

SETS = {"in domain": "arithmetic_test", "out of domain": "arithmetic_far"}
_STEPS = re.compile(r"<<(.*?)>>")


def never_trained(run: dict[str, Any], name: str) -> tuple[int, int]:
    """Return (right, n) on the best round's test items whose sequence of annotated steps was not in its training."""
    number = run["best_round"]
    if number == 0:
        return 0, 0
    home = run["home"] / f"round_{number}"
    rows = [json.loads(line) for line in (home / "dataset" / "train.jsonl").read_text().splitlines()]
    trained = {tuple(_STEPS.findall(r["messages"][1]["content"])) for r in rows}
    right = n = 0
    for line in (home / "evaluation.jsonl").read_text().splitlines():
        row = json.loads(line)
        problem = row["attempt"]["problem"]
        if problem["set"] == name and tuple(_STEPS.findall(problem["solution"])) not in trained:
            n += 1
            right += row["verdict"] == "right"
    return right, n


def interval(xs: list[float]) -> tuple[float, float]:
    """Return mean and half width of the 95 % t-interval; NaN for both without values."""
    if not xs:
        return float("nan"), float("nan")
    found = t_interval(xs)
    return found.mean, found.high - found.mean


def level_table(folder: Path, block: str) -> list[str]:
    """Return mean accuracies of a block with intervals."""
    lines = [
        f"### Block `{block}`: accuracy, mean over seeds ± 95 % t-interval (n=1,000 a seed and set)",
        "",
        "| arm | seeds | in domain | out of domain | last round, in | last round, out | macro, in | macro, out |",
        "|---|---|---|---|---|---|---|---|",
    ]
    base = PROTOCOL.load(folder, block, "sei")
    rows = [("base", base, "base")] + [(a, PROTOCOL.load(folder, block, a), "best") for a in BLOCKS[block][1]]
    for arm, runs, which in rows:
        cells = []
        last = "base" if which == "base" else "last"
        for stage, field in ((which, "accuracy"), (last, "accuracy"), (which, "macro")):
            for name in SETS.values():
                mean, half = interval(list(values(runs, name, stage, field).values()))
                cells.append(f"{mean:.1f} ± {half:.1f}")
        lines.append(f"| {arm} | {len(runs)} | " + " | ".join(cells) + " |")
    return lines


def difference_table(folder: Path, block: str, *, tested: bool) -> list[str]:
    """Return paired differences ``sei`` minus arm, with Holm-adjusted p if the block is tested."""
    lines = ["", f"Block `{block}`: `sei` minus arm, paired over seeds, mean [95 % interval]", ""]
    sei = PROTOCOL.load(folder, block, "sei")
    for label, name in SETS.items():
        found: dict[str, tuple[float, float, float, int]] = {}
        ours = values(sei, name, "best")
        for arm in ("base", *BLOCKS[block][1]):
            if arm == "sei":
                continue
            theirs = (
                values(sei, name, "base") if arm == "base" else values(PROTOCOL.load(folder, block, arm), name, "best")
            )
            paired = [ours[s] - theirs[s] for s in SEEDS if s in ours and s in theirs]
            if len(paired) > 1:
                mean, half = interval(paired)
                p = paired_t(paired, [0.0] * len(paired)).p
                found[arm] = (mean, half, p, len(paired))
        adjusted = holm({a: p for a, (_, _, p, _) in found.items() if a != "base"})
        lines += [f"| {label} | difference | seeds |" + (" p | p (Holm) | verdict |" if tested else "")]
        lines += ["|---|---|---|" + ("---|---|---|" if tested else "")]
        for arm, (mean, half, p, n) in found.items():
            row = f"| {arm} | {mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}] | {n} |"
            if tested:
                q = adjusted.get(arm)
                shown = f" {p:.3f} | {'' if q is None else f'{q:.3f}'} |"
                verdict = "" if q is None else ("real" if q < 0.05 else "null")
                row += f"{shown} {verdict} |"
            lines.append(row)
        lines.append("")
    return lines


def budget_table(folder: Path, block: str) -> list[str]:
    """Return the budget of every arm, and whether supervised tokens per fine-tune agree within 2 %."""
    lines = [
        "",
        "| arm | candidates, all rounds | steps a fine-tune | supervised tokens a fine-tune | fixed | broken |",
    ]
    lines += ["|---|---|---|---|---|---|"]
    tokens = []
    for arm in BLOCKS[block][1]:
        runs = PROTOCOL.load(folder, block, arm)
        rounds = [r for run in runs.values() for r in run["rounds"]]
        if not rounds:
            continue
        tokens += [r["trained_tokens"] for r in rounds]
        asked = [sum(r["synthesized"] for r in run["rounds"]) for run in runs.values()]
        spent = [r["trained_tokens"] for r in rounds]
        last = [run["rounds"][run["best_round"] - 1] for run in runs.values() if run["best_round"]]
        lines.append(
            f"| {arm} | {min(asked)}-{max(asked)} | {min(r['trained_steps'] for r in rounds)} | "
            f"{min(spent)}-{max(spent)} | {statistics.mean(r['fixed'] for r in last):.0f} | "
            f"{statistics.mean(r['broken'] for r in last):.0f} |"
        )
    if tokens:
        share = max(tokens) / min(tokens) - 1
        lines += ["", f"Supervised tokens differ by {share:.1%} at most: {'equal' if share <= 0.02 else 'NOT EQUAL'}."]
    return lines


def novel_table(folder: Path, block: str) -> list[str]:
    """Return accuracy on test items with a sequence of steps that was never trained on."""
    lines = ["", "| arm | steps never trained on, in domain (n) | out of domain (n) |", "|---|---|---|"]
    for arm in BLOCKS[block][1]:
        cells = []
        for name in SETS.values():
            pairs = [never_trained(r, name) for r in PROTOCOL.load(folder, block, arm).values()]
            right, n = sum(r for r, _ in pairs), sum(n for _, n in pairs)
            cells.append(f"{100 * right / n:.1f} ({n})" if n else "-")
        lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    """Print all tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for block, (_, arms) in BLOCKS.items():
        if not any(PROTOCOL.load(folder, block, a) for a in arms):
            print(f"### Block `{block}`: not run\n")
            continue
        lines = level_table(folder, block) + difference_table(folder, block, tested=block == "main")
        lines += budget_table(folder, block) + novel_table(folder, block)
        print("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
