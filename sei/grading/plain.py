r"""The fast path: a bare number as gold answer, and an output that ends in ``#### number`` or ``\boxed{number}``.

It decides only where the general path cannot come to anything else: nothing that could be a later statement
or a thinking tag may be in sight. Everything else is left to the general path.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

_NUMBER = re.compile(r"\s*(?:\\?\$)?\s*(-?)(?:\\?\$)?(\d{1,3}(?:,\d{3})+|\d{1,300})(\.\d{1,300})?\.?\s*", re.ASCII)
_TAG = re.compile(r"<[|/]?[a-z]|◁", re.IGNORECASE)  # thinking or answer tags; GSM8K's <<3*4=12>> is none
_LATER = re.compile(r"box|####|final|<")


@lru_cache(maxsize=65_536)
def plain_number(text: str) -> Fraction | None:
    """Return the value of a bare number (digits, thousands commas, decimals, a dollar sign), else ``None``."""
    m = _NUMBER.fullmatch(text)
    if m is None:
        return None
    value = Fraction(m[2].replace(",", "") + (m[3] or ""))
    return -value if m[1] else value


def may_hold_tags(text: str) -> bool:
    """Say whether a text holds anything like a thinking or answer tag."""
    return _TAG.search(text) is not None


def stated_plainly(output: str) -> str | None:
    """Return the number that an output ends with in the format asked for, ``None`` where it is not plain to see."""
    mark = output.rfind("####")
    if mark >= 0:
        tail = output[mark + 4 :]
        fine = "\n" not in tail.strip() and plain_number(tail) is not None and not may_hold_tags(output)
        return tail.strip() if fine else None
    mark = output.rfind("\\boxed{")
    end = output.find("}", mark)
    if mark < 0 or end < 0:
        return None
    inside = output[mark + 7 : end]
    fine = plain_number(inside) is not None and _LATER.search(output, end) is None and not may_hold_tags(output)
    return inside.strip() if fine else None
