r"""Quantities: an exact number with an optional unit, currency or percent sign.

Convention: a unit, currency or degree sign does not make a right number wrong, nor does a missing one. ``60%`` equals
``60`` and ``0.6``: the sign may be missing on one side, but two signs must agree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from sei.grading.arithmetic import evaluate
from sei.grading.plain import plain_number

_SHORT_UNITS = frozenset(
    "m g s h l L K N J W V A C F Pa Hz kg mg cm mm km nm dm ft in yd mi lb lbs oz hr hrs min mins sec secs ml mL "
    "kmh kph mph kW MW cc sq cu pts pt yr yrs rpm am pm AM PM kJ cal kcal eV mol rad deg units unit ha gal rs Rs "
    "USD EUR GBP cents cent dollars dollar euro euros pounds percent inches inch feet foot hours hour days day "
    "th st nd rd um us ug uL uF uC ms ns ps ohm kohm Mohm kN mN kPa MPa GPa mA kV mV kHz MHz GHz kWh dB bar".split()
)
_ATTACHED_UNITS = frozenset(
    "kg mg cm mm km nm dm ft lb lbs oz hr hrs min mins sec ml mL kmh kph mph kW pts am pm AM PM "
    "dollars cents percent th st nd rd inches feet degrees hours days USD".split()
)
_WORD = r"[A-Za-z][A-Za-z'-]*\.?"
_UNIT_TAIL = re.compile(
    rf"(?P<body>.*?[\d)}}])(?P<gap>\s*)(?P<unit>{_WORD}(?:\s*[/\s*^]\s*(?:{_WORD}|\{{?-?\d\}}?|\(\w+\)))*)\s*$",
    re.DOTALL,
)
_SINGLE = r"(?:[mgshlLKNJWVA]|[kcmn]m|kg|mg|ft|lbs?|mi|min|hr|sec|rad|mol)"
_RATE = re.compile(  # "10\\sqrt{2} m/s", "5\\pi miles per hour", "2\\sqrt{3}cm"
    rf"(.*(?:[\d)}}]|\\pi|\\ln \d))\s*"
    rf"(?:{_SINGLE}\s*/\s*{_SINGLE}(?:\s*\^\s*\{{?\d\}}?)?|[a-z]{{4,}} per [a-z]+|(?:[kc]m|kg|ft|lb))",
    re.DOTALL,
)
SUM = re.compile(r"[\d)}]\s*[-+]\s*[\d\\(]")
_COMPOUND = re.compile(r"\d\s*[A-Za-z]+\s+\d+\s*[A-Za-z]{2}|\d\s*(?:remainder|R)\s*\d")  # "5 feet 6 inches"
_NAME = re.compile(
    r"^\s*(?!lambda\b)(?:[A-Za-z][A-Za-z' ]*|\\?[a-zA-Z]+(?:_(?:\w+|\{\w+\}))?(?:\([^()=]{1,30}\))?)\s*(?:=|:)\s*(?=\S)"
)
_CURRENCY = re.compile(r"^\s*(?:USD|EUR|GBP|CAD|AUD|Rs\.?)(?=\s*-?[\d.])")
_MAGNITUDES = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
_NOT_UNITS = (
    frozenset(
        "sqrt pi sin cos tan cot sec csc log ln exp frac times cdot or and pm infty inf cup cap in le ge ne not "
        "text undefined none is are to from".split()
    )
    | _MAGNITUDES.keys()
)
_AFTERTHOUGHT = re.compile(  # "64, altogether"
    r"(?<=[\d}%)])\s*(?:,|\s-|\s--)\s*(?!and\b|or\b|not\b|but\b)[A-Za-z][A-Za-z' ]*$"
)
_REMARK = re.compile(r"(?<=[\d}%a-z])\s+\((?!\s*mod)[A-Za-z][A-Za-z ,'-]{2,60}\)$")  # "7 (seven)"
_LONG_DECIMAL = re.compile(r"-?(\d*)\.(\d+)")
_FLOAT_DIGITS = 15  # digits that a double-precision number keeps
_MAX_LONG = 300
_MANY_DIGITS = 12  # a decimal that agrees in this many digits is the exact value written out
_NUMBER_WORDS = {
    w: i
    for i, w in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen".split()
    )
} | {w: 10 * i for i, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """An exact value. ``percent``: it has a percent sign; the value is the number before it."""

    value: Fraction
    percent: bool = False


def quantity(text: str) -> Quantity | None:
    """Read a tidied answer as a number with or without unit; ``None`` for anything else."""
    value = plain_number(text)
    if value is not None:
        return Quantity(value=value)
    body = text.strip()
    named = _NAME.sub("", body, count=1)
    body = _REMARK.sub("", _AFTERTHOUGHT.sub("", _CURRENCY.sub("", named if named else body)))
    percent = False
    m = re.fullmatch(r"(.*?)\s*(?:%|\bper\s?cent(?:age)?(?:\s+points?)?)\s*(?:[a-zA-Z ]{0,40})", body, re.DOTALL)
    if m is not None and m[1].strip():
        body, percent = m[1].strip(), True
    value = evaluate(_sided(body))
    if value is None and "ldots" in body:
        value = _going_on(body)
    if value is None:
        value = _million(body)
    if value is None and not percent:
        value = evaluate(_sided(without_unit(body)))
    if value is None:
        value = number_words(body)
    return None if value is None else Quantity(value=value, percent=percent)


def same_quantity(a: Quantity, b: Quantity) -> bool:
    """Compare exactly; next to a share (a bare value up to 1, or not whole), a percent sign may mean hundredths."""
    if a.value == b.value:
        return True
    if a.percent == b.percent:
        return False
    marked, bare = (a, b) if a.percent else (b, a)
    share = bare.value.denominator != 1 or abs(bare.value) <= 1
    return share and marked.value / 100 == bare.value


def written_out(text: str, exact: Fraction) -> bool:
    """Say whether a text is an exact value's decimal of 12 digits or more, rounded, cut off or as a float."""
    decimal = long_decimal(text)
    if decimal is None:
        return False
    value, unit, digits = decimal
    gap = abs(value - exact)
    cut_off = gap < unit and abs(value) <= abs(exact)
    return 2 * gap <= unit or cut_off or (digits > _FLOAT_DIGITS and gap * 10**_FLOAT_DIGITS <= abs(exact))


def long_decimal(text: str) -> tuple[Fraction, Fraction, int] | None:
    """Return value, unit of the last place and number of digits of a decimal with 12 digits or more."""
    m = _LONG_DECIMAL.fullmatch(text.strip()) if len(text) > _MANY_DIGITS else None
    digits = len((m[1] + m[2]).lstrip("0")) if m else 0
    if m is None or not _MANY_DIGITS <= digits <= _MAX_LONG:
        return None
    return Fraction(text.strip()), Fraction(1, 10 ** len(m[2])), digits


def without_unit(text: str) -> str:
    """Remove a trailing unit from a number: ``5 cm^2``, ``12 apples``, ``3 m/s``; other text stays.

    A second number with its own unit (``5 feet 6 inches``) and a remainder stay too.
    """
    text = re.sub(r"(?<=[A-Za-z])\s*(?:\\cdot(?![a-z])|\\times(?![a-z])|\*)\s*(?=[A-Za-z])", " ", text)  # N\cdot m
    m = None if _COMPOUND.search(text) else _UNIT_TAIL.fullmatch(text)
    if m is None:
        return text
    words = re.findall(r"[A-Za-z][A-Za-z'-]*", m["unit"])
    if any(w.lower() in _NOT_UNITS for w in words) or (len(words[0]) == 1 and SUM.search(m["body"])):
        return text  # "15 + 2 h" is a formula
    if m["gap"]:
        fine = all(w in _SHORT_UNITS or len(w) > 2 for w in words) or _measured(m["unit"])
    else:
        fine = words[0] in _ATTACHED_UNITS or (len(words[0]) > 3 and words[0].isalpha())
    return m["body"] if fine else text


def formula_without_unit(text: str) -> str:
    r"""Remove a trailing unit of two letters or more from a formula: ``100\pi cm^2``, ``6\sqrt{2} units``."""
    if m := _RATE.fullmatch(text):
        return m[1]
    m = re.fullmatch(
        rf"(.*\S)\s+((?:sq(?:uare)?|cubic)\s+)?({_WORD})(?:\s*\^\s*\{{?\d\}}?|\s*/\s*{_WORD})?", text, re.DOTALL
    )
    if m is None or m[1].endswith(("\\", "=", "+", "-", "*", "/", "^")):
        return text
    known = m[3] in _SHORT_UNITS and len(m[3]) > 1
    return m[1] if known or (len(m[3]) > 3 and m[3].lower() not in _NOT_UNITS) else text


def _measured(unit: str) -> bool:
    """Say whether the first word is a known unit and the others are short: ``m of rope``."""
    words = re.findall(r"[A-Za-z][A-Za-z'-]*", unit)
    return words[0] in _SHORT_UNITS or (len(words) > 1 and any(len(w) > 3 for w in words))


def _sided(text: str) -> str:
    """Keep only the right side of a numeric equation: ``3+4=7``."""
    if "=" in text and not re.search(r"[<>]|\\(?:le|ge|ne)\b", text):
        last = text.rsplit("=", 1)[1].strip()
        left = text.rsplit("=", 1)[0]
        if not re.search(r"[A-Za-z]", re.sub(r"\\(?:frac|times|cdot|div|d?binom|choose)", "", left)):
            return last
    return text


def _going_on(text: str) -> Fraction | None:
    """Read a decimal whose last digits repeat: ``0.3636...``, ``0.1666...``."""
    m = re.fullmatch(r"(-?)(\d{0,20})\.(\d{0,12}?)(\d{1,6}?)(\4)+\s*\\ldots\s*", text)
    if m is None:
        return None
    shift = 10 ** len(m[3])
    value = Fraction(int(m[2] + m[3] or 0), shift) + Fraction(int(m[4]), (10 ** len(m[4]) - 1) * shift)
    return -value if m[1] else value


def _million(text: str) -> Fraction | None:
    m = re.fullmatch(rf"(-?[\d.]+)\s*({'|'.join(_MAGNITUDES)})(?:\s+[A-Za-z]+)*", text.strip(), re.IGNORECASE)
    value = evaluate(m[1]) if m else None
    return value * _MAGNITUDES[m[2].lower()] if m and value is not None else None


def number_words(text: str) -> Fraction | None:
    """Read a number in words such as ``twenty-one`` or ``three hundred and five``, alone or before one noun."""
    words = re.findall(r"[a-z]+", text.lower())
    if not words or len(words) > 12 or re.search(r"[\d\\^=+*/(]", text) or words[0] not in _NUMBER_WORDS:
        return None
    total, current, used = 0, 0, 0
    for w in words:
        if w in _NUMBER_WORDS:
            current += _NUMBER_WORDS[w]
        elif w in _MAGNITUDES and current:
            if w == "hundred":
                current *= 100
            else:
                total, current = total + current * _MAGNITUDES[w], 0
        elif w != "and":
            break
        used += 1
    return Fraction(total + current) if len(words) - used <= 1 else None
