r"""The structure of an answer: sets, tuples, intervals, lists, matrices, unions, and plain leaves.

``parse`` splits tidied text at its top level. ``same`` compares two such trees and calls a function for their leaves.
Tuples keep their order, sets and bare lists do not; brackets of intervals must agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["leaf", "set", "tuple", "list", "union", "difference", "matrix"]
Leaf = Callable[[str, str], bool]

_MAX_PARTS = 60
_MATRIX = re.compile(r"\s*\\begin\{(p|b|B|small)?(matrix|array)\}(?:\{[lcr| ]+\})?(.*)\\end\{\1?\2\}\s*", re.DOTALL)
_OPEN, _CLOSE = "([{", ")]}"
_MEMBER = re.compile(r"^\s*(?:\\[a-zA-Z]+|[a-zA-Z])(?:_\{?\w+\}?)?\s*\\in(?![a-zA-Z])\s*(?=\S)")
_NAMED = re.compile(
    r"^\s*(?:\\?[a-zA-Z]+(?:_(?:\w+|\{\w+\}))?(?:\([^()=]{1,30}\))?|\([a-zA-Z, ]+\)|"
    r"[A-Za-z][A-Za-z' ]*)\s*[=:]\s*(?=\S)"
)
_WITHOUT = re.compile(r"^\s*\\mathbb\s*\{?R\}?\s*-\s*(?=\\lbrace)")  # another spelling of a set difference
_COUNTED = re.compile(r"-?[\d.,]+\s+([A-Za-z]{2,})(?:\s[A-Za-z ]{1,40})?")
_ASSIGN = re.compile(r"\s*(\\?[a-zA-Z](?:_\{?\w+\}?)?)\s*=\s*(.+)", re.DOTALL)


@dataclass(frozen=True)
class Node:
    """A leaf (``text``) or a group of parts. ``brackets`` as written, such as ``(]``; matrices have rows as tuples."""

    kind: Kind
    text: str
    parts: tuple[Node, ...] = ()
    brackets: str = ""


def parse(text: str, *, depth: int = 0) -> Node:
    """Return the structure of a tidied answer."""
    text = _MEMBER.sub("", text).strip()
    if depth > 6:
        return Node("leaf", text)
    unnamed = _NAMED.sub("", text, count=1).strip()
    if unnamed and re.match(r"[(\[]|\\lbrace|\\begin|\{", unnamed):
        text = unnamed
    bracketed = re.fullmatch(r"[\[(]\s*(\\begin\{array\}.*\\end\{array\})\s*[\])]", text, re.DOTALL)
    if bracketed and bracketed[1].count(r"\begin") == 1:
        text = bracketed[1]
    if (m := _MATRIX.fullmatch(text)) is not None:
        rows = [r for r in re.split(r"\\\\(?:\[[^\]]*\])?", m[3].replace(r"\hline", "")) if r.strip()]
        return Node("matrix", text, tuple(_row(r, depth) for r in rows[:_MAX_PARTS]))
    if len(pieces := split(text, (r"\cup",))) > 1:
        return Node("union", text, tuple(parse(p, depth=depth + 1) for p in pieces))
    text = _WITHOUT.sub(r"\\mathbb{R} \\setminus ", text)
    if len(pieces := split(text, (r"\setminus",))) == 2:
        return Node("difference", text, tuple(parse(p, depth=depth + 1) for p in pieces))
    inner = _enclosed(text, r"\lbrace", r"\rbrace")
    if inner is None and text.startswith("{") and "," in text:
        inner = _enclosed(text, "{", "}")
    if inner is not None:
        if re.search(r"[|:]", inner) and re.search(r"[<>=]|\\(?:le|ge|in)", inner):
            return Node("leaf", text)  # set-builder notation
        return Node("set", text, _parts(inner, depth))
    for left in "([":
        for right in ")]":
            inner = _enclosed(text, left, right)
            if inner is not None and len(split(inner, (",", ";"))) > 1:
                return Node("tuple", text, _parts(inner, depth), left + right)
    if (
        len(pieces := split(text, (",", ";", r"\text{and}", " and ", " or ", r"\lor", r"\vee", r"\land", r"\wedge")))
        > 1
    ):
        return Node("list", text, _flat(parse(p, depth=depth + 1) for p in pieces[:_MAX_PARTS]))
    if text.count(r"\pm") == 1:
        return Node("list", text, tuple(Node("leaf", text.replace(r"\pm", sign).strip()) for sign in "+-"))
    return Node("leaf", text)


def _flat(parts: Iterable[Node]) -> tuple[Node, ...]:
    r"""Flatten lists inside a list: ``\pm 1, \pm 7`` has four parts."""
    return tuple(p for part in parts for p in (part.parts if part.kind == "list" else (part,)))


def _row(text: str, depth: int) -> Node:
    return Node("tuple", text, tuple(parse(c, depth=depth + 1) for c in text.split("&")[:_MAX_PARTS]))


def _parts(inner: str, depth: int) -> tuple[Node, ...]:
    return tuple(parse(p, depth=depth + 1) for p in split(inner, (",", ";"))[:_MAX_PARTS]) if inner.strip() else ()


def split(text: str, separators: Sequence[str]) -> list[str]:
    """Split at separators outside all brackets. Empty pieces are dropped after separators that may be repeated."""
    if not any(s in text for s in separators):
        return [text.strip()]
    out, start, level, i = [], 0, 0, 0
    while i < len(text):
        if text.startswith((r"\lbrace", r"\begin"), i):
            level += 1
        elif text.startswith((r"\rbrace", r"\end"), i):
            level -= 1
        elif text[i] in _OPEN:
            level += 1
        elif text[i] in _CLOSE:
            level -= 1
        found = next((s for s in separators if level <= 0 and text.startswith(s, i)), None)
        if found is not None:
            out.append(text[start:i])
            i += len(found)
            start = i
        else:
            i += 1
    out.append(text[start:])
    stripped = [p.strip() for p in out]
    return [p for p in stripped if p] if len(out) > 1 else stripped


def _enclosed(text: str, left: str, right: str) -> str | None:
    """Return the text between the opening bracket of a text and its partner, if that is the very end."""
    if not (text.startswith(left) and text.endswith(right)) or len(text) <= len(left) + len(right) - 1:
        return None
    inner = text[len(left) : -len(right)]
    level = 0
    for m in re.finditer(r"\\lbrace|\\rbrace|[()\[\]{}]", inner):
        level += 1 if m.group() in (*_OPEN, r"\lbrace") else -1
        if level < 0:
            return None
    return inner if level == 0 else None


def same(a: Node, b: Node, equal: Leaf) -> bool:
    """Say whether two answers are the same; ``equal`` compares leaves."""
    if a.kind == b.kind == "leaf":
        return equal(a.text, b.text)
    if a.kind == b.kind == "matrix":
        return _in_order(a.parts, b.parts, equal)
    if "matrix" in (a.kind, b.kind):
        left, right = (_column(n) if n.kind == "matrix" else n for n in (a, b))
        return (
            left.kind == right.kind == "tuple" and left.brackets == right.brackets == "()" and same(left, right, equal)
        )
    if "difference" in (a.kind, b.kind):
        return a.kind == b.kind and _in_order(a.parts, b.parts, equal)
    if "union" in (a.kind, b.kind):
        return a.kind == b.kind and _in_any_order(a.parts, b.parts, equal)
    if "tuple" in (a.kind, b.kind):
        if a.kind == b.kind:
            return a.brackets == b.brackets and _in_order(a.parts, b.parts, equal)
        other = b if a.kind == "tuple" else a
        mine = a if a.kind == "tuple" else b
        return other.kind == "list" and _in_order(mine.parts, tuple(map(_unassigned, other.parts)), equal)
    parts = [(n,) if n.kind == "leaf" else n.parts for n in (a, b)]
    counted = [[m for p in side if (m := _COUNTED.fullmatch(p.text))] for side in parts]
    nouns = [[m[1].removesuffix("s").lower() for m in side] for side in counted]
    if len(set(nouns[0])) > 1 and all(len(n) == len(p) for n, p in zip(nouns, parts, strict=True)):
        if len(set(nouns[0])) == len(nouns[0]) and sorted(nouns[0]) == sorted(nouns[1]):
            order = [nouns[1].index(n) for n in nouns[0]]  # "10 red, 5 blue"
            return _in_order(parts[0], [parts[1][i] for i in order], equal)
        return _in_order(parts[0], parts[1], equal)
    if len(parts[0]) > 1 and all(n.kind != "set" for n in (a, b)) and _assigned_alike(*parts, equal=equal):
        return True
    unassigned = [tuple(map(_unassigned, p)) for p in parts]
    if _distinct_names(parts[0]) and _distinct_names(parts[1]):
        return False  # compared by name above
    if _distinct_names(parts[0]) or _distinct_names(parts[1]):
        return _in_order(unassigned[0], unassigned[1], equal)
    return _in_any_order(unassigned[0], unassigned[1], equal)


def _column(matrix: Node) -> Node:
    """Return a column vector as a tuple; another matrix stays."""
    if any(len(row.parts) != 1 for row in matrix.parts):
        return matrix
    return Node("tuple", matrix.text, tuple(row.parts[0] for row in matrix.parts), "()")


def _in_order(a: Sequence[Node], b: Sequence[Node], equal: Leaf) -> bool:
    return len(a) == len(b) and all(same(x, y, equal) for x, y in zip(a, b, strict=True))


def _in_any_order(a: Sequence[Node], b: Sequence[Node], equal: Leaf) -> bool:
    if len(a) != len(b):
        return False
    left = list(b)
    for x in a:
        match = next((y for y in left if same(x, y, equal)), None)
        if match is None:
            return False
        left.remove(match)
    return True


def _assignment(n: Node) -> tuple[str, str] | None:
    m = _ASSIGN.fullmatch(n.text) if n.kind == "leaf" else None
    return (m[1], m[2]) if m and "=" not in m[2] else None


def _unassigned(n: Node) -> Node:
    found = _assignment(n)
    return parse(found[1]) if found else n


def _distinct_names(parts: Sequence[Node]) -> bool:
    """Say whether every part assigns a different variable: ``x = 1, y = 2``."""
    found = [_assignment(p) for p in parts]
    names = {f[0] for f in found if f is not None}
    return len(parts) > 1 and len(names) == len(parts)


def _assigned_alike(a: Sequence[Node], b: Sequence[Node], *, equal: Leaf) -> bool:
    if not (_distinct_names(a) and _distinct_names(b)) or len(a) != len(b):
        return False
    left, right = (dict(x for p in parts if (x := _assignment(p)) is not None) for parts in (a, b))
    return left.keys() == right.keys() and all(equal(left[k], right[k]) for k in left)
