r"""Reads plain formulas as Math-Verify's parser does, in a tenth of its time; runs only in the sandbox.

Plain are sums, products, fractions, roots and powers of numbers and single letters, and equations of them. The result
is the same object that the library's generated parser makes, down to the order of arguments, so no verdict depends on
which of the two read a formula. Whatever the two could read differently is left to the library: function calls, words,
the letters with a meaning of their own (``d``, ``e``, ``E``, ``I``), sets, inequalities.
"""

from __future__ import annotations

import re
from typing import Any

_TOKEN = re.compile(
    r"(?:\s|\\[,;:!]|\\quad(?![a-zA-Z]))+"
    r"|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<letter>[abcf-zA-CF-HJ-Z])"
    r"|(?P<frac>\\[dtc]?frac(?![a-zA-Z]))|(?P<sqrt>\\sqrt(?![a-zA-Z]))"
    r"|(?P<greek>\\(?:pi|alpha|beta|theta|lambda|mu|omega|phi|rho|sigma|tau)(?![a-zA-Z]))"
    r"|(?P<times>\*|\\cdot(?![a-zA-Z])|\\times(?![a-zA-Z]))"
    r"|(?P<sign>[-+/^_()={}\[\]])"
)
_WORD = re.compile(r"(?<![\\a-zA-Z])(?:[a-zA-Z]{3,}|tr)(?![a-zA-Z])")  # may be the name of a function
_TRANSPOSED = re.compile(r"\^(?:T|\{T\})")
_FACTORS = ("number", "letter", "greek", "frac", "sqrt", "(")
_DEEPEST = 40

Token = tuple[str, str]


class _NotPlainError(Exception):
    """The formula is left to the library."""


def install() -> None:
    """Let Math-Verify's parser try this reader first, in this process."""
    from math_verify import parser

    library = parser.latex2sympy
    written = conversion()

    def read(latex: str, *given: Any, is_real: bool | None = None, **more: Any) -> Any:
        found = plain(latex, is_real=is_real) if not given else None
        if found is not None:
            return found
        return library(latex, *given, is_real=is_real, conversion_config=written, **more)

    parser.latex2sympy = read


def conversion() -> Any:
    """Return the library's settings: by default it takes R and r for one variable."""
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig

    return ConversionConfig(lowercase_symbols=False)


def plain(latex: str, *, is_real: bool | None) -> Any:
    """Return the sympy object of a plain formula; ``None`` if it is not plain."""
    if _WORD.search(latex) or _TRANSPOSED.search(latex):
        return None
    try:
        reader = _Reader(_tokens(latex), is_real)
        found = reader.relation()
        reader.end()
    except (_NotPlainError, ZeroDivisionError, TypeError, ValueError):
        return None
    return found


def _tokens(latex: str) -> list[Token]:
    found, at = list[Token](), 0
    while at < len(latex):
        m = _TOKEN.match(latex, at)
        if m is None:
            raise _NotPlainError
        kind = m.lastgroup
        if kind is not None:
            found.append((m[0] if kind == "sign" else kind, m[0]))
        at = m.end()
    return found


class _Reader:
    """Recursive descent over the tokens; makes unevaluated sympy objects in the library's way."""

    def __init__(self, tokens: list[Token], is_real: bool | None) -> None:
        import sympy
        from latex2sympy2_extended.symbols import get_symbol

        self._sympy, self._symbol = sympy, get_symbol
        self._tokens, self._at, self._depth = tokens, 0, 0
        self._is_real = is_real

    def _kind(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at][0] if at < len(self._tokens) else ""

    def _take(self, kind: str = "") -> str:
        if kind and self._kind() != kind:
            raise _NotPlainError
        self._at += 1
        return self._tokens[self._at - 1][1]

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise _NotPlainError

    def relation(self) -> Any:
        """Read an expression, an equation, or a chain of equations."""
        from latex2sympy2_extended.logic import And

        eq = self._sympy.Eq
        sides = [self._sum()]
        while self._kind() == "=":
            self._take()
            sides.append(self._sum())
        if len(sides) == 1:
            return sides[0]
        found: Any = eq(sides[0], sides[1], evaluate=False)
        for i in range(2, len(sides)):
            earlier = [found] if i == 2 else list(found._unsorted_args)
            found = And(*earlier, eq(sides[i - 1], sides[i], evaluate=False))
        return found

    def _sum(self) -> Any:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _NotPlainError
        found = self._product()
        while self._kind() in ("+", "-"):
            minus = self._take() == "-"
            right = self._product()
            found = self._flat(self._sympy.Add, found, self._negative(right) if minus else right)
        self._depth -= 1
        return found

    def _negative(self, value: Any) -> Any:
        return -value if value.is_Number else self._flat(self._sympy.Mul, self._sympy.Integer(-1), value)

    def _product(self) -> Any:
        found = self._unary()
        while self._kind() in ("times", "/"):
            divided = self._take() == "/"
            right = self._unary()
            found = self._ratio(found, right) if divided else self._flat(self._sympy.Mul, found, right)
        return found

    def _ratio(self, above: Any, below: Any) -> Any:
        sympy = self._sympy
        if above.is_Integer and below.is_Integer:
            return sympy.Rational(above, below)
        return sympy.Mul(above, sympy.Pow(below, -1, evaluate=False), evaluate=False)

    def _unary(self) -> Any:
        if self._kind() in ("+", "-"):
            self._depth += 1
            if self._depth > _DEEPEST:
                raise _NotPlainError
            minus = self._take() == "-"
            value = self._unary()
            self._depth -= 1
            return self._negative(value) if minus else value
        factors = [self._power()]
        while self._kind() in _FACTORS:
            factors.append(self._power())
        found = factors.pop()
        while factors:
            left = factors.pop()
            if left.is_Integer and found.is_Rational and found.p > 0:  # a mixed number
                part = -found.p if left < 0 else found.p
                found = self._sympy.Rational(left * found.q + part, found.q)
            else:
                found = self._flat(self._sympy.Mul, left, found)
        return found

    def _flat(self, kind: Any, left: Any, right: Any) -> Any:
        """Return an unevaluated sum or product whose parts of the same kind are dissolved."""
        parts = [y for x in (left, right) for y in (x.args if isinstance(x, kind) else (x,))]
        return kind(*parts, evaluate=False)

    def _power(self) -> Any:
        named = self._kind() in ("letter", "greek")
        base = self._factor()
        if self._kind() == "^":
            self._take()
            base = self._sympy.Pow(base, self._exponent(), evaluate=False)
            if self._kind() == "^":
                raise _NotPlainError
        if named and self._kind() == "(" and not self._sum_ahead():
            raise _NotPlainError  # a call such as f(x)
        return base

    def _sum_ahead(self) -> bool:
        """Say whether the group that begins here has an operator of its own."""
        depth = 0
        for kind, _ in self._tokens[self._at :]:
            depth += (kind in ("(", "{", "[")) - (kind in (")", "}", "]"))
            if depth == 0:
                return False
            if depth == 1 and kind in ("+", "-", "/", "times"):
                return True
        return False

    def _exponent(self) -> Any:
        if self._kind() == "{":
            return self._group("{", "}")
        named = self._kind() in ("letter", "greek")
        if (named and self._kind(1) in ("(", "_")) or not (named or self._kind() == "number"):
            raise _NotPlainError
        return self._factor()

    def _index(self) -> str:
        """Read the index of a letter: one number or one letter."""
        if self._kind() != "_":
            return ""
        self._take()
        in_braces = self._kind() == "{"
        if in_braces:
            self._take()
        if self._kind() not in ("number", "letter"):
            raise _NotPlainError
        text = self._take()
        if in_braces:
            self._take("}")
        return f"_{{{text}}}" if len(text) > 1 else f"_{text}"

    def _group(self, opening: str, closing: str) -> Any:
        self._take(opening)
        found = self._sum()
        self._take(closing)
        return found

    def _factor(self) -> Any:
        kind = self._kind()
        if kind == "number":
            text = self._take()
            return self._sympy.Integer(int(text)) if text.isdigit() else self._sympy.Float(text)
        if kind in ("letter", "greek"):
            return self._symbol(self._take() + self._index(), self._is_real, False)
        if kind == "(":
            return self._group("(", ")")
        if kind == "frac":
            self._take()
            above = self._group("{", "}")
            return self._ratio(above, self._group("{", "}"))
        if kind == "sqrt":
            self._take()
            root = self._group("[", "]") if self._kind() == "[" else None
            base = self._group("{", "}")
            half = self._sympy.S.Half if root is None else 1 / root
            return self._sympy.Pow(base, half, evaluate=False)
        raise _NotPlainError
