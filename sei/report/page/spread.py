"""Numbers of several seeds as one: their mean, their range, and how far the mean may be off."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from sei.statistics import alike, t_interval

LEAST = 3  # values that an interval over seeds needs: that of two is 12.7 standard errors wide


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Return ``n``, ``mean``, ``range`` and ``ci95``, Student's t-interval of the mean.

    ``ci95`` is ``None`` for one or two values and for values that are all equal: one shows not how much seeds differ,
    two show themselves (their ``range``) and hardly more, and an interval without width would claim that they do not.

    Raises:
        statistics.StatisticsError: when there is no value.
    """
    mean, ends = statistics.fmean(values), [min(values), max(values)]
    out = {"n": len(values), "mean": mean, "range": ends, "ci95": None}
    if len(values) >= LEAST and not alike(values):
        out["ci95"] = [*t_interval(values).ends]
    return out


def over_seeds(scores: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean accuracy of one set at one stage; ``how`` names what its interval is.

    ``t``: over seeds, cut at 0 and 1. ``wilson``: a single seed's own, over the problems. ``two``: none, as two
    seeds are shown by themselves. ``equal``: none, as all seeds have the same accuracy.
    """
    out = spread([s["accuracy"] for s in scores])
    if len(scores) == 1:
        return {**out, "ci95": scores[0]["ci95"], "how": "wilson"}
    if out["ci95"] is None:
        return {**out, "how": "equal" if alike([s["accuracy"] for s in scores]) else "two"}
    low, high = out["ci95"]
    return {**out, "ci95": [max(0.0, low), min(1.0, high)], "how": "t"}
