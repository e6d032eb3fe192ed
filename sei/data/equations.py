"""Worked steps from an equation such as ``X=((22.0-14.0)/4.0)``, in GSM8K's annotated format."""

from __future__ import annotations

import ast
import re
from fractions import Fraction

_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def solution_from_equation(equation: str, answer: str) -> str | None:
    """Return worked steps that end in ``#### answer``, or ``None`` if the equation is not ``x = expression``.

    Equations with the unknown inside an expression need algebra and are not converted.
    """
    m = re.fullmatch(r"\s*x\s*=\s*([-+*/().\d\s]+)", equation.strip(), re.IGNORECASE)
    if m is None:
        return None
    try:
        tree = ast.parse(m[1].strip(), mode="eval").body
        steps: list[str] = []
        value = _work(tree, steps)
    except (SyntaxError, ValueError, ZeroDivisionError):
        return None
    if not steps or value != Fraction(answer):
        return None
    return "\n".join([*steps, f"#### {answer}"])


def _work(node: ast.expr, steps: list[str]) -> Fraction:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return Fraction(str(node.value))
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        x, y = _work(node.left, steps), _work(node.right, steps)
        op = _OPERATORS[type(node.op)]
        value = {"+": x + y, "-": x - y, "*": x * y}.get(op, Fraction(0)) if op != "/" else x / y
        shown = [_show(x), _show(y), _show(value)]
        if None in shown:
            raise ValueError("a number without a short decimal form")
        steps.append(f"{shown[0]}{op}{shown[1]}=<<{shown[0]}{op}{shown[1]}={shown[2]}>>{shown[2]}")
        return value
    raise ValueError("not plain arithmetic")


def _show(value: Fraction) -> str | None:
    if value.denominator == 1:
        return str(value.numerator)
    text = f"{float(value):.4f}".rstrip("0")
    return text if Fraction(text) == value else None
