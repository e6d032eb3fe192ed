"""The number of error types found by number of bad cases: does the pool still bring new ones, or were all seen?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

_POINTS = 60  # points per curve
_TAIL = 0.1  # share of last cases in which new types are counted


def saturation(types: Sequence[str]) -> dict[str, Any] | None:
    """Return the curve of one round from the type of every bad case, in the order of reading.

    ``points``: ``[cases, found in this order, expected]``, where ``expected`` is the mean over all orders. ``tail``:
    the number of last cases (a tenth); ``added``: their new types in this order; ``expected_added``: the mean of that
    over all orders. ``singletons``: types with one case; their share of the cases estimates the probability that a
    further case is of an unseen type (Good and Turing). ``None`` if no case has a type.
    """
    if not types:
        return None
    n, sizes = len(types), list(Counter(types).values())
    expected, found = rarefied(sizes), _found(types)
    tail = max(1, round(_TAIL * n))
    at = sorted({round(i * n / _POINTS) for i in range(1, _POINTS + 1)} - {0} | {1, n - tail or 1, n})
    return {
        "cases": n,
        "types": len(sizes),
        "points": [[m, found[m], round(expected[m], 4)] for m in at],
        "tail": tail,
        "added": found[n] - found[n - tail],
        "expected_added": round(expected[n] - expected[n - tail], 4),
        "singletons": sizes.count(1),
    }


def rarefied(sizes: Sequence[int]) -> list[float]:
    """Return the expected number of types among m cases drawn without replacement, for m from 0 to all.

    Of N cases, a type of size s is missed with probability C(N - s, m) / C(N, m). The sum of the complements is exact.
    """
    total = sum(sizes)
    out = [0.0] * (total + 1)
    for size in sizes:
        missed = 1.0
        for m in range(total + 1):
            out[m] += 1.0 - missed
            missed *= max(0, total - size - m) / max(1, total - m)
    return out


def _found(types: Sequence[str]) -> list[int]:
    seen: set[str] = set()
    out = [0]
    for t in types:
        seen.add(t)
        out.append(len(seen))
    return out
