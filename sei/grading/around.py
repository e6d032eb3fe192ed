r"""What stands directly around a number in plain text and makes it a part of an answer, not the answer.

``2√3``, ``(n+1)/2`` and ``e^2`` are formulas, ``x = 3 or x = 4`` and ``±4`` are two values, and
``2 hours 30 minutes`` is one duration. ``1 200`` is one number, and in "in room 1 200 people" it is two.
"""

from __future__ import annotations

import re

from sei.grading.notation import UNITS

_FUNCTION = r"(?:sqrt|cbrt|arc(?:sin|cos|tan)|sin|cos|tan|cot|sec|csc|ln|log|exp)"
_BEFORE = re.compile(
    rf"(?:(?:√|\\sqrt)\s?[({{]?|\^\s?[({{]?-?|(?:π|\\pi)\s?/\s?|(?<![A-Za-z\d]){_FUNCTION}(?:\s?\(|\s)\s?-?"
    r"|\([^()\s]*[A-Za-z][^()\s]*\)\s?[/*^·]\s?"  # "(n+1)/2"
    r"|(?<![A-Za-z\d'’$\\])(?:[A-Za-z][+*/^×·]|[a-z]-|[b-hj-z]\s[-+*/×·]\s)\(?)$"  # "n+2", and not "a - 5" or "B-12"
)
_AFTER = re.compile(
    rf"\s?(?:√|\\sqrt)|\s?(?:π|\\pi)(?![A-Za-z])|\s?\^\s?[\w({{-]|\s?[-+*/]\s?(?:√|\\sqrt|{_FUNCTION}\s?\()"
    r"|\s?[+*×·]\s?[b-hj-zB-HJ-Z](?![A-Za-z])|\s?[abcknpqrtuvwxyz]\s?\^"
)
_LEFT = re.compile(rf"(?:{_FUNCTION}\s|[A-Za-z]\s[-+*/×·]\s)?[\w√π^()+*/×·.{{}}\\-]*$")
_RIGHT = re.compile(r"(?:\s?\\(?:pi|sqrt)(?![A-Za-z]))?[\w√π^()+*/×·.{}\\-]*(?:\s[-+*/×·]\s[\w√π^()+*/×·.{}\\-]+)*")
_AND_A_HALF = re.compile(
    r"\s+and\s+(?:a|one)[\s-](half|third|quarter)\b(?!\s+(?:of|person|is|in|at|on|back|are|one|more)\b)", re.IGNORECASE
)  # "2 and a half hours"
_SHARES = {"half": "1/2", "third": "1/3", "quarter": "1/4"}
_NEAR = 60  # characters on each side that are looked at
_NUMBER = r"[-−]?\$?\d[\d,]*(?:\.\d+)?(?:/\d+)?"
_OR = r"(?:or|oder|或|\\text\{\s*or\s*\})"
_TWO_VALUES = re.compile(  # of one variable; "5x = 180 or x = 36" has one
    rf"(?<![\w)}}+*/^-])(?P<name>[a-zA-Z])\s*=\s*(?P<one>{_NUMBER})"
    rf"(?:\$?,?\s*{_OR}\s*\$?\s*(?P=name)\s*=|\s+{_OR})\s*(?P<two>{_NUMBER})(?![\w.]*\d)"
    rf"|^\W*(?P<left>{_NUMBER})\s+{_OR}\s+(?P<right>{_NUMBER})\W*$"
    rf"|\b[Ee]ither\s+\$?(?P<first>{_NUMBER})\$?\s+{_OR}\s+\$?(?P<second>{_NUMBER})(?![\w.]*\d)"
)
_UNIT_POWER = re.compile(r"(?:[A-Za-z]{2,}|\d\s*[msgh])\s?\}?\s?\^\s?\{?$")  # "30 cm^2", and not "e^2" or "3x^2"
_IN_BASE = re.compile(r"\d\s*(?:,?\s*in|\(\s*(?:in)?)\s*base[\s-]*\$?\d?$")
_PLUS_MINUS = re.compile(r"(?:\\pm(?![a-zA-Z])|±|\+/-)\s*$")
_SMALLER = (
    "week day",
    "day hour",
    "hour minute",
    "minute second",
    "foot inch",
    "pound ounce",
    "year month",
    "dollar cent",
)
_PAIRS = [[f"(?:{UNITS[name]})" for name in pair.split()] for pair in _SMALLER]  # the larger and the smaller unit
_COMPOUND = re.compile(
    "|".join(rf"\d[\d.,]*\s*{large}\s*(?:,|,?\s*and)?\s*\d[\d.,]*\s*{small}(?![a-z])" for large, small in _PAIRS)
    + r"|\d+\s*(?:R|r|remainder|rem\.?)\s*\d+"
)
_BLANKS = re.compile(r"(?<![\w.,/^])(?<!\d )\d{1,3}(?:[ \u00a0\u202f~]\d{3})+(?:\.\d+)?(?![\w/^])(?! \d)")  # "1 200"
_COUNTS = re.compile(  # words that a number names one of: "in room 1 200 people sit"
    r"(?:room|step|day|week|month|year|hour|grade|class|number|no\.?|part|case|page|line|row|level|chapter|question"
    r"|problem|exercise|option|group|team|floor|bus|lane|phase|round|stage|shop|store|box|bag|plan|type|person|player"
    r"|january|february|march|april|may|june|july|august|september|october|november|december|#)\s?$",
    re.IGNORECASE,
)


def two_values(text: str, at: int | None = None) -> str | None:
    """Return both values if a text leaves two open: ``x = 3 or x = 4``. ``at``: one of them stands there."""
    begin = 0 if at is None else max(0, at - _NEAR)
    near = text[begin:]
    for found in _TWO_VALUES.finditer(near):
        if at is None or found.start() <= at - begin < found.end():
            return ", ".join(v for v in list(found.groupdict().values())[1:] if v)
    return None


def is_power_of_unit(text: str, m: re.Match[str]) -> bool:
    """Say whether a number is the exponent of a unit, as in ``30 cm^2``."""
    return "^" in text and _UNIT_POWER.search(text[max(0, m.start() - _NEAR) : m.start()]) is not None


def is_base(text: str, m: re.Match[str]) -> bool:
    """Say whether a number is the base of another, as in ``1011 in base 2``; "has base 2" is a length."""
    return "base" in text and _IN_BASE.search(text[max(0, m.start() - _NEAR) : m.start() + 1]) is not None


def whole_of(text: str, m: re.Match[str]) -> str | None:
    """Return the answer that a number is a part of, or ``None`` if it stands alone. ``m``: a match of ``NUMBER``."""
    digits = m.end("sign") if m["sign"] else m.start() + len(m[0]) - len(m[0].lstrip())
    before, after = text[max(0, digits - _NEAR) : digits], text[m.end() : m.end() + _NEAR]
    if _PLUS_MINUS.search(before):
        return f"\\pm {text[digits : m.end()].strip()}"
    for compound in _COMPOUND.finditer(text, max(0, m.start() - _NEAR), m.end() + _NEAR):
        if compound.start() <= digits < compound.end():
            return compound.group()
    for blanks in _BLANKS.finditer(text, max(0, m.start() - _NEAR), m.end() + _NEAR):
        if blanks.start() <= digits < blanks.end():
            return None if _COUNTS.search(text[max(0, blanks.start() - _NEAR) : blanks.start()]) else blanks.group()
    if half := _AND_A_HALF.match(after):
        return f"{text[digits : m.end()].strip()} {_SHARES[half[1].lower()]}"
    if _BEFORE.search(before) or _AFTER.match(after):
        left, right = _LEFT.search(before), _RIGHT.match(after)
        return f"{left[0] if left else ''}{text[digits : m.end()]}{right[0] if right else ''}".strip().rstrip(".")
    return None
