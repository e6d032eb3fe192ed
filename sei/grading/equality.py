r"""Equality of two answers: exact where it can be, computer algebra in a killable process where it must be.

Conventions: equal values in another form are equal (fraction, decimal, mixed number, reordered sum), rounded
ones are not; integers compare exactly; tuples keep their order, sets and bare lists do not; see
``quantity`` for units and percent signs.
"""

from __future__ import annotations

import re

from sei.grading.plain import plain_number
from sei.grading.quantity import formula_without_unit, quantity, same_quantity
from sei.grading.sandbox import UnreadableError, ask
from sei.grading.structure import Node, parse, same
from sei.grading.text import MAX_ANSWER, balanced, has_groups, squeezed, tidy

_MAX_FORMULA = 600  # characters that computer algebra is asked about
_BASED = re.compile(r"\s*\(?([0-9A-Fa-f]+)\)?\s*_\s*\{?\s*(\d+|ten|two)\s*\}?\s*")
_CLOCK = re.compile(r"\s*(\d{1,2}):(\d{2})\s*([ap])?\.?\s?m?\.?\s*", re.IGNORECASE)
_WORDY = re.compile(r"[A-Za-z][A-Za-z'-]*")
_VARIABLES = r"\\?[a-zA-Z](?:_\{?\w+\}?)?"
_RELATION = r"<|>|\\le(?![a-z])|\\ge(?![a-z])|<=|>="
_CHAIN = re.compile(rf"(.+?)\s*({_RELATION})\s*({_VARIABLES})\s*({_RELATION})\s*(.+)")
_SIMPLE = re.compile(rf"({_VARIABLES})\s*({_RELATION})\s*(.+)|(.+?)\s*({_RELATION})\s*({_VARIABLES})")
_BUILDER = re.compile(
    rf"\s*\\lbrace\s*{_VARIABLES}(?:\s*\\in\s*\\mathbb\s*\{{?R\}}?)?\s*[|:]\s*(.+?)\\rbrace\s*", re.DOTALL
)
_FUNCTION = re.compile(r"\s*[a-zA-Z](?:_\{?\w+\}?)?(?:\^\{?-1\}?|'+)?\s*\([^()=]{1,30}\)\s*")
_ARTICLE = re.compile(r"^\s*(?:the|a|an)\s+", re.IGNORECASE)
_FORMULA_WORDS = frozenset("sqrt sinh cosh tanh arcsin arccos arctan infty infinity matrix".split())
_REALS = re.compile(r"\\mathbb\s*\{?R\}?|\\R\b|all real numbers|\(-\\infty ?,\\infty ?\)", re.IGNORECASE)


def equal(gold: str, stated: str, *, seconds: float) -> bool:
    """Say whether a stated answer equals the gold answer.

    Raises:
        UnreadableError: the stated answer is broken, too long, or cannot be read within the limits.
        LimitError: a limit was reached that is not the stated answer's fault.
    """
    if len(stated) > MAX_ANSWER:
        raise UnreadableError(f"an answer of {len(stated)} characters")
    x, y = plain_number(gold), plain_number(stated)
    if x is not None and y is not None:
        return x == y
    a, b = tidy(gold), tidy(stated)
    if squeezed(a) == squeezed(b) and b:
        return True
    if not b or not balanced(b):
        raise UnreadableError("empty or unbalanced")
    if _either_way(a, b, seconds):
        return True
    return (has_groups(gold) or has_groups(stated)) and _either_way(
        tidy(gold, group=False), tidy(stated, group=False), seconds
    )


def _either_way(a: str, b: str, seconds: float) -> bool:
    parts = _exact_and_rounded(b)
    return any(_same(left, right, seconds) for left in _exact_and_rounded(a) for right in parts)


def _exact_and_rounded(text: str) -> list[str]:
    r"""Return what stands left and right of ``\approx``; either may be what was asked for."""
    pieces = [p.strip() for p in re.split(r"\\approx(?![a-z])|\\simeq|\\doteq", text) if p.strip()]
    if len(pieces) < 2:
        return [text]
    name = re.match(rf"{_VARIABLES}$", pieces[0])
    return pieces[1:] if name else pieces


def _same(gold: str, stated: str, seconds: float) -> bool:
    a, b = parse(gold), parse(stated)
    if {a.kind, b.kind} & {"tuple", "union"} and a.kind != b.kind:
        a, b = _as_interval(a), _as_interval(b)
    if _REALS.fullmatch(a.text) and _REALS.fullmatch(b.text):
        return True

    def leaf(x: str, y: str) -> bool:
        return same_leaf(x, y, seconds)

    if a.kind == "list" and b.kind == "leaf" and quantity(b.text) is not None and quantity(gold) is not None:
        return leaf(gold, stated)
    return same(a, b, leaf)


def _as_interval(node: Node) -> Node:
    """Turn inequalities in one variable into intervals: ``1 < x``, ``x < 1 or x > 2``."""
    if node.kind == "leaf" and (m := _BUILDER.fullmatch(node.text)):
        return _as_interval(parse(m[1]))
    if node.kind == "leaf":
        written = interval_of(node.text)
        return parse(written) if written else node
    if node.kind == "list":
        written_parts = [interval_of(p.text) for p in node.parts]
        if all(written_parts):
            return parse(r" \cup ".join(w for w in written_parts if w))
    return node


def interval_of(text: str) -> str | None:
    r"""Return an inequality in one variable as an interval: ``x \ge 2`` becomes ``[2,\infty)``."""
    m = _CHAIN.fullmatch(text.strip())
    if m:
        if ("<" in m[2] or "le" in m[2]) != ("<" in m[4] or "le" in m[4]):
            return None
        closed = [("=" in s or "\\" in s) for s in (m[2], m[4])]
        ends = [m[1], m[5]]
        if ">" in m[2] or "ge" in m[2]:
            ends, closed = ends[::-1], closed[::-1]
        return f"{'[' if closed[0] else '('}{ends[0]},{ends[1]}{']' if closed[1] else ')'}"
    m = _SIMPLE.fullmatch(text.strip())
    if m is None:
        return None
    bound, relation, upper = (m[3], m[2], True) if m[1] else (m[4], m[5], False)
    if re.search(_RELATION, bound) or "," in bound:
        return None
    less = "<" in relation or "le" in relation
    closed_end = "=" in relation or "\\" in relation
    if less == upper:
        return rf"(-\infty,{bound}{']' if closed_end else ')'}"
    return rf"{'[' if closed_end else '('}{bound},\infty)"


def same_leaf(gold: str, stated: str, seconds: float) -> bool:
    """Compare two plain values, words or formulas."""
    if squeezed(gold) == squeezed(stated):
        return True
    a, b = quantity(gold), quantity(stated)
    if a is not None and b is not None:
        return same_quantity(a, b)
    decided = _by_notation(gold, stated)
    if decided is not None:
        return decided
    if words(gold) or words(stated):
        return words(gold) == words(stated)
    if "=" in gold + stated and ("=" in gold) != ("=" in stated):
        a_value, b_value = _value_of(gold), _value_of(stated)
        if (a_value, b_value) != (gold, stated):
            return same_leaf(a_value, b_value, seconds)
    bare = formula_without_unit(gold), formula_without_unit(stated)
    if bare != (gold, stated):
        return same_leaf(*bare, seconds)
    if _prose(gold):
        return squeezed(_ARTICLE.sub("", gold)).lower() == squeezed(_ARTICLE.sub("", stated)).lower()
    if not stated.strip() or not balanced(stated):
        raise UnreadableError("empty or unbalanced")
    if not _WORDY.search(stated) and not re.search(r"\d", stated):
        raise UnreadableError(f"{stated[:40]!r} is no expression")
    if max(len(gold), len(stated)) > _MAX_FORMULA:
        raise UnreadableError(f"a formula of {len(stated)} characters")
    return ask(gold, stated, seconds=seconds)


def _value_of(text: str) -> str:
    """Return what stands right of ``NAME =``; an equation whose left side is no name stays whole."""
    left, _, right = text.rpartition("=")
    plain = not re.search(r"\d|[-+*/^]|\\(?:frac|sqrt|cdot|times|le|ge|ne)(?![a-z])|[<>]", left)
    return right.strip() if left and right.strip() and (plain or _FUNCTION.fullmatch(left)) else text


def _prose(text: str) -> bool:
    """Say whether an answer is a phrase with numbers in it: only its text can be compared."""
    return any(w not in _FORMULA_WORDS for w in re.findall(r"(?<![\\a-zA-Z])[A-Za-z]{4,}", text))


def _by_notation(gold: str, stated: str) -> bool | None:
    """Decide on numbers with a base, and times of day; ``None`` where neither is at hand."""
    a, b = _BASED.fullmatch(gold), _BASED.fullmatch(stated)
    if a or b:
        digits = [m[1] if m else re.sub(r"\D", "", s) for m, s in ((a, gold), (b, stated))]
        if a and b:
            return digits[0].lower() == digits[1].lower() and a[2] == b[2]
        return bool(quantity(stated) or quantity(gold)) and digits[0].lower() == digits[1].lower()
    x, y = _CLOCK.fullmatch(gold), _CLOCK.fullmatch(stated)
    if x and y and (x[3] or y[3]):
        half = (x[3] or y[3]).lower() == (y[3] or x[3]).lower()
        return half and (int(x[1]), x[2]) == (int(y[1]), y[2])
    if (x and x[3]) or (y and y[3]):
        return False  # a time of day is nothing else
    return None


def words(text: str) -> tuple[str, ...]:
    """Return the words of an answer that is prose (``No solution``, ``Evelyn``), else nothing."""
    if re.search(r"[\d\\^=+*/<>{}|_]", text):
        return ()
    found = [w.lower().strip("'-") for w in _WORDY.findall(text)]
    long = [w for w in found if len(w) > 2 and re.search(r"[aeiouy]", w)]
    if not long and not set(found) & {"no", "yes"}:
        return ()
    return tuple(w for w in found if w not in ("the", "a", "an"))
