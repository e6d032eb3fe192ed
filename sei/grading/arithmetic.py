r"""Exact arithmetic on short answers: numbers, fractions, sums, products and powers of plain numbers.

``evaluate`` reads tidied text by recursive descent and returns a ``Fraction``, or ``None`` for anything but plain
arithmetic (letters, roots, functions), which is left to computer algebra. Nesting, digits and exponents are limited, so
a power tower costs nothing.
"""

from __future__ import annotations

import re
from fractions import Fraction

_MAX_DEPTH = 40
_MAX_DIGITS = 1_000
_MAX_BITS = 8_192

_TOKEN = re.compile(
    r"\s*(?:(?P<num>\d+(?:\.\d+)?|\.\d+)(?:\.?(?P<rep>\\overline\s*\{\d+\}))?(?P<exp>[eE][-+]?\d{1,3}(?![\d.]))?"
    r"|(?P<frac>\\frac)|(?P<times>\\times|\\cdot|\*(?!\*))|(?P<div>/|\\div(?![a-zA-Z]))|(?P<pow>\*\*|\^)"
    r"|(?P<open>[({\[])|(?P<close>[)}\]])|(?P<plus>\+)|(?P<minus>-))"
)
_CLOSES = {"(": ")", "{": "}", "[": "]"}


class _NotArithmetic(Exception):  # noqa: N818  # used for control flow in this file only
    pass


def evaluate(text: str) -> Fraction | None:
    r"""Return the exact value of plain arithmetic, or ``None`` for anything else.

    ``1 1/2`` and ``1\frac{1}{2}`` are mixed numbers; ``0.\overline{3}`` repeats.
    """
    if len(text) > _MAX_DIGITS * 2 or not text:
        return None
    try:
        reader = _Reader(text)
        value = reader.sum(0)
        return value if reader.at == len(reader.tokens) else None
    except (_NotArithmetic, ZeroDivisionError, OverflowError, RecursionError):
        return None


def mixed(text: str) -> Fraction | None:
    """Return the number, fraction or mixed number that a text begins with, or ``None``."""
    m = re.match(r"\s*[-+]?\s*(?:\d+\s+\d+\s*/\s*\d+|(?:\d+(?:\.\d+)?|\.\d+)(?:\s*/\s*\d+)?)", text)
    return evaluate(m.group()) if m else None


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str, int]] = []  # kind, text, number of spaces before
        at = 0
        text = text.rstrip()
        while at < len(text):
            m = _TOKEN.match(text, at)
            if m is None or m.end() == at:
                raise _NotArithmetic
            kind = m.lastgroup or ""
            body = m.group().strip()
            kind = "num" if m["num"] is not None else kind
            self.tokens.append((kind, body, len(m.group()) - len(m.group().lstrip())))
            at = m.end()
        self.at = 0

    def kind(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1][1]

    def sum(self, depth: int) -> Fraction:
        if depth > _MAX_DEPTH:
            raise _NotArithmetic
        value = self.product(depth)
        while self.kind() in ("plus", "minus"):
            sign = -1 if self.take() == "-" else 1
            value += sign * self.product(depth)
        return value

    def product(self, depth: int) -> Fraction:
        value = self.signed(depth)
        while True:
            kind = self.kind()
            if kind == "times":
                self.take()
                value *= self.signed(depth)
            elif kind == "div":
                self.take()
                value /= self.signed(depth)
            elif kind == "open" or kind == "frac":
                value *= self.power(depth)
            else:
                return _bounded(value)

    def signed(self, depth: int) -> Fraction:
        if self.kind() in ("plus", "minus"):
            sign = -1 if self.take() == "-" else 1
            if self.kind() in ("plus", "minus"):
                raise _NotArithmetic
            return sign * self.power(depth)
        return self.power(depth)

    def power(self, depth: int) -> Fraction:
        base = self.atom(depth)
        if self.kind() != "pow":
            return base
        self.take()
        exponent = self.signed(depth) if self.kind() == "minus" else self.atom(depth)
        if self.kind() == "pow" or exponent.denominator != 1:
            raise _NotArithmetic
        size = max(base.numerator.bit_length(), base.denominator.bit_length())
        if abs(exponent.numerator) * max(1, size) > _MAX_BITS:
            raise _NotArithmetic
        return Fraction(base**exponent.numerator)

    def atom(self, depth: int) -> Fraction:
        kind = self.kind()
        if kind == "num":
            return self.number()
        if kind == "frac":
            self.take()
            top = self.group(depth)
            return top / self.group(depth)
        if kind == "open":
            return self.group(depth)
        raise _NotArithmetic

    def group(self, depth: int) -> Fraction:
        if self.kind() != "open":
            raise _NotArithmetic
        close = _CLOSES[self.take()]
        value = self.sum(depth + 1)
        if self.kind() != "close" or self.take() != close:
            raise _NotArithmetic
        return value

    def number(self) -> Fraction:
        value = _read(self.take())
        if value.denominator == 1 and self.kind() == "num" and self.at + 2 < len(self.tokens):
            top, slash, bottom = self.tokens[self.at : self.at + 3]  # a mixed number such as 1 1/2
            if (
                slash[0] == "div"
                and slash[1] == "/"
                and bottom[0] == "num"
                and top[1].isdigit()
                and bottom[1].isdigit()
            ):
                self.at += 3
                return value + Fraction(int(top[1]), int(bottom[1]))
        if value.denominator == 1 and self.kind() == "frac":
            part = self.atom(0)  # 1\frac{1}{2}
            return value + part if 0 <= part < 1 else value * part
        return value


def _read(text: str) -> Fraction:
    if len(text) > _MAX_DIGITS:
        raise _NotArithmetic
    m = re.fullmatch(r"(\d*)(?:\.(\d*))?(?:\\overline\s*\{(\d+)\})?(?:[eE]([-+]?\d+))?", text)
    if m is None:
        raise _NotArithmetic
    whole, decimals, repeated, exponent = m[1] or "0", m[2] or "", m[3], m[4]
    value = Fraction(int(whole + decimals), 10 ** len(decimals))
    if repeated:
        value += Fraction(int(repeated), (10 ** len(repeated) - 1) * 10 ** len(decimals))
    return value * Fraction(10) ** int(exponent) if exponent else value


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > 4 * _MAX_BITS:
        raise _NotArithmetic
    return value
