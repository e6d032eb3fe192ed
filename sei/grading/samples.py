"""Values of two expressions at the same sample points, and when two values are equal; runs only in the sandbox.

A rational function of its symbols, with ``i`` or without, has an exact value at a rational point. Gaussian rationals
compute it in a small part of the time of a substitution. Anything else is substituted and computed at 50 digits.
"""

from __future__ import annotations

import random
from fractions import Fraction
from math import prod
from typing import Any

DIGITS = 50
ENOUGH = 4  # pairs of values that decide
_SAMPLES = 24
_SETTLED = 20  # bits; a value known to fewer bits counts as zero
_CLOSE = Fraction(1, 10**30)
_HIGHEST_POWER = 200  # of exact arithmetic
_MOST_BITS = 20_000  # of an exact value


class _TooLargeError(Exception):
    """An exact value has too many digits."""


def infinities() -> tuple[Any, ...]:
    """Return sympy's values that are no finite number."""
    from sympy import nan, oo, zoo

    return (nan, oo, -oo, zoo)


def close(x: Any, y: Any) -> bool:
    """Say whether values agree to 30 digits, relative to the larger one; values that cancel out count as zero."""
    if x.is_Rational and y.is_Rational:
        a, b = Fraction(int(x.p), int(x.q)), Fraction(int(y.p), int(y.q))
        return abs(a - b) <= max(abs(a), abs(b)) * _CLOSE
    x, y = settled(x), settled(y)
    return bool(abs(x - y) <= max(abs(x), abs(y)) * 10**-30)


def settled(value: Any) -> Any:
    """Return a number with a zero for each part of which no digit could be determined."""
    from sympy import Float, I

    parts = [0 if isinstance(p, Float) and p._prec < _SETTLED else p for p in value.as_real_imag()]
    return parts[0] + parts[1] * I


def sampled(a: Any, b: Any, *, samples: int = _SAMPLES, until_apart: bool = False) -> list[tuple[Any, Any]]:
    """Return the values of two expressions at the same rational points, real values if there are enough.

    ``until_apart``: stop when there are enough pairs and one of real values differs. Such a pair is among those
    returned whatever the further points give.
    """
    from sympy import Integer, Product, Rational, Sum

    rng = random.Random(0)
    symbols = sorted(a.free_symbols | b.free_symbols, key=str)
    counted = [x for e in (a, b) for s in e.atoms(Sum, Product) for limit in s.limits for x in limit[1:]]
    whole = {s for x in counted for s in x.free_symbols}  # the limits of a sum are whole numbers
    real, every, apart = [], [], False
    exact = _is_rational(a) and _is_rational(b)
    for i in range(samples):
        low = 1 if i % 2 else -40
        point = {s: Rational(rng.randint(low, 40) or 7, rng.choice((7, 11, 13))) for s in symbols}
        point |= {s: Integer(rng.randint(2, 9)) for s in whole}
        try:
            values = _exactly(a, b, point) if exact else _by_sympy(a, b, point)
        except _TooLargeError:
            values = _by_sympy(a, b, point)
        if values is not None:
            every.append(values)
            if all(v.is_real for v in values):
                real.append(values)
                apart = apart or (until_apart and not close(*values))
        if apart and len(every) >= ENOUGH:
            break
    return real if len(real) >= ENOUGH else every


def _by_sympy(a: Any, b: Any, point: dict[Any, Any]) -> tuple[Any, Any] | None:
    """Return both values at a point; ``None`` if one of them is no finite number."""
    try:
        x = a.subs(point).doit().evalf(DIGITS)
        y = x if a is b else b.subs(point).doit().evalf(DIGITS)
    except (TypeError, ValueError, ZeroDivisionError, ArithmeticError):
        return None
    return (x, y) if all(v.is_number and not v.has(*infinities()) for v in (x, y)) else None


def _exactly(a: Any, b: Any, point: dict[Any, Any]) -> tuple[Any, Any] | None:
    """Return both values of two rational functions at a point; ``None`` where one of them divides by zero.

    Raises:
        _TooLargeError: if a value has too many digits.
    """
    from sympy import QQ_I

    at = {s: QQ_I.from_sympy(v) for s, v in point.items()}
    try:
        x = _value_at(a, at)
        y = x if a is b else _value_at(b, at)
    except ZeroDivisionError:
        return None
    left, right = (QQ_I.to_sympy(v) if v.y == 0 else QQ_I.to_sympy(v).evalf(DIGITS) for v in (x, y))
    return left, right


def _is_rational(expr: Any) -> bool:
    """Say whether an expression has only rational numbers, symbols, sums, products and whole powers, or ``i``."""
    from sympy import I

    if expr.is_Add or expr.is_Mul:
        return all(_is_rational(x) for x in expr.args)
    if expr.is_Pow:
        return bool(expr.exp.is_Integer) and abs(expr.exp) <= _HIGHEST_POWER and _is_rational(expr.base)
    return bool(expr.is_Symbol or expr.is_Rational or expr is I)


def _value_at(expr: Any, at: dict[Any, Any]) -> Any:
    from sympy import QQ_I

    if expr.is_Symbol:
        return at[expr]
    if expr.is_Add:
        return sum((_value_at(x, at) for x in expr.args), QQ_I.zero)
    if expr.is_Mul:
        return prod((_value_at(x, at) for x in expr.args), start=QQ_I.one)
    if not expr.is_Pow:
        return QQ_I.from_sympy(expr)
    base = _value_at(expr.base, at)
    bits = sum(int(n).bit_length() for part in (base.x, base.y) for n in (part.numerator, part.denominator))
    if bits * abs(int(expr.exp)) > _MOST_BITS:
        raise _TooLargeError
    return base ** int(expr.exp)
