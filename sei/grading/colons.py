"""Values with colons: times of day and ratios. They are not divisions: ``10:30`` is not ``5:15``, ``3:4`` is not 0.75.

If a question asks for a ratio, equal ratios are equal answers (``6:8`` and ``3:4``, also ``3/4`` and ``3 to 4``).
Otherwise terms are compared one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from sei.grading.arithmetic import evaluate

_MAX_COLON = 120  # characters; longer answers are neither times nor ratios
_TERM = r"(?:\\frac\s*\{[^{}]*\}\s*\{[^{}]*\}|\d*\s*\\sqrt\s*(?:\[\d\])?\{[^{}]*\}|-?\d+(?:\.\d+)?(?:/\d+)?[a-zA-Z]?)"
_GAP = r"\s*(?:\\[!,;]\s*)*:\s*(?:\\[!,;]\s*)*"
_HALF_DAY = r"[ap]\.?\s?m(?![a-zA-Z])\.?"
_HALF = rf"(?:\s|\\[,;! ])*(?:{_HALF_DAY}|\\(?:text|mathrm)\s*\{{\s*{_HALF_DAY}\s*\}})"
WRITTEN = re.compile(rf"{_TERM}(?:{_GAP}{_TERM})+(?:{_HALF})?", re.IGNORECASE)  # as written in an output
SAID = re.compile(rf"\d{{1,2}}{_HALF}|{_TERM}\s+to\s+{_TERM}", re.IGNORECASE)  # "5 p.m.", "5 to 8": without a colon
_RATIO = re.compile(rf"{_TERM}(?:\s*:\s*{_TERM})+")
_TO = re.compile(rf"({_TERM})\s+(?:to|zu)\s+({_TERM})")
_CLOCK = re.compile(
    r"(\d{1,2})(?:\s*:\s*(\d{2}))?(?:\s*:\s*(\d{2}))?\s*(?:([ap])\.?\s?m\.?|o'clock|h|uhr)?", re.IGNORECASE
)
_LABEL = re.compile(r"^[A-Za-z\\{}_0-9 ]*(?::[A-Za-z\\{}_0-9 ]*)*=\s*|^[A-Za-z][A-Za-z' ]*(?:\bis\b|:)\s*")
_ASKED = re.compile(r"\bratios?\b|\bproportions?\b|\bodds\b|\bscale\b|比|Verhältnis|razón|rapport", re.IGNORECASE)


def asks_ratio(question: str) -> bool:
    """Say whether a question asks for a ratio, so that equal ratios are equal answers."""
    return _ASKED.search(question) is not None


def is_colon(text: str) -> bool:
    """Say whether a tidied answer is a time of day or a ratio."""
    bare = _bare(text)
    return _half(text) or (
        ":" in bare
        and len(bare) <= _MAX_COLON
        and (_RATIO.fullmatch(bare) is not None or _CLOCK.fullmatch(bare) is not None)
    )


def same_colon(gold: str, stated: str, ratio: bool, equal: Callable[[str, str], bool]) -> bool | None:
    """Compare two tidied answers, one with colons; ``None`` if neither has any. ``equal`` compares terms."""
    if max(len(gold), len(stated)) > _MAX_COLON:
        return None
    if not (is_colon(gold) or is_colon(stated) or _half(gold) or _half(stated)):
        return None
    a, b = _bare(gold), _bare(stated)
    at_day = _time(a, b)
    if at_day is not None and not (ratio and not (_half(a) or _half(b))):
        return at_day
    x, y = _terms(a), _terms(b)
    if ratio and _proportional(x or [a], y or [b], equal):
        return True
    if x is None or y is None:
        return False
    return len(x) == len(y) and all(equal(s, t) for s, t in zip(x, y, strict=True))


def _bare(text: str) -> str:
    return text if len(text) > _MAX_COLON else _LABEL.sub("", text.strip(), count=1).strip()


def _half(text: str) -> bool:
    m = _CLOCK.fullmatch(_bare(text)) if len(text) <= _MAX_COLON else None
    return m is not None and m[4] is not None


def _time(a: str, b: str) -> bool | None:
    """Compare two times of day. A time without a.m. or p.m. may mean either, but 19:45 means the evening."""
    x, y = _CLOCK.fullmatch(a), _CLOCK.fullmatch(b)
    if x is None or y is None or not (all(m[2] or m[4] for m in (x, y)) or x[4] or y[4]):
        return None
    if x[4] and y[4] and x[4].lower() != y[4].lower():
        return False
    minutes = [(int(m[1]) * 60 + int(m[2] or 0), int(m[3] or 0)) for m in (x, y)]
    if minutes[0] == minutes[1]:
        return True
    if bool(x[4]) == bool(y[4]):
        return False
    half, full = ((x, minutes[1]), (y, minutes[0]))[0 if x[4] else 1]
    hour = int(half[1]) % 12 + (12 if half[4].lower() == "p" else 0)
    return (hour * 60 + int(half[2] or 0), int(half[3] or 0)) == full


def _terms(text: str) -> list[str] | None:
    if m := _TO.fullmatch(text):
        return [m[1], m[2]]
    return [t.strip() for t in text.split(":")] if _RATIO.fullmatch(text) else None


def _proportional(a: list[str], b: list[str], equal: Callable[[str, str], bool]) -> bool:
    """Say whether two ratios are equal. A single term is a fraction. ``equal`` compares quotients of roots."""
    x, y = [evaluate(t) for t in a], [evaluate(t) for t in b]
    left, right = [v for v in x if v is not None], [v for v in y if v is not None]
    if len(left) < len(x) or len(right) < len(y):
        if {len(a), len(b)} <= {1, 2} and any("sqrt" in t for t in (*a, *b)):
            return equal(*(t[0] if len(t) == 1 else rf"\frac{{{t[0]}}}{{{t[1]}}}" for t in (a, b)))
        return False
    if {len(left), len(right)} == {1, 2}:
        left, right = (v if len(v) == 2 else [v[0], Fraction(1)] for v in (left, right))
    if len(left) != len(right) or len(left) < 2 or 0 in (left[-1], right[-1]):
        return False
    return all(v / left[-1] == w / right[-1] for v, w in zip(left, right, strict=True))
