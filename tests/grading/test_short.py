r"""The reader of plain formulas makes the objects that Math-Verify's parser makes, or leaves the formula to it."""

from __future__ import annotations

import random
from typing import Any

import pytest
import sympy
from latex2sympy2_extended import latex2sympy2

from sei.grading.short import conversion, plain

pytestmark = pytest.mark.long

PLAIN = [
    "3", "007", "1.50", "-2", "- -2", "+5", "2 3", r"2\frac{1}{2}", r"-2\frac{1}{2}", "1/2/3", "2^3", "2^{-1}",
    "x^{10}", "2x", "-2xy+3", "x^2+2x+1", "x-3-4", "3(x+1)(x-1)",
    "x(x+1)", "(x)", r"\frac{1}{x+1}", r"\dfrac{2}{4}",
    r"\sqrt{2}", r"\sqrt[3]{5}", r"\frac{192\sqrt{14}}{25}", r"2\pi", r"\pi r^2", r"3 \cdot 4", r"2\times-3",
    "4/x", "x_1+x_{12}", "a_n^2", "y=2x+3", "x^2 + y^2 = 9", "x=y=2", "1+2=3=x=y", r"3\,000", "X+x",
    r"\theta^2", "7-2i", "2(3)", r"0\cdot x",
]  # fmt: skip
LEFT = [
    "f(x)", "x(2)", r"\pi (x_1)", "tr", "abc", "e^2", "dx", "2E5", "x^T", "x^{T}", "x!", r"\sin x", "x<3", "{1}",
    "x^2^3", "1,2", "2.", "[3]", "", "(", "2+", "x_{ab}", "2^x_1", r"\frac12", r"\gamma",
    "(" * 60 + "1" + ")" * 60, "-" * 60 + "1",
]  # fmt: skip


def shown(found: Any) -> str:
    """Return an object with the order of its arguments, and of a chain's equations."""
    return sympy.srepr(found) + str(getattr(found, "_unsorted_args", ""))


def from_library(latex: str, *, is_real: bool) -> Any:
    written = {"normalization_config": None, "conversion_config": conversion()}
    return latex2sympy2.latex2sympy(latex, is_real=is_real, convert_degrees=False, **written)


@pytest.mark.parametrize("latex", PLAIN)
def test_plain_formulas_are_read_as_the_library_reads_them(latex):
    for is_real in (True, False):
        assert shown(plain(latex, is_real=is_real)) == shown(from_library(latex, is_real=is_real))


@pytest.mark.parametrize("latex", LEFT)
def test_other_formulas_are_left_to_the_library(latex):
    assert plain(latex, is_real=True) is None


def test_formulas_made_at_random_are_read_the_same():
    rng, read = random.Random(0), 0
    for _ in range(120):
        latex = "=".join(made(rng, 2) for _ in range(rng.choice((1, 1, 2, 3))))
        found = plain(latex, is_real=True)
        if found is not None:
            read += 1
            assert shown(found) == shown(from_library(latex, is_real=True)), latex
    assert read > 90


def made(rng: random.Random, depth: int) -> str:
    """Return a formula made at random."""
    kind = rng.randrange(8) if depth else 0
    if kind < 2:
        return rng.choice(["2", "10", "0", "1.5", "x", "y", "X", "i", r"\pi ", r"\theta", "x_1", "a_{12}"])
    a, b = made(rng, depth - 1), made(rng, depth - 1)
    return [
        rf"\frac{{{a}}}{{{b}}}",
        rf"\sqrt{{{a}}}",
        f"({a}){rng.choice(['', '^2'])}",
        f"{a}{rng.choice(['+', '-', '--'])}{b}",
        f"{a}{rng.choice(['', ' '])}{b}",
        a + rng.choice([r" \cdot ", "/", "*", "/-"]) + b,
    ][kind - 2]
