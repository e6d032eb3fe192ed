r"""Equality of two answers: exact if possible, otherwise computer algebra in a process that can be killed.

Conventions: equal values in different forms are equal (fraction, decimal, mixed number, reordered sum), rounded ones
are not. Integers compare exactly. Tuples keep their order, sets and bare lists do not. For units and percent signs see
``quantity``.
"""

from __future__ import annotations

import re

from sei.grading.colons import same_colon
from sei.grading.notation import same_base, same_compound
from sei.grading.plain import plain_number
from sei.grading.quantity import SUM, formula_without_unit, quantity, same_quantity, written_out
from sei.grading.relations import REALS, VARIABLES, as_interval, relates, variable_of
from sei.grading.sandbox import LimitError, NoAlgebraError, UnreadableError, ask
from sei.grading.structure import parse, same
from sei.grading.text import MAX_ANSWER, balanced, has_groups, squeezed, tidy

_MAX_FORMULA = 600  # maximum number of characters for computer algebra
_UNIT_POWER = r"(?:\s*\^\s*\{?[23]\}?)?"
_LETTER_UNIT = re.compile(rf"(.*[\d)}}]|.*\\pi)\s*[mgshlLKNJWVACF]{_UNIT_POWER}", re.DOTALL)  # "5m", "36m^2"
_UNIT_OF_GOLD = re.compile(  # s, h and l may be lengths in a formula
    rf"(.*[\d)}}]|.*\\pi)\s+[mgLNJWV]{_UNIT_POWER}|(-?[\d.,]*\d)[mgshlLKNJWVA]", re.DOTALL
)
_CONSTANT = re.compile(r"(?<![\\a-zA-Z])[cC](?![a-zA-Z])")
_NAMED = re.compile(r"\s*([a-zA-Z](?:_\{?\w+\}?)?)\s*=(?!=)")
_COORDINATE = re.compile(r"\s*([xyz])\s*=.*", re.DOTALL)
_WORDY = re.compile(r"[A-Za-z][A-Za-z'-]*")
_FUNCTION = re.compile(r"\s*[a-zA-Z](?:_\{?\w+\}?)?(?:\^\{?-1\}?|'+)?\s*\([^()=]{1,30}\)\s*")
_VARIABLE = re.compile(r"(?<![\\a-zA-Z])(?![ei](?![a-zA-Z]))[a-zA-Z](?![a-zA-Z])")
_LETTER = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]")
_ENDLESS = re.compile(r"\\(?:sum|prod|int|lim|bigcup|bigcap)(?![a-z])")  # evaluation may exceed any limit
_NOTHING = re.compile(r"\\emptyset\s*|(?:there (?:is|are) )?no (?:real )?solutions?", re.IGNORECASE)
_ARTICLE = re.compile(r"^\s*(?:the|a|an)\s+", re.IGNORECASE)
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_FORMULA_WORDS = frozenset("sqrt sinh cosh tanh arcsin arccos arctan infty infinity matrix".split())


def equal(gold: str, stated: str, *, seconds: float, ratio: bool = False) -> bool:
    """Say whether a stated answer equals the gold answer; with ``ratio``, equal ratios are equal.

    Raises:
        UnreadableError: if the stated answer is broken, too long, or cannot be read within the limits.
        LimitError: if a limit was reached for another reason.
    """
    if len(stated) > MAX_ANSWER:
        raise UnreadableError(f"an answer of {len(stated)} characters")
    if plain_number(gold) is not None and plain_number(stated) is not None:
        return same_numbers(gold, stated)
    a, b = tidy(gold), tidy(stated)
    if squeezed(a) == squeezed(b) and b:
        return True
    if not b or not balanced(b):
        raise UnreadableError("empty or unbalanced")
    if _either_way(a, b, seconds, ratio):
        return True
    return (has_groups(gold) or has_groups(stated)) and _either_way(
        tidy(gold, group=False), tidy(stated, group=False), seconds, ratio
    )


def same_numbers(gold: str, stated: str) -> bool:
    """Compare two bare numbers exactly. A decimal of 12 digits or more may be the other number written out."""
    x, y = plain_number(gold), plain_number(stated)
    if x is None or y is None or x == y:
        return x is not None and x == y
    return written_out(stated, x) or written_out(gold, y)


def _either_way(a: str, b: str, seconds: float, ratio: bool) -> bool:
    parts = _exact_and_rounded(b)
    return any(_same(left, right, seconds, ratio) for left in _exact_and_rounded(a) for right in parts)


def _exact_and_rounded(text: str) -> list[str]:
    r"""Return the texts left and right of ``\approx``; either may be the requested answer."""
    pieces = [p.strip() for p in re.split(r"\\approx(?![a-z])|\\simeq|\\doteq|^\\sim(?![a-z])", text) if p.strip()]
    if len(pieces) < 2:
        return pieces or [text]
    name = re.match(rf"{VARIABLES}$", pieces[0])
    return pieces[1:] if name else pieces


def _same(gold: str, stated: str, seconds: float, ratio: bool) -> bool:
    if REALS.fullmatch(gold) and REALS.fullmatch(stated):
        return True
    if _NOTHING.fullmatch(gold) and _NOTHING.fullmatch(stated):
        return True
    compound = same_compound(gold, stated)
    if compound is not None:
        return compound
    a, b = parse(gold), parse(stated)
    if a.kind != b.kind or a.kind in ("leaf", "list"):
        x, y = variable_of(gold), variable_of(stated)
        if x and y and x != y:
            return False  # an inequality in another variable
        left, right = as_interval(a), as_interval(b)
        if left.kind in ("tuple", "union") or right.kind in ("tuple", "union"):
            a, b = left, right

    def leaf(x: str, y: str) -> bool:
        return same_leaf(x, y, seconds, ratio)

    if a.kind == "list" and b.kind == "leaf" and quantity(b.text) is not None and quantity(gold) is not None:
        return leaf(gold, stated)
    return same(a, b, leaf)


def same_leaf(gold: str, stated: str, seconds: float, ratio: bool = False) -> bool:
    """Compare two plain values, words or formulas."""
    if squeezed(gold) == squeezed(stated):
        return True
    decided = _by_notation(gold, stated, seconds, ratio)
    if decided is not None:
        return decided
    a, b = quantity(gold), quantity(stated)
    own = None if b is not None or _LETTER.search(gold) else _LETTER_UNIT.fullmatch(stated)
    if own and (SUM.search(gold) or not SUM.search(own[1])):
        return same_leaf(gold, own[1], seconds, ratio)  # the gold answer has no letter, so this one is a unit
    if a is None and not _LETTER.search(stated) and (own := _UNIT_OF_GOLD.fullmatch(gold)):
        return same_leaf(own[1] or own[2], stated, seconds, ratio)
    if a is not None and b is not None:
        if _other_coordinate(gold, stated):
            return False
        alike = a.percent == b.percent and (written_out(stated, a.value) or written_out(gold, b.value))
        return same_quantity(a, b) or alike
    if words(gold) or words(stated):
        return words(gold) == words(stated) or _same_letters(gold, stated)
    if relates(gold) != relates(stated):
        return False
    if "=" in gold + stated and ("=" in gold) != ("=" in stated):
        a_value, b_value = _value_of(gold), _value_of(stated)
        if (a_value, b_value) != (gold, stated):
            return same_leaf(a_value, b_value, seconds, ratio)
    bare = formula_without_unit(gold), formula_without_unit(stated)
    if bare != (gold, stated):
        return same_leaf(*bare, seconds, ratio)
    if _prose(gold):
        return squeezed(_ARTICLE.sub("", gold)).lower() == squeezed(_ARTICLE.sub("", stated)).lower()
    if _prose(stated, least=2) and not _LETTER.search(gold):
        return False  # a phrase, which computer algebra would read as a product of its letters
    return _by_algebra(gold, stated, seconds)


def _other_coordinate(gold: str, stated: str) -> bool:
    """Say whether two answers give values to different coordinates: ``x = 3`` and ``y = 3`` are two lines."""
    a, b = _COORDINATE.fullmatch(gold), _COORDINATE.fullmatch(stated)
    return a is not None and b is not None and a[1] != b[1]


def _same_letters(gold: str, stated: str) -> bool:
    """Say whether two answers are one product of neighbouring letters: ``xyz`` and ``zyx``, not ``tea`` and ``eat``."""
    letters = "".join(sorted(gold))
    return re.fullmatch(r"[a-z]{3,4}", gold) is not None and letters in _ALPHABET and letters == "".join(sorted(stated))


def _by_algebra(gold: str, stated: str, seconds: float) -> bool:
    """Compare two formulas by computer algebra, or as text if it cannot read the gold answer."""
    stated = _in_the_case_of(gold, stated)
    if not stated.strip() or not balanced(stated):
        raise UnreadableError("empty or unbalanced")
    if not _WORDY.search(stated) and not re.search(r"\d", stated):
        raise UnreadableError(f"{stated[:40]!r} is no expression")
    if max(len(gold), len(stated)) > _MAX_FORMULA:
        raise UnreadableError(f"a formula of {len(stated)} characters")
    try:
        return ask(gold, stated, seconds=seconds)
    except NoAlgebraError:
        if not gold.strip() or not balanced(gold):
            raise LimitError(f"gold answer {gold[:80]!r} cannot be read: its braces are unbalanced") from None
        return _as_text(gold) == _as_text(stated)
    except LimitError:
        if not _ENDLESS.search(gold + stated):
            raise
        return _as_text(gold) == _as_text(stated)


def _in_the_case_of(gold: str, stated: str) -> str:
    """Return a statement with the gold answer's case of the constant ``C`` and of the name before ``=``."""
    mine, other = (set(_CONSTANT.findall(x)) for x in (gold, stated))
    if len(mine) == len(other) == 1:
        stated = _CONSTANT.sub(mine.pop(), stated)
    a, b = _NAMED.match(gold), _NAMED.match(stated)
    if a and b and a[1] != b[1] and a[1].casefold() == b[1].casefold():
        stated = stated[: b.start(1)] + a[1] + stated[b.end(1) :]
    return stated


def _as_text(text: str) -> str:
    r"""Return a formula as text without products, spaces and braces around one sign: ``G_{k}``."""
    text = re.sub(r"\\(?:cdot|times)(?![a-z])|\*", "", text)
    return squeezed(re.sub(r"\{(\w)\}", r"\1", re.sub(r"\s+", "", text)))


def _value_of(text: str) -> str:
    """Return the text right of ``NAME =``; an equation with another left side stays whole."""
    left, _, right = text.rpartition("=")
    if not balanced(left):
        return text  # the limits of a sum
    plain = not re.search(r"\d|[-+*/^]|\\(?:frac|sqrt|cdot|times|le|ge|ne)(?![a-z])|[<>]", left)
    return right.strip() if left and right.strip() and (plain or _FUNCTION.fullmatch(left)) else text


def _prose(text: str, *, least: int = 1) -> bool:
    """Say whether an answer is a phrase with numbers, which can only be compared as text."""
    return sum(w not in _FORMULA_WORDS for w in re.findall(r"(?<![\\a-zA-Z])[A-Za-z]{4,}", text)) >= least


def speaks(text: str) -> bool:
    """Say whether a text is a sentence: at least three words of four letters or more, besides units and functions."""
    return _prose(text, least=3)


def _by_notation(gold: str, stated: str, seconds: float, ratio: bool) -> bool | None:
    """Compare numbers with a base, times of day and ratios; ``None`` if neither answer is one."""
    decided = same_base(gold, stated)
    if decided is not None:
        return decided
    return same_colon(gold, stated, ratio, lambda x, y: same_leaf(x, y, seconds))


def words(text: str) -> tuple[str, ...]:
    """Return the words of an answer in prose (``No solution``, ``Evelyn``); empty for other answers."""
    if re.search(r"[\d\\^=+*/<>{}|_]", text):
        return ()
    found = [w.lower().strip("'-") for w in _WORDY.findall(re.sub(r"\bcan not\b", "cannot", text))]
    pieces = [p for w in found for p in re.split(r"['-]", w)]  # "ad-bc" is a formula
    long = [p for p in pieces if len(p) > 2 and re.search(r"[aeiouy]", p)]
    if not long and not set(found) & {"no", "yes", "dne"}:
        return ()
    if found == ["dne"]:
        return ("does", "not", "exist")
    return tuple(w for w in found if w not in ("the", "a", "an"))
