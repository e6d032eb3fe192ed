r"""Reads inequalities in one variable, set-builder notation and "all numbers except" as intervals.

``x \le 5``, ``5 \ge x`` and ``(-\infty,5]`` are the same answer; so are ``x \ne 2``, ``\mathbb{R} \setminus \{2\}`` and
``(-\infty,2) \cup (2,\infty)``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from sei.grading.quantity import quantity
from sei.grading.structure import Node, parse, split

_GREEK = (
    r"\\(?:alpha|beta|gamma|delta|(?:var)?epsilon|zeta|eta|(?:var)?theta|kappa|lambda|mu|nu|xi|rho|sigma|tau|(?:var)?phi"
    r"|chi|psi|omega)(?![a-zA-Z])"
)
VARIABLES = rf"(?:{_GREEK}|(?<!\\)[a-zA-Z])(?:_\{{?\w+\}}?)?"
_RELATION = r"<=|>=|<|>|\\le(?![a-z])|\\ge(?![a-z])"
_CHAIN = re.compile(rf"(.+?)\s*({_RELATION})\s*({VARIABLES})\s*({_RELATION})\s*(.+)")
_SIMPLE = re.compile(rf"({VARIABLES})\s*({_RELATION})\s*(.+)|(.+?)\s*({_RELATION})\s*({VARIABLES})")
_BUILDER = re.compile(
    rf"\s*\\lbrace\s*{VARIABLES}(?:\s*\\in\s*\\mathbb\s*\{{?R\}}?)?\s*[|:]\s*(.+?)\\rbrace\s*", re.DOTALL
)
_BOTH = re.compile(r"\band\b|\\(?:land|wedge)(?![a-z])")
_ANY = re.compile(rf"{_RELATION}|\\ne(?![a-z])")
_UNEQUAL = re.compile(rf"({VARIABLES})\s*\\ne(?![a-z])\s*(.+)|(.+?)\s*\\ne(?![a-z])\s*({VARIABLES})")
_BUT = re.compile(
    r"(?:all |the )?(?:set of )?(?:all )?real numbers?(?:\s*[a-z])?,?\s*"
    r"(?:except|other than|but not|but|excluding)(?: for)?\s+(.+)",
    re.IGNORECASE,
)
REALS = re.compile(
    r"\\mathbb\s*\{?R\}?|\\R\b|(?:the )?(?:set of )?(?:all )?real numbers?|\(-\\infty ?,\s*\\?infty ?\)",
    re.IGNORECASE,
)


def relates(text: str) -> bool:
    """Say whether an answer is an inequality or says that something is not equal."""
    return _ANY.search(text) is not None


def as_interval(node: Node) -> Node:
    """Turn inequalities in one variable, and "all numbers except", into intervals; other answers stay."""
    if node.kind == "difference":
        whole, points = node.parts
        if REALS.fullmatch(whole.text) and points.kind in ("set", "leaf", "list"):
            return _without([p.text for p in points.parts] or [points.text]) or node
        return node
    if node.kind == "leaf":
        if m := _BUILDER.fullmatch(node.text):
            return as_interval(parse(m[1]))
        if m := _BUT.fullmatch(node.text):
            return _without(split(m[1], (",", ";", " and ", " or "))) or node
        return _from_text(node.text) or node
    if node.kind == "list":
        excluded = [_excluded(p.text) for p in node.parts]
        if excluded[0] is not None and all(excluded):
            return _without([p for p in excluded if p is not None]) or node
        if excluded[0] is not None and all(quantity(p.text) is not None for p in node.parts[1:]):
            return _without([excluded[0], *(p.text for p in node.parts[1:])]) or node  # "x \ne 1, 2"
        parts = [interval_of(p.text) for p in node.parts]
        if len(parts) == 2 and all(parts) and _BOTH.search(node.text):
            return parse(_between(*(p or "" for p in parts))) if _opposed(*(p or "" for p in parts)) else node
        if all(parts):
            return parse(r" \cup ".join(p for p in parts if p))
    return node


def _opposed(a: str, b: str) -> bool:
    """Say whether one of two intervals has no lower end and the other no upper end."""
    return a.startswith(r"(-\infty,") != b.startswith(r"(-\infty,") and a.endswith(r",\infty)") != b.endswith(
        r",\infty)"
    )


def _between(a: str, b: str) -> str:
    """Return the intersection of two such intervals."""
    lower, upper = (b, a) if a.startswith(r"(-\infty,") else (a, b)
    return lower.removesuffix(r"\infty)") + upper.removeprefix(r"(-\infty,")


def _from_text(text: str) -> Node | None:
    written = interval_of(text)
    if written:
        return parse(written)
    point = _excluded(text)
    return _without([point]) if point is not None else None


def _excluded(text: str) -> str | None:
    m = _UNEQUAL.fullmatch(text.strip())
    return None if m is None else (m[2] or m[3])


def _without(points: Sequence[str]) -> Node | None:
    """Return all real numbers except some as a union of intervals, if the numbers can be ordered."""
    bare = [re.sub(rf"^\s*(?:{VARIABLES})\s*=\s*", "", p).strip() for p in points]
    values = [quantity(p) for p in bare]
    known = [(v.value, p) for v, p in zip(values, bare, strict=True) if v is not None]
    if len(known) < len(bare):
        return None if len(bare) > 1 else parse(rf"(-\infty,{bare[0]}) \cup ({bare[0]},\infty)")
    ends = [r"-\infty", *(p for _, p in sorted(known)), r"\infty"]
    return parse(r" \cup ".join(f"({a},{b})" for a, b in pairwise(ends)))


def variable_of(text: str) -> str | None:
    """Return the variable of an inequality or a set-builder, or ``None``."""
    for pattern, groups in ((_CHAIN, (3,)), (_SIMPLE, (1, 6)), (_UNEQUAL, (1, 4))):
        m = pattern.fullmatch(text.strip())
        if m is not None:
            return next(m[g] for g in groups if m[g])
    return None


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
    if relates(bound) or "," in bound:
        return None
    less = "<" in relation or "le" in relation
    closed_end = "=" in relation or "\\" in relation
    if less == upper:
        return rf"(-\infty,{bound}{']' if closed_end else ')'}"
    return rf"{'[' if closed_end else '('}{bound},\infty)"
