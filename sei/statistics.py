"""Intervals of shares and means, shared by grading, the report and the tables.

Every interval is two-sided at 95 %. Heavy imports happen inside functions, because the command line loads this module
early. Sources: Wilson (1927) for a share; Student (1908) for the mean of a few values; Agresti and Min (2005) for the
difference of two shares on the same items.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

ALPHA = 0.05  # two-sided
Z95 = 1.959963984540054  # the 0.975 quantile of the normal distribution
Z95_ROUNDED = 1.959964  # used by summaries and pages from the start; their eighth digit depends on it
_SAME = 1e-9  # values this close count as equal, because of rounding errors


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its interval. The ends are NaN if there is no interval (a single value)."""

    mean: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Say whether the interval has ends."""
        return not math.isnan(self.low)

    @property
    def ends(self) -> tuple[float, float]:
        """Return the lower and the upper end."""
        return self.low, self.high


def wilson(correct: int, n: int, z: float = Z95_ROUNDED) -> Interval:
    """Return the share ``correct / n`` with Wilson's score interval, without continuity correction.

    Raises:
        ValueError: unless ``0 <= correct <= n`` and ``n > 0``.
    """
    if not 0 <= correct <= n or n == 0:
        raise ValueError(f"{correct} of {n} is not a share")
    share = correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def limited(found: Interval, low: float, high: float) -> Interval:
    """Return an interval with its ends inside the possible values; ends that are not known stay."""
    ends = [x if math.isnan(x) else min(max(x, low), high) for x in (found.low, found.high)]
    return Interval(found.mean, *ends)


def t_interval(values: Sequence[float]) -> Interval:
    """Return the mean of independent values (one per seed) with Student's t-interval; a single value has no ends.

    Raises:
        ValueError: if there is no value.
    """
    if not len(values):
        raise ValueError("no values")
    if len(values) < 2:
        return Interval(float(values[0]), math.nan, math.nan)
    import numpy as np
    from scipy.special import stdtrit  # takes a third of a second, which pages of single runs do not need

    x = np.asarray(values, dtype=np.float64)
    mean = float(x.mean())
    half = float(stdtrit(len(x) - 1, 1 - ALPHA / 2)) * float(x.std(ddof=1)) / math.sqrt(len(x))
    return Interval(mean, mean - half, mean + half)


def clustered(values: Sequence[float], clusters: Sequence[Hashable]) -> Interval:
    """Return the mean over items with a normal interval whose standard error is clustered (Miller 2024, section 2.2).

    Values of one cluster (the same question answered under several seeds) may depend on each other in any way: ``se² =
    Σ_clusters (Σ_items (value - mean))² / n²``. For paired models pass the differences of their values.

    Raises:
        ValueError: for different lengths or no value.
    """
    import numpy as np

    se, mean = clustered_error(values, clusters), float(np.asarray(values, dtype=np.float64).mean())
    return Interval(mean, mean - Z95 * se, mean + Z95 * se)


def clustered_error(values: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """Return the clustered standard error of a mean, as in ``clustered``.

    Raises:
        ValueError: for different lengths or no value.
    """
    import numpy as np

    x = np.asarray(values, dtype=np.float64)
    if not len(x):
        raise ValueError("no values")
    if len(x) != len(clusters):
        raise ValueError(f"{len(x)} values, but {len(clusters)} clusters")
    number: dict[Hashable, int] = {}
    at = np.array([number.setdefault(c, len(number)) for c in clusters])
    sums = np.bincount(at, weights=x - x.mean())
    return math.sqrt(float((sums**2).sum())) / len(x)


def matched_difference(fixed: int, broken: int, n: int) -> Interval:
    """Return the difference of two shares on the same ``n`` items; ``fixed`` items became right, ``broken`` ones wrong.

    The interval is Wald's for matched pairs with half an item added to each of the four cells, which keeps its coverage
    when few items change.

    Raises:
        ValueError: for a negative count, or more changes than items.
    """
    if min(fixed, broken) < 0 or fixed + broken > n:
        raise ValueError(f"{fixed} fixed and {broken} broken of {n} items are not matched pairs")
    middle = (fixed - broken) / (n + 2)
    half = Z95_ROUNDED * math.sqrt((fixed + broken + 1) / (n + 2) - middle**2) / math.sqrt(n + 2)
    return Interval(middle, middle - half, middle + half)


def alike(values: Sequence[float]) -> bool:
    """Say whether values are equal except for rounding. Then they show no spread, and no interval can be made."""
    return max(values) - min(values) <= _SAME
