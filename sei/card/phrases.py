"""The labelled keyphrases that come with sei, and the agreement of a grouping with their types.

``labelled/keyphrases.md`` gives their origin, authors and licences.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sei.statistics import Z95, Interval

LABELLED = Path(__file__).parent / "labelled"


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A keyphrase with its type. ``half``: ``choose`` for choosing settings, ``report`` for reported numbers."""

    id: str
    phrase: str
    type: str
    half: str


@cache
def labelled() -> tuple[Labelled, ...]:
    """Return all labelled keyphrases."""
    rows = map(json.loads, (LABELLED / "keyphrases.jsonl").read_text(encoding="utf-8").splitlines())
    return tuple(Labelled(id=r["id"], phrase=r["keyphrase"], type=r["label"], half=r["half"]) for r in rows)


@cache
def _types() -> dict[str, str]:
    return {x.id: x.type for x in labelled()}


def type_of(row: str) -> str:
    """Return the type of a MR-GSM8K or Mr-Ben row with a labelled keyphrase, or an empty text for other rows."""
    return _types().get(row, "")


def agreement(types: Sequence[str], groups: Sequence[int]) -> dict[str, Interval]:
    """Return ARI and AMI of a grouping against types, each with its interval. An item without a group (-1) stays alone.

    The interval is a jackknife over items with the grouping held fixed. It shows how much the number depends on the
    choice of items, not how much it would change with another grouping.

    Raises:
        ValueError: for fewer than three items.
    """
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    alone = [g if g >= 0 else -1 - i for i, g in enumerate(groups)]
    return {
        "ARI": _jackknifed(adjusted_rand_score, types, alone),
        "AMI": _jackknifed(adjusted_mutual_info_score, types, alone),
    }


def _jackknifed(index: Callable[..., float], types: Sequence[str], groups: Sequence[int]) -> Interval:
    """Leave out each item once. Items of the same type and group give the same value."""
    n = len(types)
    if n < 3:
        raise ValueError(f"{n} items are too few")
    value = float(index(types, groups))
    left_out: list[tuple[float, int]] = []
    pairs = list(zip(types, groups, strict=True))
    for pair, times in Counter(pairs).items():
        at = pairs.index(pair)
        rest = [p for i, p in enumerate(pairs) if i != at]
        left_out.append((float(index(*zip(*rest, strict=True))), times))
    mean = sum(x * k for x, k in left_out) / n
    half = Z95 * math.sqrt((n - 1) / n * sum(k * (x - mean) ** 2 for x, k in left_out))
    return Interval(value, max(-1.0, value - half), min(1.0, value + half))
