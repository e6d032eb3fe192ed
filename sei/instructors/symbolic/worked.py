"""Reads worked solutions: steps from ``<<a*b=c>>`` annotations or from plain equations in the text.

Nothing is evaluated as code. Python's parser turns expressions into trees of four operations over exact fractions. An
expression with anything else is not a step.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from fractions import Fraction

_ANNOTATED = re.compile(r"<<([^<>=]{1,80})=([^<>=]{1,40})>>")
_PLAIN = re.compile(r"((?:[\d.,$%()]+\s*[-+*/x×]\s*)+[\d.,$%()]+)\s*=\s*\$?\s*(-?[\d.,]+)")
_NOT_COUNTED = frozenset(  # words after a number that are not its unit
    "a after all an and are as at be because but by can each every for from has have he her his if in into is it its "
    "left less more of on or per she since so than that the their then there they this to was we were when which who "
    "will with would you".split()
)
_WORD = re.compile(r"\s*\$?(?:\d[\d,]*(?:\.\d+)?|\.\d+)?\s*([A-Za-z]+)")  # in the same sentence
NUMERAL = re.compile(r"(?<![\w.])(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<![\w.])\.\d+")
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}

Tree = Fraction | tuple[str, "Tree", "Tree"]
"""A number, or (operator, left, right)."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One worked step: expression tree, value as written, unit (the things counted) and line, from 0."""

    tree: Tree
    value: Fraction
    unit: str
    line: int

    @property
    def operation(self) -> str:
        """The outermost operator, or ``none`` for a bare number."""
        return self.tree[0] if isinstance(self.tree, tuple) else "none"

    @property
    def operands(self) -> tuple[Fraction, ...]:
        """All numbers of the expression, from left to right."""
        return tuple(leaves(self.tree))


def number(text: str) -> Fraction | None:
    """Read a plain number with thousands commas, currency or percent sign."""
    cleaned = text.strip().strip("$%").replace(",", "").strip().rstrip(".")
    try:
        return Fraction(cleaned) if len(cleaned) < 40 else None
    except (ValueError, ZeroDivisionError):
        return None


def parse_tree(expression: str) -> Tree | None:
    """Parse an arithmetic expression, or return ``None`` for anything else."""
    text = re.sub(r"(?<=\d),(?=\d{3})", "", expression).replace("×", "*").replace("x", "*")
    text = re.sub(r"[$%]", "", text)
    try:
        node = ast.parse(text.strip(), mode="eval").body
        return _convert(node)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _convert(node: ast.expr) -> Tree:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return Fraction(str(node.value))
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return (_OPERATORS[type(node.op)], _convert(node.left), _convert(node.right))
    raise ValueError("not plain arithmetic")


def leaves(tree: Tree) -> list[Fraction]:
    """Return the numbers of a tree from left to right."""
    return [tree] if isinstance(tree, Fraction) else leaves(tree[1]) + leaves(tree[2])


def evaluate(tree: Tree) -> Fraction | None:
    """Return the exact value, or ``None`` for a division by zero."""
    if isinstance(tree, Fraction):
        return tree
    left, right = evaluate(tree[1]), evaluate(tree[2])
    if left is None or right is None or (tree[0] == "/" and right == 0):
        return None
    return {"+": left + right, "-": left - right, "*": left * right}.get(tree[0]) if tree[0] != "/" else left / right


def unit_of(word: str) -> str:
    """Return the word after a number if it names what is counted, or nothing."""
    return "" if word.lower() in _NOT_COUNTED else word


def read_steps(text: str) -> list[Step]:
    """Return the worked steps of a solution: its annotated steps, or else its plain equations."""
    steps = []
    lines = text[:20_000].split("\n")
    for pattern in (_ANNOTATED, _PLAIN):
        for i, line in enumerate(lines):
            for m in pattern.finditer(line):
                tree, value = parse_tree(m[1]), number(m[2])
                if tree is not None and value is not None and isinstance(tree, tuple):
                    word = _WORD.match(line[m.end() :])
                    steps.append(Step(tree=tree, value=value, unit=unit_of(word[1]) if word else "", line=i))
        if steps:
            break
    return steps


def show(value: Fraction) -> str:
    """Format a fraction as a whole number, a short decimal, or a/b."""
    if value.denominator == 1:
        return str(value.numerator)
    decimal = f"{float(value):.6f}".rstrip("0")
    return decimal if Fraction(decimal) == value else f"{value.numerator}/{value.denominator}"


def show_tree(tree: Tree, *, nested: bool = False) -> str:
    """Format an expression with only the necessary parentheses."""
    if isinstance(tree, Fraction):
        return show(tree)
    op, left, right = tree
    low = op in "+-"
    shown_left = show_tree(left, nested=not low)
    shown_right = (
        show_tree(right, nested=not low or op == "-")
        if isinstance(right, Fraction) or not low
        else (f"({show_tree(right)})" if op == "-" else show_tree(right))
    )
    if op == "/" and isinstance(right, tuple) and not shown_right.startswith("("):
        shown_right = f"({shown_right})"
    text = f"{shown_left}{op}{shown_right}"
    return f"({text})" if nested and low else text
