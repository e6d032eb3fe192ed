"""Pictures: cluster map, criterion curve, scores over rounds, training curve, flow of error types."""

from __future__ import annotations

import itertools
import textwrap
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sei.printable import printable
from sei.records import ErrorMap, Score, StepLog
from sei.report import flow


def _figure(width: float = 7.0, height: float = 5.0) -> tuple[Any, Any]:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def save(figure: Any, path: Path) -> None:
    """Write a figure; characters missing from the font are drawn as boxes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(path, dpi=120)


def shown(text: str) -> str:
    """Return a text drawn unchanged: no formula, no control character, not hidden by a leading ``_``."""
    text = printable(text).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def cluster_map(error_map: ErrorMap, path: Path) -> None:
    """Draw every bad case as a point, coloured and labelled by error type, largest types first."""
    import matplotlib as mpl

    figure, axes = _figure(10, 6)
    colours = mpl.colormaps["tab20"]
    for i, t in enumerate(error_map.types):
        points = [p for p in error_map.points if p.error_type == t.name]
        label = shown(f"{t.name[:48]} ({len(t.members)})") if i < 12 else None
        axes.scatter([p.x for p in points], [p.y for p in points], s=18, alpha=0.7, color=colours(i % 20), label=label)
    axes.set(title=f"{len(error_map.points)} bad cases in {len(error_map.types)} error types", xticks=[], yticks=[])
    if error_map.types:
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    save(figure, path)


def criterion_curve(error_map: ErrorMap, path: Path) -> None:
    """Draw the criterion over the number of types, with the chosen number."""
    figure, axes = _figure()
    axes.plot([c.num_types for c in error_map.curve], [c.score for c in error_map.curve], marker="o", ms=3)
    axes.axvline(len(error_map.types), ls="--", lw=1, color="grey", label=f"chosen: {len(error_map.types)}")
    axes.set(xlabel="number of error types", ylabel="mean silhouette")
    axes.legend()
    save(figure, path)


def score_curve(stages: Sequence[tuple[str, dict[str, Score]]], path: Path) -> None:
    """Draw accuracy with 95 % intervals over rounds, one line per set."""
    figure, axes = _figure()
    for name in stages[0][1]:
        scores = [s[name] for _, s in stages]
        low = [s.accuracy - s.ci95[0] for s in scores]
        high = [s.ci95[1] - s.accuracy for s in scores]
        label = shown(f"{name} (n={scores[0].n})")
        axes.errorbar(
            range(len(scores)), [s.accuracy for s in scores], yerr=[low, high], marker="o", capsize=3, label=label
        )
    axes.set(xticks=range(len(stages)), xticklabels=[n for n, _ in stages], ylabel="accuracy", ylim=(0, 1))
    axes.legend(fontsize=8)
    save(figure, path)


def training_curve(curve: Sequence[StepLog], path: Path) -> None:
    """Draw the loss of every optimizer step."""
    figure, axes = _figure()
    axes.plot([s.step for s in curve], [s.loss for s in curve])
    axes.set(xlabel="optimizer step", ylabel="loss per supervised token", yscale="log")
    save(figure, path)


_NAMED_TYPES = 10  # per round; all others are one block
_BAR = 0.12


def type_flow(places: Sequence[flow.Places], path: Path) -> None:
    """Draw where the bad cases of each error type go from round to round, as bands between stacked bars.

    From the top: the largest types first, then problems without a type, then solved ones.
    """
    import matplotlib as mpl

    columns = [flow.grouped(p.of, _NAMED_TYPES) for p in places]
    figure, axes = _figure(4 + 3.2 * len(columns), 7)
    colours = mpl.colormaps["tab20"]
    stacks = [_stack(c) for c in columns]
    for x, stack in enumerate(stacks):
        for i, (name, (low, high)) in enumerate(stack.items()):
            shade = "#dddddd" if name in flow.NOT_TYPES else colours(i % 20)
            axes.bar(x, high - low, _BAR, bottom=low, color=shade, edgecolor="white", linewidth=0.5)
            if high - low > 0.012 * len(columns[0]):
                where = {"x": x + _BAR, "ha": "left"} if x == len(stacks) - 1 else {"x": x - _BAR, "ha": "right"}
                label = shown(f"{textwrap.shorten(name, 44, placeholder='…')} ({high - low})")
                axes.text(where["x"], (low + high) / 2, label, ha=where["ha"], va="center", fontsize=6.5)
    for x, (was, now) in enumerate(itertools.pairwise(columns)):
        _bands(axes, x, was, now, stacks[x], stacks[x + 1], colours)
    axes.set(xticks=range(len(places)), xticklabels=[f"before round {p.round}" for p in places], yticks=[])
    axes.set(xlim=(-0.9, len(places) - 0.1), title=f"{len(columns[0])} pool problems by error type")
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    save(figure, path)


def _stack(column: dict[str, str]) -> dict[str, tuple[int, int]]:
    """Return the lower and upper edge of every block: solved at the bottom, types by size on top."""
    sizes = Counter(column.values())
    order = [n for n in (flow.SOLVED, flow.UNREADABLE, flow.UNNAMED) if n in sizes]
    order += sorted((n for n in sizes if n not in flow.NOT_TYPES), key=lambda n: (sizes[n], n))
    edges, at = {}, 0
    for name in order:
        edges[name] = (at, at + sizes[name])
        at += sizes[name]
    return edges


def _bands(axes: Any, x: int, was: dict[str, str], now: dict[str, str], left: Any, right: Any, colours: Any) -> None:
    import numpy as np

    t = np.linspace(0, 1, 30)
    ease = 3 * t**2 - 2 * t**3
    pairs = Counter((was[i], now[i]) for i in was)
    start = {n: low for n, (low, _) in left.items()}
    end = {n: low for n, (low, _) in right.items()}
    for i, a in enumerate(left):
        for b in right:
            n = pairs[a, b]
            low = start[a] + (end[b] - start[a]) * ease
            shade = "#dddddd" if a in flow.NOT_TYPES else colours(i % 20)
            axes.fill_between(x + _BAR / 2 + t * (1 - _BAR), low, low + n, color=shade, alpha=0.35, linewidth=0)
            start[a], end[b] = start[a] + n, end[b] + n
