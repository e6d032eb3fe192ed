r"""Computer algebra on two short formulas; runs only in the sandbox's child process.

Math-Verify's parser reads the formulas. Its own comparison rounds floats and drops small differences, so 1/3 would
equal 0.333333 and 1/2^99 would equal 1/2^98. Therefore values are compared here at 50 digits and formulas at rational
sample points; Math-Verify decides only on anything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

from sei.grading.quantity import long_decimal, written_out
from sei.grading.samples import DIGITS, ENOUGH, close, infinities, sampled, settled
from sei.grading.short import install

_GAP_DIGITS, _MOST_DIGITS = 15, 400  # digits of a difference; most digits used to compute it
_FUNCTIONS = "sqrt pi sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln exp infty".split()
_PLAIN = re.compile(rf"(?<![\\a-zA-Z])({'|'.join(_FUNCTIONS)})(?![a-zA-Z])")
_PRIMES = re.compile(r"(?<![\\a-zA-Z])([a-zA-Z])((?:'|\^\s*\\prime(?![a-z])|\^\s*\{\s*(?:\\prime\s*|')+\})+)")
_BIG_EXPONENT = 20_000
_COMMON = (  # kinds that the generated parser reads
    r"\frac{\sqrt{3}}{2}+x",
    r"\sin x\cos^2{x}-\tan^{-1}(2)",
    r"\log_{10} 250+\ln(5)",
    r"\lfloor\frac{n}{2}\rfloor",
    r"\frac{(n-1)!}{2}",
    r"7p+4e",
    r"\frac{1}{2}(16-16i)",
    r"\binom{39}{36}",
    r"f(x)=x+1",
    r"|x-1|",
    r"(D)",
    r"n is odd",
)

Reply = dict[str, str]


def warm_up() -> None:
    """Load everything and read a formula of each common kind, so that forked children start fast.

    The generated parser keeps what it has seen of its grammar, and sympy its modules.
    """
    install()
    for text in _COMMON:
        found = read(text)
        evaluate(found)
        same(found, found)


def compare(gold: str, stated: str, enter: Callable[[str], None]) -> Reply:
    """Compare two formulas; calls ``enter`` at the start of every phase (``gold``, ``stated``, ``compare``)."""
    from sympy import Expr

    enter("gold")
    a = read(gold)
    if a is None:
        return {"result": "no_algebra", "why": f"gold answer {gold[:80]!r} cannot be read"}
    evaluate(a)
    enter("stated")
    b = read(stated)
    if b is None:
        return {"result": "unreadable", "why": "no expression"}
    if evaluate(b) is None and isinstance(b, Expr):
        sampled(b, b, samples=2)  # if the stated formula cannot be evaluated, that is its own fault
    enter("compare")
    fine = same(a, b) or _written_out(gold, b) or _written_out(stated, a)
    return {"result": "same" if fine else "different"}


def _written_out(text: str, exact: Any) -> bool:
    """Say whether a text is the decimal of a closed expression with 12 digits or more."""
    value = evaluate(exact) if long_decimal(text) is not None else None
    return value is not None and bool(value.is_real) and written_out(text, Fraction(str(value)))


def read(text: str) -> Any:
    """Return the sympy object of a tidied formula, or ``None``."""
    from math_verify import parse
    from sympy import Basic, MatrixBase
    from sympy.logic.boolalg import BooleanAtom

    plain = prepared(text)
    try:
        found = parse(f"${plain}$", [_extraction()], parsing_timeout=None)
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception:  # an external parser may raise anything; the text was not read
        return None
    for f in found:
        if isinstance(f, (Basic, MatrixBase)):
            try:
                exact = _exact(f)
                return None if isinstance(exact, BooleanAtom) else exact
            except (TypeError, ValueError, AttributeError):
                return None  # not an expression but a chain of equations that becomes true or false
    return None


@lru_cache(maxsize=1)
def _extraction() -> Any:
    """Return the settings of the parser, which would take the last letter of a formula for a unit and drop it."""
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig

    rules = NormalizationConfig(basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="all")
    return LatexExtractionConfig(boxed_match_priority=-1, normalization_config=rules)


def prepared(text: str) -> str:
    """Write plain functions and powers as LaTeX: ``sqrt(3)/2``, ``x**2``, ``2^10``."""
    text = text.replace("**", "^").replace(r"\lbrace", r"\{").replace(r"\rbrace", r"\}")
    text = _PLAIN.sub(r"\\\1 ", text)
    text = _PRIMES.sub(lambda m: f"{m[1]}_{{{'D' * (m[2].count(chr(39)) + m[2].count('prime'))}}}", text)
    text = _bracket_group(text, r"\\sqrt\s*\(", r"\sqrt")
    text = _bracket_group(text, r"\^\s*\(", "^")
    text = re.sub(r"\\sqrt\s*(\d+)", r"\\sqrt{\1}", text)
    text = re.sub(r"\^\s*(-?\d{2,}|-\d)", r"^{\1}", text)
    return re.sub(r"\\(?:cdot|times)\s*(?=\\)", r"\\cdot ", text)


def _bracket_group(text: str, opening: str, command: str) -> str:
    """Turn the round brackets after a command into braces."""
    for _ in range(10):
        m = re.search(opening, text)
        if m is None:
            return text
        depth, i = 1, m.end()
        while i < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[i], 0)
            i += 1
        if depth:
            return text
        text = f"{text[: m.start()]}{command}{{{text[m.end() : i - 1]}}}{text[i:]}"
    return text


def _exact(expr: Any) -> Any:
    """Return an expression with its decimals as exact fractions; refuses powers too large for memory."""
    from sympy import Basic, Derivative, Float, I, MatrixBase, Pow, Rational, Symbol, UnevaluatedExpr

    if isinstance(expr, MatrixBase):
        return expr.applyfunc(_exact)
    if not isinstance(expr, Basic):
        return expr
    for p in expr.atoms(Pow):
        exponent = p.exp
        if exponent.is_number and not exponent.free_symbols and abs(_rough(exponent)) > _BIG_EXPONENT:
            raise MemoryError("an exponent beyond all answers")
    expr = expr.xreplace({s: I for s in expr.free_symbols if s.name == "i"})  # a free i is no index of a sum
    expr = expr.xreplace({s: Symbol(s.name) for s in expr.atoms(Symbol)})  # the parser marks some as real
    named = {d: Symbol(str(d)) for d in expr.atoms(Derivative) if not d.expr.has(*d.variables)}
    expr = expr.xreplace(named)  # dy/dx is a name here, not zero
    exact = expr.xreplace({f: Rational(Fraction(str(f))) for f in expr.atoms(Float) if f.is_finite})
    return exact.replace(lambda e: isinstance(e, UnevaluatedExpr), lambda e: e.args[0])


def _rough(value: Any) -> float:
    try:
        return float(value.evalf(5))
    except (TypeError, OverflowError, ValueError):
        return float("inf")


def evaluate(expr: Any) -> Any:
    """Return the value of a closed expression at 50 digits; ``None`` if it has free symbols or is not a number."""
    from sympy import Expr, MatrixBase

    if isinstance(expr, MatrixBase) or not isinstance(expr, Expr) or expr.free_symbols:
        return None
    return _value(expr)


@lru_cache(maxsize=64)
def _value(expr: Any) -> Any:
    value = expr.doit().evalf(DIGITS)
    return value if value.is_number and not value.has(*infinities()) else None


def same(a: Any, b: Any) -> bool:
    """Compare two sympy objects of any kind."""
    from sympy import Eq, Expr, FiniteSet, MatrixBase
    from sympy.core.relational import Relational

    a, b = _only_member(a), _only_member(b)
    if type(a) is type(b) and a == b:
        return True
    if isinstance(a, FiniteSet) and isinstance(b, FiniteSet):
        return len(a) == len(b) and all(any(same(x, y) for y in b) for x in a)
    if isinstance(a, MatrixBase) and isinstance(b, MatrixBase):
        return a.shape == b.shape and all(same(x, y) for x, y in zip(a.flat(), b.flat(), strict=True))
    if isinstance(a, Eq) and isinstance(b, Eq):
        if _names(a.lhs) and a.lhs == b.lhs and same(a.rhs, b.rhs):
            return True
        if not a.free_symbols and not b.free_symbols:
            return same(a.lhs, b.lhs) and same(a.rhs, b.rhs)
        if not all(isinstance(side, Expr) for side in (*a.args, *b.args)):  # such as (x, y) = (1, 2)
            return same(a.lhs, b.lhs) and same(a.rhs, b.rhs)
        return _proportional(a.lhs - a.rhs, b.lhs - b.rhs, sign=False)
    if isinstance(a, Eq) != isinstance(b, Eq):
        relation, other = (a, b) if isinstance(a, Eq) else (b, a)
        if isinstance(other, Expr) and _names(relation.lhs):
            return same(relation.rhs, other)
        return False
    if isinstance(a, Relational) and isinstance(b, Relational):
        return _same_relation(a, b)
    if isinstance(a, Expr) and isinstance(b, Expr):
        return _same_expression(a, b)
    return _by_math_verify(a, b)


def _only_member(found: Any) -> Any:
    """Return the content of grouping braces, since the parser reads ``{x}`` as a set."""
    from sympy import FiniteSet

    return next(iter(found)) if isinstance(found, FiniteSet) and len(found) == 1 else found


def _names(lhs: Any) -> bool:
    from sympy import Symbol
    from sympy.core.function import AppliedUndef

    return isinstance(lhs, (Symbol, AppliedUndef))


def _same_relation(a: Any, b: Any) -> bool:
    flipped = {">": "<", "<": ">", ">=": "<=", "<=": ">="}
    left, right = a.lhs - a.rhs, b.lhs - b.rhs
    if a.rel_op == b.rel_op:
        return _proportional(left, right, sign=True)
    return flipped.get(a.rel_op) == b.rel_op and _proportional(left, -right, sign=True)


def _same_expression(a: Any, b: Any) -> bool:
    x, y = evaluate(a), evaluate(b)
    if x is not None and y is not None:
        return close(x, y) and not _differ(a, b)
    if not a.free_symbols and not b.free_symbols:
        return bool(a == b) or _by_math_verify(a, b)
    pairs = sampled(a, b, until_apart=True)
    if len(pairs) < ENOUGH:
        return _by_math_verify(a, b)
    return all(close(x, y) for x, y in pairs)


def _differ(a: Any, b: Any) -> bool:
    """Say whether two closed expressions that agree to 30 digits still differ: ``1 - 1/50!`` is not 1."""
    left, right = a.doit(), b.doit()
    if left.is_Rational and right.is_Rational:
        return bool(left != right)
    gap = settled((left - right).evalf(_GAP_DIGITS, maxn=_MOST_DIGITS))
    return bool(gap.is_number and abs(gap) > 0)


def _proportional(a: Any, b: Any, *, sign: bool) -> bool:
    """Say whether one expression is a constant multiple of the other (a positive multiple with ``sign``)."""
    pairs = sampled(a, b)
    ratios = [x / y for x, y in pairs if abs(y) > 10**-20]
    if len(ratios) < ENOUGH or len(ratios) < len(pairs) - 1:
        return False
    first = ratios[0]
    fine = not sign or bool(first.is_real and first > 0)
    return fine and abs(first) > 10**-20 and all(close(r, first) for r in ratios)


def _by_math_verify(a: Any, b: Any) -> bool:
    from math_verify import verify

    try:
        return bool(verify(a, b, strict=True, timeout_seconds=None))
    except MemoryError:
        raise
    except Exception:  # the external comparison failed, so equality is not shown
        return False
