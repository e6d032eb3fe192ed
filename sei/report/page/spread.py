"""Combines the numbers of several seeds: mean, range, and interval of the mean."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from sei.statistics import alike, t_interval

LEAST = 3  # minimum number of values for an interval over seeds; with two its half-width is 12.7 standard errors


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Return ``n``, ``mean``, ``range`` and ``ci95``, Student's t-interval of the mean.

    ``ci95`` is ``None`` for one or two values and for equal values. One value says nothing about differences between
    seeds. Two values are better shown as their ``range``. For equal values, an interval of width 0 would claim that
    seeds never differ.

    Raises:
        statistics.StatisticsError: if there is no value.
    """
    mean, ends = statistics.fmean(values), [min(values), max(values)]
    out = {"n": len(values), "mean": mean, "range": ends, "ci95": None}
    if len(values) >= LEAST and not alike(values):
        out["ci95"] = [*t_interval(values).ends]
    return out


def over_seeds(scores: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean accuracy of one set at one stage; ``how`` names the kind of interval.

    ``t``: over seeds, cut at 0 and 1. ``wilson``: of a single seed, over its problems. ``two``: none, since both seeds
    are shown. ``equal``: none, since all seeds have the same accuracy.
    """
    out = spread([s["accuracy"] for s in scores])
    if len(scores) == 1:
        return {**out, "ci95": scores[0]["ci95"], "how": "wilson"}
    if out["ci95"] is None:
        return {**out, "how": "equal" if alike([s["accuracy"] for s in scores]) else "two"}
    low, high = out["ci95"]
    return {**out, "ci95": [max(0.0, low), min(1.0, high)], "how": "t"}
