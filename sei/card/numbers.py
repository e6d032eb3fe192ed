"""Numbers of a teacher card, each with its n and its interval, or with the reason why it is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sei.statistics import Interval, t_interval, wilson

State = Literal["measured", "not asked", "unknown"]
Unit = Literal["share", "index", "tokens", "seconds", "USD"]


@dataclass(frozen=True, kw_only=True)
class Number:
    """One line of a card.

    ``low`` and ``high`` are the ends of the 95 % interval, ``None`` without one. ``state`` is ``not asked`` if the
    instructor cannot do it or if it was not wanted, and ``unknown`` if the measurement gave no value. ``why`` gives the
    reason or a note for the reader. ``group`` names the section of the card.
    """

    group: str
    title: str
    unit: Unit
    n: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    state: State = "measured"
    why: str = ""

    @property
    def shown(self) -> str:
        """Return the value as text."""
        if self.value is None:
            return "not asked" if self.state == "not asked" else "?"
        return _written(self.value, self.unit)

    @property
    def interval(self) -> str:
        """Return the interval as text, empty without an interval."""
        if self.low is None or self.high is None:
            return ""
        return f"[{_written(self.low, self.unit)}, {_written(self.high, self.unit)}]"


def share(group: str, title: str, hits: int, n: int, why: str = "", *, none: str = "") -> Number:
    """Return a share with Wilson's interval. With ``n`` 0 it is unknown, for the reason ``none``."""
    if n == 0:
        return unknown(group, title, "share", none)
    return _number(group, title, "share", n, wilson(hits, n), why)


def index(group: str, title: str, n: int, found: Interval, why: str = "") -> Number:
    """Return an index of agreement with its interval."""
    return _number(group, title, "index", n, found, why)


def mean(group: str, title: str, unit: Unit, values: Sequence[float], n: int = 0, why: str = "") -> Number:
    """Return the mean of values over ``n`` items (default: the number of values), with Student's interval."""
    found = t_interval(values)
    if found.known:
        found = Interval(found.mean, max(0.0, found.low), found.high)
    return _number(group, title, unit, n or len(values), found, why)


def not_asked(group: str, title: str, unit: Unit, why: str) -> Number:
    """Return a line for a measurement that was not asked for."""
    return Number(group=group, title=title, unit=unit, state="not asked", why=why)


def unknown(group: str, title: str, unit: Unit, why: str, n: int = 0) -> Number:
    """Return a line for a measurement that was tried and gave no value."""
    return Number(group=group, title=title, unit=unit, n=n, state="unknown", why=why)


def _number(group: str, title: str, unit: Unit, n: int, found: Interval, why: str) -> Number:
    low, high = found.ends if found.known else (None, None)
    return Number(group=group, title=title, unit=unit, n=n, value=found.mean, low=low, high=high, why=why)


def _written(value: float, unit: Unit) -> str:
    if unit == "share":
        return f"{100 * value:.1f} %"
    if unit == "index":
        return f"{value:.3f}"
    if unit == "tokens":
        return f"{value:,.0f}"
    if value == 0:
        return "0"
    digits = max(2, 1 - math.floor(math.log10(abs(value))))  # two significant digits
    return f"{value:,.{digits}f}" if digits < 7 else f"{value:.1e}"
