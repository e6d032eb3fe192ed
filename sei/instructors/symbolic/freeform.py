r"""Reads free-form solutions of language models: equations among words, LaTeX, and lines of programs.

``5 apples x 3 = 15 apples``, ``\(\frac{50}{2} = 25\)``, ``10% of $50 = $5``, ``a*b - c = d - c = e``, ``x = 14`` and
``total = apples * 3`` all become steps. A number that a text states without computing it becomes a step with the number
as its tree. Nothing is run as code: Python's parser reads a program's lines, and they are evaluated as arithmetic.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeGuard

from sei.instructors.symbolic.worked import Step, Tree, evaluate, number, unit_of

_LONGEST = 20_000  # at most this many characters are read
_LONGEST_LINE = 3_000
_LONGEST_CODE = 300  # at most this many characters in a line of a program
_MOST = 400  # at most this many steps are read
_WORDS_BETWEEN = 5  # at most this many words between a number and the operator after it
_OPERATORS = 60  # at most this many in one side of an equation, because trees are walked recursively
_NESTING = 8  # at most this many nested parentheses, for the same reason
_BITS = 256  # the largest numerator or denominator, in bits: repeated squaring would grow without limit

_LABEL = re.compile(r"^\s*(?:[#*>-]+\s+)*(?:\**(?:step\s*)?\d{1,2}\s*[.:)]\**\s+)?", re.IGNORECASE)
_COMMENT = re.compile(r"^\s*#(?!#)")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z_]\w*)\s*([-+*/]?)=\s*([\w\s.+*/()-]+?)\s*(?:#.*)?")
_NO_NUMBER = re.compile(r"\d[A-Za-z_]|\*\*|//")  # text that Python would read differently or warn about
_VARIABLE = re.compile(
    r"(?<![A-Za-z\\'])([A-Za-z])\s*(?:\\\))?\s*=|\b[Ll]et(?:'s)?(?:\s\w+){0,3}\s(?:\\\(\s*)?([b-zB-Z])\b"
)
_FOREIGN: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), to)
    for pattern, to in (
        (r"=\s*\$?\s*<<[^<>]*>>", "="),  # an annotation that repeats the text before it
        (r"<<([^<>]*)>>(?:-?[\d.,]*\d)?", r" ; \1 ; "),  # an annotation on its own
        (r"\\(?:text|mathrm|textbf|operatorname)\s*\{[^{}]*\}", " "),
        (r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r" ((\1)/(\2)) "),
        (r"\\(?:times|cdot)|[×·⋅∗]", " * "),
        (r"\\div|÷", " / "),
        (r"\\(?:approx|implies)|≈", " = "),
        (r"\\boxed\s*\{|\\[()\[\],;:! ]|\\(?:left|right|quad|qquad)\b", " "),
        (r"\\([$%])", r"\1"),
        (r"[−–]", "-"),
        (r"\*\*|__|`", " "),
        (r"\((?=[^()\d]*\))[^()]*\)", " "),  # a remark in parentheses
        (r"(?<=\d)\s*x\s*(?=[$(]?\d)|(?<=[\d)A-Za-z])\s+x\s+(?=[$(]?\d)", " * "),
        (r"(%|\d/\d+|half)\s+of\s+(?=[$(]?\d)", r"\1 * "),
        (r"\bhalf(?=\s*\*)", "1/2"),
        (r"(?<=\d)(?:st|nd|rd|th)\b", ""),
        (r"/\s*[A-Za-z]{2,}", " "),  # miles/hour
        (r"(?<=[\d)])\((?=[\d$(])", " * ("),
        (r"(?<=\d),(?=\d{3}\b)", ""),
    )
)
_TOKEN = re.compile(r"(\d+(?:\.\d+)?|\.\d+)|([-+*/()=%])|([A-Za-z]['\w]*)|([$\s]+)|(.)")
_KINDS = ("number", "sign", "word", "space", "stop")
_UNKNOWN: Tree = ("?", Fraction(0), Fraction(0))
"""A letter without a value. Expressions that contain it have no value either."""


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    glued: bool  # no space before it


def read_freeform(text: str, known: Mapping[str, Fraction] | None = None) -> list[Step]:
    """Return the steps that a text computes or states, in order.

    ``known`` gives values to letters, so that an equation with an unknown can be checked at that value.
    """
    text = text[:_LONGEST]
    known = known or {}
    names = dict(known)
    letters = frozenset(g for m in _VARIABLE.finditer(text) for g in m.groups() if g) - {"a"}
    steps: list[Step] = []
    for i, whole in enumerate(text.split("\n")):
        line = whole[:_LONGEST_LINE]
        if len(steps) >= _MOST or _COMMENT.match(line):
            continue
        assigned = _assignment(line, names, known, i)
        steps += [assigned] if assigned is not None else _equations(line, known, letters, i)
    return steps[:_MOST]


def _assignment(line: str, names: dict[str, Fraction], known: Mapping[str, Fraction], at: int) -> Step | None:
    """Evaluate one line of a program, or return ``None`` unless it assigns arithmetic over names with a value."""
    m = _ASSIGNMENT.fullmatch(_LABEL.sub("", line, count=1)) if len(line) <= _LONGEST_CODE else None
    if m is None or m[1] in known or _NO_NUMBER.search(m[3]):
        return None
    try:
        tree = _followed(ast.parse(m[3].strip(), mode="eval").body, names)
        tree = (m[2], names[m[1]], tree) if m[2] else tree
        value = evaluate(tree)
    except (SyntaxError, ValueError, KeyError, RecursionError, MemoryError):
        return None
    if not _usable(value):
        return None
    names[m[1]] = value
    return Step(tree=tree, value=value, unit="", line=at)


def _usable(value: Fraction | None) -> TypeGuard[Fraction]:
    """Tell whether there is a value, and one without hundreds of digits."""
    return value is not None and max(value.numerator.bit_length(), value.denominator.bit_length()) <= _BITS


def _followed(node: ast.expr, names: Mapping[str, Fraction]) -> Tree:
    operators = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return Fraction(str(node.value))
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in operators:
        return (operators[type(node.op)], _followed(node.left, names), _followed(node.right, names))
    raise ValueError("not plain arithmetic")


def _equations(line: str, known: Mapping[str, Fraction], letters: Collection[str], at: int) -> Iterator[Step]:
    text = _LABEL.sub("", " ".join(line.split()), count=1)
    for pattern, to in _FOREIGN:
        text = pattern.sub(to, text)
    sides: list[Tree | None] = []
    unit = ""
    for tree, word, joined in _Reader(_tokens(text), known, letters).sides():
        if not joined:
            yield from _chain(sides, unit, at)
            sides = []
        sides.append(tree)
        unit = word
    yield from _chain(sides, unit, at)


def _chain(sides: list[Tree | None], unit: str, at: int) -> Iterator[Step]:
    """Turn ``a = b = c`` into steps. A step is a side with an operator and the value it equals, or a number alone.

    An expression without an equals sign is a plan, not a result, and is left out.
    """
    told = [s for s in sides if s is not None]
    unit = unit_of(unit)
    for i, tree in enumerate(told):
        value = evaluate(tree)
        before, after = told[i - 1] if i else None, told[i + 1] if i + 1 < len(told) else None
        if isinstance(tree, tuple):
            equal = before if after is None and isinstance(before, Fraction) else after  # ``28 = 2x``
            said = value if equal is None else evaluate(equal)
            if len(sides) > 1 and _usable(value) and _usable(said):
                yield Step(tree=tree, value=said, unit=unit, line=at)
        elif after is None and (before is None or isinstance(before, Fraction) or evaluate(before) is None):
            yield Step(tree=tree, value=tree, unit=unit, line=at)


def _tokens(text: str) -> list[_Token]:
    found = [(_KINDS[(m.lastindex or 1) - 1], m[0]) for m in _TOKEN.finditer(text)]
    glued = [i > 0 and found[i - 1][0] != "space" for i in range(len(found))]
    return [_Token(kind, t, g) for (kind, t), g in zip(found, glued, strict=True) if kind != "space"]


class _Reader:
    """Reads sides of equations from left to right, skipping words between a number and an operator."""

    def __init__(self, tokens: list[_Token], known: Mapping[str, Fraction], letters: Collection[str]) -> None:
        self.tokens, self.known, self.letters = tokens, known, letters
        self.at = self.depth = self.operators = 0

    def sides(self) -> Iterator[tuple[Tree | None, str, bool]]:
        """Yield (tree, word after it, whether an equals sign joins it to the side before). Words have no tree."""
        joined = False
        while self.at < len(self.tokens):
            start, self.operators = self.at, 0
            tree = self._sum()
            if tree is None:
                self.at = start + 1
                if self.tokens[start].text == "=" and not joined:
                    yield None, "", False
                joined = self.tokens[start].text == "="
                continue
            word = self._skip_words()
            yield tree, word, joined
            joined = self._take("=")

    def _sum(self) -> Tree | None:
        return self._left_to_right("+-", self._product)

    def _product(self) -> Tree | None:
        return self._left_to_right("*/", self._atom)

    def _left_to_right(self, signs: str, part: Callable[[], Tree | None]) -> Tree | None:
        tree = part()
        while tree is not None and self.operators < _OPERATORS:
            back = self.at
            self._skip_words()
            sign = self._peek()
            if not sign or sign not in signs:
                self.at = back
                break
            self.at += 1
            self.operators += 1
            right = part()
            if right is None:
                self.at = back
                break
            tree = (sign, tree, right)
        return tree

    def _atom(self) -> Tree | None:
        if self.at >= len(self.tokens):
            return None
        token, back = self.tokens[self.at], self.at
        self.at += 1
        if token.kind == "number":
            value = number(token.text)
            return None if value is None else self._percent(value, back)
        if token.text in self.known:
            return self.known[token.text]
        if token.text in self.letters:
            return _UNKNOWN
        if token.text == "-" and self._negates(back):
            tree = self._atom()
            return -tree if isinstance(tree, Fraction) else tree
        if token.text == "(" and self.depth < _NESTING:
            self.depth += 1
            tree = self._sum()
            self.depth -= 1
            self._skip_words()
            if tree is not None and self._take(")"):
                return self._times_letter(tree)
        self.at = back
        return None

    def _negates(self, at: int) -> bool:
        """Tell whether a minus is the sign of the number after it. In ``total - 30`` it subtracts from a word."""
        if self.at >= len(self.tokens) or self.tokens[self.at].kind != "number":
            return False
        return self.tokens[self.at].glued or at == 0 or self.tokens[at - 1].kind != "word"

    def _percent(self, value: Fraction, at: int) -> Tree:
        """Read a percentage as a share if it is multiplied or divided, else as its plain number."""
        if not self._take("%"):
            return self._times_letter(value)
        multiplies = self._peek() in ("*", "/") or (at > 0 and self.tokens[at - 1].text in ("*", "/"))
        return ("/", value, Fraction(100)) if multiplies else value

    def _times_letter(self, tree: Tree) -> Tree:
        """Read ``3x`` as a product."""
        if self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.text in self.known:
                self.at += 1
                return ("*", tree, self.known[token.text])
            if token.text in self.letters and token.glued:
                self.at += 1
                return _UNKNOWN
        return tree

    def _skip_words(self) -> str:
        """Skip a few words if an operator, equals sign or closing parenthesis follows. Return the first word."""
        ahead = self.at
        while ahead < len(self.tokens) and self.tokens[ahead].kind == "word" and ahead - self.at < _WORDS_BETWEEN:
            ahead += 1
        first = self.tokens[self.at].text if ahead > self.at else ""
        if ahead < len(self.tokens) and self.tokens[ahead].text in ("+", "-", "*", "/", "=", ")"):
            self.at = ahead
        return first

    def _peek(self) -> str:
        return self.tokens[self.at].text if self.at < len(self.tokens) else ""

    def _take(self, text: str) -> bool:
        if self._peek() == text:
            self.at += 1
            return True
        return False
