"""Paired tests, intervals over items, and the smallest difference that a comparison can detect.

The functions take shares (0 to 1) or other real values and know nothing of runs or files. Intervals are two-sided at 95
%. Sources: McNemar (1947), in its exact form, for two models on the same items; Holm (1979) for many comparisons;
Miller (2024, arXiv 2411.00640) for standard errors clustered by question, in ``sei.statistics``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from sei.statistics import ALPHA, Interval, alike, t_interval

POWER = 0.8
_SAME = 1e-12  # tolerance for equality of a drawn and the observed difference, because of rounding
_NODES = 300  # number of nodes in the sum over spreads
_SEARCH = 1e3  # a standardized difference that every test finds


@dataclass(frozen=True)
class PairedT:
    """Result of a paired t-test: mean difference with interval, p, number of pairs, and their standard deviation.

    ``p`` is ``None`` if it is undefined, because the differences have no spread. ``detectable``: the smallest true
    difference that the same number of pairs with the same spread would find.
    """

    delta: Interval
    p: float | None
    n: int
    sd: float
    detectable: float


def paired_t(after: Sequence[float], before: Sequence[float]) -> PairedT:
    """Test the mean of ``after - before`` against 0; values at the same index belong to the same seed.

    If all differences are equal there is no spread to test against: p is undefined, and there is no interval.

    Raises:
        ValueError: for different lengths or fewer than two pairs.
    """
    if len(after) != len(before) or len(after) < 2:
        raise ValueError(f"{len(after)} and {len(before)} values do not form pairs to test")
    x = _array(after) - _array(before)
    sd = float(x.std(ddof=1))
    if alike(list(x)):
        return PairedT(Interval(float(x.mean()), math.nan, math.nan), None, len(x), 0.0, 0.0)
    return PairedT(t_interval(list(x)), float(stats.ttest_1samp(x, 0.0).pvalue), len(x), sd, detectable_t(sd, len(x)))


def bootstrap(
    sets: Sequence[Sequence[float]], *, resamples: int = 10_000, seed: int = 0, confidence: float = 1 - ALPHA
) -> Interval:
    """Return the mean over sets of each set's mean over items, with a percentile bootstrap interval over items.

    Each set is resampled separately, with replacement. Items with equal values are interchangeable, so the counts of
    the distinct values are drawn (multinomial); this gives the same distribution with less memory.

    Raises:
        ValueError: if there is no set, or a set without items.
    """
    if not sets:
        raise ValueError("no set to draw from")
    rng = np.random.default_rng(seed)
    total = np.zeros(resamples)
    mean = 0.0
    for items in sets:
        x = _array(items)
        levels, counts = np.unique(x, return_counts=True)
        total += rng.multinomial(len(x), counts / len(x), size=resamples) @ levels / len(x)
        mean += float(x.mean())
    low, high = np.quantile(total / len(sets), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(mean / len(sets), float(low), float(high))


def mcnemar(fixed: int, broken: int) -> float | None:
    """Return the exact two-sided p of McNemar's test: ``fixed`` items became right, ``broken`` items became wrong.

    The test uses only changed items. Without any, p is undefined, and ``None`` is returned.

    Raises:
        ValueError: for a negative count.
    """
    if min(fixed, broken) < 0:
        raise ValueError("counts of items cannot be negative")
    discordant = fixed + broken
    return min(1.0, 2 * float(stats.binom.cdf(min(fixed, broken), discordant, 0.5))) if discordant else None


def sign_flip(sets: Sequence[Sequence[float]], *, draws: int = 200_000, seed: int = 0) -> float | None:
    """Return the two-sided p of a difference averaged over several sets: McNemar's test for such a mean.

    ``sets``: for each set the differences of items: 1 (fixed), -1 (broken) or 0. If both models are equally good, each
    discordant item has either sign with equal probability. The mean over sets of the sets' means is compared with that
    of drawn signs. With one set the exact McNemar test is used; otherwise p is accurate to about 0.001, and never below
    1 / ``draws``. If no item differs, p is undefined, and ``None`` is returned.

    Raises:
        ValueError: if there is no set, or a set without items.
    """
    arrays = [_array(items) for items in sets]
    if not arrays:
        raise ValueError("no set to test")
    if len(arrays) == 1:
        return mcnemar(int((arrays[0] > 0).sum()), int((arrays[0] < 0).sum()))
    if not any(x.any() for x in arrays):
        return None
    rng = np.random.default_rng(seed)
    seen, drawn = 0.0, np.zeros(draws)
    for x in arrays:
        discordant = int((x != 0).sum())
        seen += float(x.mean())
        drawn += (2 * rng.binomial(discordant, 0.5, size=draws) - discordant) / len(x)
    return float(1 + (np.abs(drawn) >= abs(seen) - _SAME).sum()) / (1 + draws)


def detectable_sign_flip(
    sets: Sequence[Sequence[float]], *, power: float = POWER, alpha: float = ALPHA
) -> float | None:
    """Return the smallest true mean over sets that ``sign_flip`` finds with ``power``, by the normal approximation.

    For one set it is that of the exact McNemar test. None if no item differs.

    Raises:
        ValueError: if there is no set, or a set without items.
    """
    arrays = [_array(items) for items in sets]
    if len(arrays) == 1:
        return detectable_mcnemar(int((arrays[0] != 0).sum()), len(arrays[0]))
    if not arrays:
        raise ValueError("no set to test")
    error = math.sqrt(sum(float((x != 0).sum()) / len(x) ** 2 for x in arrays)) / len(arrays)
    return float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)) * error or None


def holm(ps: Mapping[str, float]) -> dict[str, float]:
    """Return p values adjusted by Holm's step-down method (1979); all values are one family."""
    out: dict[str, float] = {}
    running = 0.0
    for i, (name, p) in enumerate(sorted(ps.items(), key=lambda kv: kv[1])):
        running = max(running, min(1.0, (len(ps) - i) * p))
        out[name] = running
    return out


def detectable_t(sd: float, n: int, *, power: float = POWER, alpha: float = ALPHA) -> float:
    """Return the smallest true mean difference that a two-sided paired t-test on ``n`` pairs finds with ``power``.

    Solved with the exact power (noncentral t distribution), because the normal approximation promises too much for few
    seeds. The power is summed over the possible spreads of a sample, because library functions of the noncentral t fail
    for one and two degrees of freedom.

    Raises:
        ValueError: for fewer than two pairs or a negative spread.
    """
    if n < 2 or sd < 0:
        raise ValueError("a t-test needs two pairs and a non-negative spread")
    return _shift(n, power, alpha) * sd / math.sqrt(n)


@cache
def _shift(n: int, power: float, alpha: float) -> float:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    spread = np.sqrt(stats.chi2.ppf((nodes + 1) / 2, n - 1) / (n - 1))  # possible sample spreads for a true spread of 1
    limit = float(stats.t.ppf(1 - alpha / 2, n - 1)) * spread

    def missing(shift: float) -> float:
        found = stats.norm.sf(limit - shift) + stats.norm.cdf(-limit - shift)
        return float(weights @ found) / 2 - power

    return float(optimize.brentq(missing, 0.0, _SEARCH))


def detectable_mcnemar(discordant: int, n: int, *, power: float = POWER, alpha: float = ALPHA) -> float | None:
    """Return the smallest true difference of two shares that the exact McNemar test finds with ``power``.

    It is conditional on the observed number of discordant pairs among ``n`` items. None if so few pairs differ that no
    split of them would be significant (fewer than six at 5 %).

    Raises:
        ValueError: unless ``0 <= discordant <= n`` and ``n > 0``.
    """
    if not 0 <= discordant <= n or n == 0:
        raise ValueError(f"{discordant} of {n} pairs cannot differ")
    counts = np.arange(discordant // 2 + 1)
    significant = counts[2 * stats.binom.cdf(counts, discordant, 0.5) <= alpha]
    if not len(significant):
        return None
    limit = int(significant.max())

    def missing(share: float) -> float:
        found = stats.binom.cdf(limit, discordant, share) + stats.binom.sf(discordant - limit - 1, discordant, share)
        return float(found) - power

    share = float(optimize.brentq(missing, 0.5, 1.0))
    return (2 * share - 1) * discordant / n


def _array(values: Sequence[float]) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=np.float64)
    if not x.size:
        raise ValueError("no values")
    return x
