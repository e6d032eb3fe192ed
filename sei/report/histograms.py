"""Picture of refinement: the scores of each error type's candidates, kept and dropped ones in different colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sei.records import RefinedSet, Scored
from sei.report.plots import save, shown

_MOST = 12  # error types with most candidates are drawn; refined.jsonl has all
_BINS = 20
_WIDTH, _HEIGHT = 3.0, 2.2  # of one histogram, in inches


def largest_types(refined: RefinedSet, most: int = _MOST) -> dict[str, list[Scored]]:
    """Return the decisions for each of the ``most`` types with most candidates, largest first."""
    groups: dict[str, list[Scored]] = {}
    for s in refined.scored:
        groups.setdefault(s.example.error_type, []).append(s)
    return dict(sorted(groups.items(), key=lambda g: -len(g[1]))[:most])


def score_histograms(refined: RefinedSet, path: Path) -> None:
    """Draw one histogram per error type: its scores on its own axis, kept ones coloured."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure

    groups = largest_types(refined)
    columns = min(4, max(1, len(groups)))
    rows = max(1, -(-len(groups) // columns))
    width, height = max(4.4, _WIDTH * columns), _HEIGHT * rows  # one column is as wide as the title
    figure = Figure(figsize=(width, height))  # fixed margins: a layout that is solved takes as long as the drawing
    margins = {"left": 0.35 / width, "right": 1 - 0.1 / width, "bottom": 0.25 / height, "top": 1 - 0.48 / height}
    cells = figure.subplots(
        rows, columns, squeeze=False, gridspec_kw={**margins, "wspace": 0.16, "hspace": 0.33}
    ).ravel()
    for axes, (name, scored) in zip(cells, groups.items(), strict=False):
        _histogram(axes, name, scored)
    for axes in cells[len(groups) :]:
        axes.axis("off")
    title = "refinement scores by error type: kept (blue) and dropped (grey)"
    figure.suptitle(title, fontsize=9, y=1 - 0.06 / height, va="top")
    save(figure, path)


def _histogram(axes: Any, name: str, scored: Sequence[Scored]) -> None:
    kept, dropped = ([s.score for s in scored if s.kept is k] for k in (True, False))
    low, high = min(s.score for s in scored), max(s.score for s in scored)
    edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
    axes.hist([dropped, kept], bins=edges, stacked=True, histtype="stepfilled", color=["0.75", "tab:blue"])
    axes.locator_params(nbins=5)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_title(shown(f"{name[:34]} ({len(kept)} of {len(scored)})"), fontsize=7)
    axes.tick_params(labelsize=6)
