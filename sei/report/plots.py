"""Pictures: the 2-D cluster map, the criterion curve, scores over rounds, the training curve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sei.records import ErrorMap, Score, StepLog


def _figure(width: float = 7.0, height: float = 5.0) -> tuple[Any, Any]:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def cluster_map(error_map: ErrorMap, path: Path) -> None:
    """Draw every bad case as a point, coloured and labelled by error type, largest types first."""
    import matplotlib as mpl

    figure, axes = _figure(10, 6)
    colours = mpl.colormaps["tab20"]
    for i, t in enumerate(error_map.types):
        points = [p for p in error_map.points if p.error_type == t.name]
        label = f"{t.name[:48]} ({len(t.members)})" if i < 12 else None
        axes.scatter([p.x for p in points], [p.y for p in points], s=18, alpha=0.7, color=colours(i % 20), label=label)
    axes.set(title=f"{len(error_map.points)} bad cases in {len(error_map.types)} error types", xticks=[], yticks=[])
    if error_map.types:
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    figure.savefig(path, dpi=120)


def criterion_curve(error_map: ErrorMap, path: Path) -> None:
    """Draw the criterion over the number of types, with the chosen number."""
    figure, axes = _figure()
    axes.plot([c.num_types for c in error_map.curve], [c.score for c in error_map.curve], marker="o", ms=3)
    axes.axvline(len(error_map.types), ls="--", lw=1, color="grey", label=f"chosen: {len(error_map.types)}")
    axes.set(xlabel="number of error types", ylabel="mean silhouette")
    axes.legend()
    figure.savefig(path, dpi=120)


def score_curve(stages: Sequence[tuple[str, dict[str, Score]]], path: Path) -> None:
    """Draw accuracy with 95 % intervals over rounds, one line per set."""
    figure, axes = _figure()
    for name in stages[0][1]:
        scores = [s[name] for _, s in stages]
        low = [s.accuracy - s.ci95[0] for s in scores]
        high = [s.ci95[1] - s.accuracy for s in scores]
        label = f"{name} (n={scores[0].n})"
        axes.errorbar(
            range(len(scores)), [s.accuracy for s in scores], yerr=[low, high], marker="o", capsize=3, label=label
        )
    axes.set(xticks=range(len(stages)), xticklabels=[n for n, _ in stages], ylabel="accuracy", ylim=(0, 1))
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)


def training_curve(curve: Sequence[StepLog], path: Path) -> None:
    """Draw the loss of every optimizer step."""
    figure, axes = _figure()
    axes.plot([s.step for s in curve], [s.loss for s in curve])
    axes.set(xlabel="optimizer step", ylabel="loss per supervised token", yscale="log")
    figure.savefig(path, dpi=120)
