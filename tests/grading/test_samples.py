"""Values at sample points: exact ones are those of a substitution, and formulas that differ are told apart."""

from __future__ import annotations

import random

import pytest
from sympy import I, Integer, Pow, Rational, Symbol, sin, sqrt

from sei.grading import MathGrader, samples
from sei.grading.samples import close, sampled
from sei.records import Problem

X, Y = Symbol("x"), Symbol("y")


def expression(rng: random.Random, depth: int = 3):
    if depth == 0 or rng.random() < 0.2:
        return rng.choice([X, Y, I, Integer(rng.randint(-9, 9)), Rational(rng.randint(-9, 9), rng.randint(1, 9))])
    a, b = expression(rng, depth - 1), expression(rng, depth - 1)
    return rng.choice([a + b, a - b, a * b, Pow(a, rng.randint(-2, 3), evaluate=False)])


def values_by_substitution(monkeypatch, a, b):
    with monkeypatch.context() as m:
        m.setattr(samples, "_is_rational", lambda _: False)
        return sampled(a, b)


def test_exact_values_are_those_of_a_substitution(monkeypatch):
    rng, compared = random.Random(3), 0
    for _ in range(60):
        a, b = expression(rng), expression(rng)
        exact, slow = sampled(a, b), values_by_substitution(monkeypatch, a, b)
        assert len(exact) == len(slow), (a, b)
        for pair, other in zip(exact, slow, strict=True):
            assert all(close(x, y) for x, y in zip(pair, other, strict=True)), (a, b, pair, other)
            compared += 1
    assert compared > 300


def test_a_rational_function_is_not_substituted(monkeypatch):
    monkeypatch.setattr(samples, "_by_sympy", lambda *_: pytest.fail("substituted"))
    assert len(sampled((X**2 - Y) / (X + I), X**90)) == 24


@pytest.mark.parametrize("other", [sin(X), sqrt(X), X**Y, X**500])
def test_anything_else_is_substituted(monkeypatch, other):
    asked = []
    real = samples._by_sympy
    monkeypatch.setattr(samples, "_by_sympy", lambda *given: asked.append(given) or real(*given))
    assert sampled(X, other)
    assert asked


def test_a_point_where_one_divides_by_zero_is_left_out():
    points = len(sampled(X, X))
    x = sampled(X, X)[0][0]
    assert len(sampled(X, 1 / (X - x))) == points - sum(bool(v == x) for v, _ in sampled(X, X))


def test_an_exact_value_with_too_many_digits_is_substituted(monkeypatch):
    monkeypatch.setattr(samples, "_MOST_BITS", 10)
    asked = []
    real = samples._by_sympy
    monkeypatch.setattr(samples, "_by_sympy", lambda *given: asked.append(given) or real(*given))
    assert len(sampled(X**3, X**3 + 1)) == 24
    assert asked


@pytest.mark.parametrize(
    ("gold", "stated", "right"),
    [
        ("2", "which is approximately 1.414", False),
        (r"\sqrt{2}", "none of the above (A/B/C/D)", False),
        ("7", "7 apples in the basket", True),
        ("12", "12 square feet", True),
        ("abcd+1", "abcd + 1", True),
    ],
)
def test_a_phrase_is_no_product_of_letters(gold, stated, right):
    outcome = MathGrader().grade(Problem(id="1", question="", answer=gold), rf"\boxed{{{stated}}}")
    assert (outcome.verdict == "right") is right


def test_a_phrase_beside_a_number_needs_no_algebra(monkeypatch):
    from sei.grading import equality

    monkeypatch.setattr(equality, "ask", lambda *_, **__: pytest.fail("asked"))
    assert not equality.same_leaf("2", "which is approximately 1.414", 1.0)
