"""Figures for a paper, each as PDF and PNG: scores over rounds, differences to the full method, accuracy by budget."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from sei.compare.build import families
from sei.compare.differences import Comparison, compare
from sei.compare.measures import (
    Outcome,
    Stage,
    at_round,
    estimate,
    of_block,
    outcomes,
    spent,
    trained,
    unequal,
)
from sei.compare.methods import Block, Method
from sei.compare.runs import BASE
from sei.statistics import Interval

_STYLE: dict[Any, Any] = {"font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42}
_MARKS = "osD^v<>PX*hp"
_WRAP = 34  # characters of a method's name per line
_UNDATED: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "png": {"Software": None}}


def draw(blocks: Sequence[Block], stage: Stage, out: Path) -> list[Path]:
    """Draw all figures that have data into a folder and return their paths."""
    made: list[Path] = []
    with mpl.rc_context(_STYLE):
        for number, block in enumerate(blocks, 1):
            suffix = f"_{number}" if len(blocks) > 1 else ""
            for name, figure in (
                ("rounds", rounds_figure(block)),
                ("ablation", ablation_figure(block, stage)),
                ("budget", budget_figure(block, stage)),
            ):
                for kind in ("pdf", "png") if figure is not None else ():
                    path = out / f"{name}{suffix}.{kind}"
                    figure.savefig(path, dpi=200, metadata=_UNDATED[kind])  # type: ignore[union-attr]
                    made.append(path)
    return made


def rounds_figure(block: Block) -> Figure | None:
    """Draw accuracy over rounds, one panel per outcome and one line per method, with 95 % intervals over seeds."""
    shown = _headlines(block)
    figure, panels = _panels(len(shown), height=3.2)
    for axes, outcome in zip(panels, shown, strict=True):
        for i, method in enumerate(trained(block)):
            xs, found = [], []
            for number in range(max(r.last for r in method.runs.values()) + 1):
                e = estimate(method, outcome, at_round(number), items=False)
                if e is not None and number == BASE and method is not block.full:
                    e = replace(e, interval=replace(e.interval, low=math.nan, high=math.nan))  # drawn once
                if e is not None:
                    xs.append(number + _beside(i, len(trained(block))))
                    found.append(e.interval)
            _line(axes, xs, found, i, method, bold=method is block.full)
        rounds = max(r.last for r in of_block(block))
        axes.set(title=_text(outcome.title), xlabel="round", xticks=range(rounds + 1))
        axes.set_xticklabels(["base", *map(str, range(1, rounds + 1))])
    return _finished(figure, panels, "accuracy (%)")


def ablation_figure(block: Block, stage: Stage) -> Figure | None:
    """Draw differences from the full method with 95 % intervals; filled if real after Holm. None if there are none."""
    shown = _headlines(block)
    found = [[c for c in compare(block, o, stage) if c.p_holm is not None or c.verdict == "not tested"] for o in shown]
    names = list(dict.fromkeys(c.method for column in found for c in column))
    if not names or block.full is None:
        return None
    lines = max(_text(n).count("\n") + 1 for n in names)
    figure, panels = _panels(len(shown), height=1.1 + (0.14 + 0.12 * lines) * len(names), sharey=True)
    for axes, outcome, column in zip(panels, shown, found, strict=True):
        axes.axvline(0, lw=0.8, color="grey")
        for c in column:
            _difference(axes, c, len(names) - 1 - names.index(c.method))
        axes.set(title=_text(outcome.title), xlabel=_text(f"points against {block.full.name}"))
        axes.set_yticks(range(len(names)), [_text(n) for n in reversed(names)], fontsize=7)
        axes.set_ylim(-0.6, len(names) - 0.4)
    figure.supxlabel("filled: real after Holm; hollow: null or not tested; bars: 95 % intervals", fontsize=7)
    return figure


def budget_figure(block: Block, stage: Stage) -> Figure | None:
    """Draw accuracy against the budget of whole runs, for methods that differ only in budget. None if there are none.

    One row per outcome, one column per kind of budget that differs.
    """
    curves = families(block)
    methods = [m for family in curves.values() for m in family]
    kinds = []
    for which, words in enumerate(("candidates", "supervised tokens")):
        levels = [[v for m in family if (v := spent(m)[which]) is not None] for family in curves.values()]
        if any(costs and unequal(min(costs), max(costs)) for costs in levels):
            kinds.append((which, words))
    if not kinds:
        return None
    shown = _headlines(block)
    figure, panels = _panels(len(kinds), rows=len(shown), height=2.4 * len(shown))
    for axes, (outcome, (which, words)) in zip(panels, itertools.product(shown, kinds), strict=True):
        for family in curves.values():
            found = [(spent(m)[which], estimate(m, outcome, stage, items=False), m) for m in family]
            dots = sorted(((x, e.interval, m) for x, e, m in found if x is not None and e is not None), key=_cost)
            if all(unequal(a[0], b[0]) for a, b in itertools.pairwise(dots)):
                axes.plot([x for x, _, _ in dots], [100 * v.mean for _, v, _ in dots], color="grey", lw=0.8, zorder=1)
            for x, interval, m in dots:
                i = methods.index(m)
                _line(axes, [x * (1 + 0.04 * _beside(i, len(methods)))], [interval], i, m, bold=m is block.full)
        axes.margins(x=0.15)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set(title=_text(outcome.title), xlabel=words)
    return _finished(figure, panels, "accuracy (%)")


def _cost(dot: tuple[float, Interval, Method]) -> float:
    return dot[0]


def _headlines(block: Block) -> list[Outcome]:
    return [o for o in outcomes(of_block(block)) if o.headline]


def _panels(count: int, *, height: float, rows: int = 1, sharey: bool = False) -> tuple[Figure, list[Any]]:
    figure = Figure(figsize=(3.5 + 2.7 * count, height), layout="constrained")
    return figure, list(figure.subplots(rows, count, squeeze=False, sharey=sharey).flat)


def _finished(figure: Figure, panels: Sequence[Any], label: str) -> Figure:
    figure.supylabel(label, fontsize=8)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=7)
    return figure


def _line(axes: Any, xs: Sequence[float], found: Sequence[Interval], i: int, method: Method, *, bold: bool) -> None:
    colour = "black" if bold else mpl.colormaps["tab20"](2 * i % 20 + i // 10 % 2)
    low = [100 * (v.mean - v.low) if v.known else 0.0 for v in found]
    high = [100 * (v.high - v.mean) if v.known else 0.0 for v in found]
    axes.errorbar(
        xs, [100 * v.mean for v in found], yerr=[low, high], label=_text(method.name), color=colour, capsize=2, ms=3.5,
        marker=_MARKS[i % len(_MARKS)], lw=1.6 if bold else 0.9, elinewidth=0.7, zorder=3 if bold else 2,
    )  # fmt: skip


def _difference(axes: Any, c: Comparison, y: float) -> None:
    real = c.verdict.startswith("real")
    d = c.delta
    ends = [[100 * (d.mean - d.low)], [100 * (d.high - d.mean)]] if d.known else None
    axes.errorbar(
        [100 * d.mean], [y], xerr=ends, color="black", marker="o", ms=4.5, capsize=2, lw=1,
        markerfacecolor="black" if real else "white",
    )  # fmt: skip


def _beside(i: int, count: int) -> float:
    return 0.25 * (i - (count - 1) / 2) / max(count - 1, 1)


def _text(text: str) -> str:
    """Return a name as literal text in short lines; a leading ``_`` would hide it from the legend."""
    shown = textwrap.fill(text.replace("$", r"\$"), _WRAP)
    return f" {shown}" if shown.startswith("_") else shown
