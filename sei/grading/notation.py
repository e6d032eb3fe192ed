r"""Answers in a notation of their own: numbers with a base, quantities in several units, quotients with remainder."""

from __future__ import annotations

import re
from fractions import Fraction

_BASE_WORDS = dict(zip("two three four five six seven eight nine ten eleven twelve".split(), range(2, 13), strict=True))
_BASE_WORDS["sixteen"] = 16
_BASE = rf"\d{{1,2}}|{'|'.join(_BASE_WORDS)}"
_BASED = re.compile(
    rf"\s*\(?([0-9A-Fa-f]+)\)?\s*_\s*\{{?\s*({_BASE})\s*\}}?\s*"
    rf"|\s*([0-9A-Fa-f]+)\s*(?:\(\s*(?:in )?base[\s-]*({_BASE})\s*\)|,?\s*(?:in )?base[\s-]*({_BASE}))\s*"
)
UNITS = {  # spellings of the units that are said together, as in "2 hours 30 minutes"
    "year": "years?|yrs?",
    "month": "months?",
    "week": "weeks?",
    "day": "days?",
    "hour": "hours?|hrs?|h",
    "minute": "minutes?|mins?",
    "second": "seconds?|secs?",
    "foot": "feet|foot|ft",
    "inch": "inch(?:es)?|in",
    "pound": "pounds?|lbs?",
    "ounce": "ounces?|oz",
    "dollar": "dollars?",
    "cent": "cents?",
}
_UNIT = "|".join(f"(?P<{name}>{spellings})" for name, spellings in UNITS.items())
_PART = re.compile(rf"\s*(\d+(?:\.\d+)?)\s*(?:{_UNIT})\.?(?![A-Za-z])\s*(?:,?\s*and\b|,)?")
_REMAINDER = re.compile(r"\s*(\d+)\s*,?\s*(?:R|r|remainder|rem\.?|with (?:a )?remainder(?: of)?)\s*(\d+)\s*")

Compound = tuple[tuple[str, Fraction], ...]


def same_base(gold: str, stated: str) -> bool | None:
    """Compare digits and bases; a missing base is forgiven. ``None`` if neither answer has one."""
    a, b = _based(gold), _based(stated)
    if a is None and b is None:
        return None
    digits = [found[0] if found else re.sub(r"^.*=|\s", "", text) for found, text in ((a, gold), (b, stated))]
    return digits[0].lower() == digits[1].lower() and (a is None or b is None or a[1] == b[1])


def _based(text: str) -> tuple[str, int] | None:
    m = _BASED.fullmatch(text)
    if m is None:
        return None
    base = m[2] or m[4] or m[5]
    return m[1] or m[3], _BASE_WORDS.get(base) or int(base)


def compound(text: str) -> Compound | None:
    """Return the parts of a quantity in several units (``2 hours and 30 minutes``), or of ``3 R 2``, or ``None``."""
    if m := _REMAINDER.fullmatch(text):
        return (("quotient", Fraction(m[1])), ("remainder", Fraction(m[2])))
    found, at = list[tuple[str, Fraction]](), 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            return None
        found.append((str(part.lastgroup), Fraction(part[1])))
        at = part.end()
    return tuple(found) if len({name for name, _ in found}) == len(found) > 1 else None


def same_compound(gold: str, stated: str) -> bool | None:
    """Compare two quantities in several units part by part; ``None`` if one of the answers is none."""
    a, b = compound(gold), compound(stated)
    return None if a is None or b is None else a == b
