"""How many error types show up with more bad cases read: does the pool go on to bring new ones, or were all seen?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

_POINTS = 60  # of a drawn curve
_TAIL = 0.1  # share of the cases whose new types are counted


def saturation(types: Sequence[str]) -> dict[str, Any] | None:
    """Return the curve of one round from the type of every bad case, in the order in which they were read.

    ``points`` holds ``[cases, found in this order, expected]``; ``expected`` is the mean over all orders. ``tail`` is
    the number of the last cases (a tenth), ``added`` what they brought in this order, ``expected_added`` on average
    over all orders. ``singletons`` are types with one case: their share of the cases estimates how likely a further
    case is of a type not seen (Good and Turing). ``None`` where no case has a type.
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

    Of N cases, a type of size s is missed by C(N - s, m) / C(N, m); the sum over types of one less that is exact.
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
