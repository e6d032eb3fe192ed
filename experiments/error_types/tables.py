"""Tables of the protocol: ``python -m experiments.error_types.tables FOLDER``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.error_types.arms import PROTOCOL
from experiments.protocol import Protocol, values
from sei.compare.significance import holm, paired_t
from sei.statistics import ALPHA, t_interval

Metrics = dict[str, tuple[str, str, str]]  # title: set, checkpoint (base, best, last), field of its scores
PRIMARY = ("arithmetic_far", "best", "macro")
METRICS: Metrics = {
    "out of domain, balanced over skills (primary)": PRIMARY,
    "out of domain": ("arithmetic_far", "best", "accuracy"),
    "in domain, balanced over skills": ("arithmetic_test", "best", "macro"),
    "in domain": ("arithmetic_test", "best", "accuracy"),
    "last round: out of domain, balanced over skills": ("arithmetic_far", "last", "macro"),
}


def level_table(folder: Path, protocol: Protocol, full: str, metrics: Metrics = METRICS) -> list[str]:
    """Return the mean over seeds of every metric and arm, with its 95 % t-interval."""
    lines = [f"| arm | seeds | {' | '.join(metrics)} |", "|---|---|" + "---|" * len(metrics)]
    base = protocol.load(folder, "main", full)
    for arm, runs in [("base", base), *((a, protocol.load(folder, "main", a)) for a in protocol.arms)]:
        cells = []
        for name, which, field in metrics.values():
            measured = list(values(runs, name, "base" if arm == "base" else which, field).values())
            found = t_interval(measured) if measured else None
            cells.append(f"{found.mean:.1f} ± {found.high - found.mean:.1f}" if found else "not run")
        lines.append(f"| {arm} | {len(runs)} | {' | '.join(cells)} |")
    return lines


def pair_table(
    folder: Path, protocol: Protocol, pairs: Sequence[tuple[str, str]], metric: tuple[str, str, str]
) -> list[str]:
    """Return the first arm of every pair minus the second, paired over seeds; Holm over the pairs."""
    name, which, field = metric
    found = {}
    for pair in pairs:
        ours, theirs = (values(protocol.load(folder, "main", arm), name, which, field) for arm in pair)
        seeds = [s for s in ours if s in theirs]
        if len(seeds) > 1:
            found[pair] = (len(seeds), paired_t([ours[s] for s in seeds], [theirs[s] for s in seeds]))
    adjusted = holm({" less ".join(pair): t.p for pair, (_, t) in found.items()})
    alike = len({one for one, _ in pairs}) == 1  # the table's title names the arm
    lines = [
        "| arm | difference | seeds | detectable | p | p (Holm) | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for pair, (n, t) in found.items():
        p = adjusted[" less ".join(pair)]
        lines.append(
            f"| {pair[1] if alike else ' less '.join(pair)} | {t.delta.mean:+.1f} [{t.delta.low:+.1f}, "
            f"{t.delta.high:+.1f}] | {n} | {t.detectable:.1f} | {t.p:.4f} | {p:.4f} | "
            f"{'real' if p < ALPHA else 'null'} |"
        )
    return lines


def difference_table(folder: Path, title: str, protocol: Protocol, full: str, metrics: Metrics = METRICS) -> list[str]:
    """Return the arm ``full`` minus every other, paired over seeds; Holm over the arms of the metric."""
    pairs = [(full, arm) for arm in protocol.arms if arm != full]
    return [f"**{title}**: {full} less arm", "", *pair_table(folder, protocol, pairs, metrics[title])]


def budget_table(folder: Path, protocol: Protocol) -> list[str]:
    """Return candidates per run, types in its first round, and supervised tokens per fine-tune."""
    lines = ["| arm | candidates, all rounds | types, round 1 | supervised tokens a fine-tune |", "|---|---|---|---|"]
    for arm in protocol.arms:
        runs = protocol.load(folder, "main", arm).values()
        asked = [sum(r["synthesized"] for r in run["rounds"]) for run in runs]
        types = [len(run["rounds"][0]["error_types"]) for run in runs]
        spent = [r["trained_tokens"] for run in runs for r in run["rounds"]]
        if asked:
            ranges = (f"{min(v)}-{max(v)}" for v in (asked, types, spent))
            lines.append(f"| {arm} | {' | '.join(ranges)} |")
    return lines


def show(protocol: Protocol, full: str, description: str | None, metrics: Metrics = METRICS) -> None:
    """Print all tables of a protocol as Markdown; the other arms are compared with ``full``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    print("\n".join(level_table(folder, protocol, full, metrics)), end="\n\n")
    for title in metrics:
        print("\n".join(difference_table(folder, title, protocol, full, metrics)), end="\n\n")
    print("\n".join(budget_table(folder, protocol)))


if __name__ == "__main__":
    show(PROTOCOL, "full", __doc__)
