from __future__ import annotations

from fractions import Fraction

import pytest

import sei.grading.grader
from sei.grading import MathGrader
from sei.grading.arithmetic import evaluate
from sei.grading.extract import boxes, extract_flexible, extract_strict, visible
from sei.grading.text import tidy
from sei.records import Problem
from tests.grading.outputs import OUTPUTS


@pytest.mark.parametrize(
    ("output", "flexible", "strict"),
    [
        ("5*3=<<5*3=15>>15 eggs\n#### 15", "15", "15"),
        ("first #### 3 then\n#### 4", "4", "4"),
        ("so \\boxed{42} it is, in 3 ways", "42", "42"),
        ("The answer is $1,250.", "$1,250", None),
        ("She has 3 apples and 4 pears, 7 in all", "7", None),
        ("12-5", "5", None),
        ("no number here", None, None),
        ("", None, None),
        ("<think>the answer is 3</think>The answer is 4.", "4", None),
        ("<think>the answer is 3", None, None),
        ("\\boxed{3} and then \\boxed{}", "", None),
        ("#### Step 2: add\n5+5=10\n\\boxed{10}", "10", "10"),
        ("**Final Answer**\n\n\\[ \\frac{3}{4} \\]", "\\frac{3}{4}", None),
    ],
)
def test_extraction(output, flexible, strict):
    stated = extract_flexible(output)
    assert (stated.text if stated else None) == flexible
    assert extract_strict(output) == strict


def test_boxes_keep_nested_braces_and_mark_unclosed_ones():
    assert [c for _, c in boxes("\\boxed{\\frac{1}{2}} \\fbox{3} \\boxed{4")] == ["\\frac{1}{2}", "3", None]
    assert [c for _, c in boxes("\\boxed{\\{1,2\\}}")] == ["\\{1,2\\}"]


def test_what_was_thought_is_not_said():
    assert visible("<think>a</think>b<thinking>c</thinking>d").strip() == "b d".replace(" ", " ")
    assert visible("thought without a start</think>said") == "said"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 1/2", Fraction(3, 2)),
        ("2\\frac{1}{3}", Fraction(7, 3)),
        ("-\\frac{3}{4}", Fraction(-3, 4)),
        ("3 \\cdot 2^5", Fraction(96)),
        ("0.\\overline{27}", Fraction(3, 11)),
        ("1.5 \\times 10^{-3}", Fraction(3, 2000)),
        ("12-5", Fraction(7)),
        ("1/0", None),
        ("x+1", None),
        ("2^{2^{99}}", None),
        ("9" * 1_500, None),
        ("(" * 500 + "1" + ")" * 500, None),
    ],
)
def test_exact_arithmetic(text, value):
    assert evaluate(text) == value


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("$\\dfrac{17}{145}$.", "\\frac{17}{145}"),
        ("3,\\!110,\\!400", "3110400"),
        ("10{,}000", "10000"),
        ("1 234 567", "1234567"),
        ("1, 234", "1, 234"),
        ("(3,331)", "(3,331)"),
        ("\\$18.50", "18.50"),
        ("\\text{Evelyn}", "Evelyn"),
        ("3½", "3\\frac{1}{2}"),
        ("−5", "-5"),
        ("90^\\circ", "90"),
        ("\\left(\\frac12\\right)", "(\\frac{1}{2})"),
    ],
)
def test_one_spelling(text, spelling):
    assert tidy(text) == spelling


ENDINGS = [
    "#### {}",
    "so \\boxed{{{}}}.",
    "The answer is {}.",
    "That makes {} in all.",
    "She pays $ {}.",
    "x = {}",
    "12-{}",
]
ENDINGS += [
    "The answer is: {}",
    "{} apples",
    "It is {}%",
    "half of it, 1/{}",
    "1 1/{}",
    "Thus, the answer is {}\nfinal check",
]
BEFORE = [
    "",
    "3+4=<<3+4=7>>7\n",
    "The answer is 9.\n",
    "<think>5</think>",
    "**A:** 6\n",
    "\\boxed{8} but\n",
    "the result is 4\n",
]


def test_the_fast_path_says_what_the_general_path_says(monkeypatch):
    """If the fast path decides, verdicts and extracted answers must be those of the general path."""
    cases = [(g, o) for g, o, _ in OUTPUTS]
    cases += [("7", b + e.format(n)) for b in BEFORE for e in ENDINGS for n in ("7", "-7", "7.0", "1,007", "8", "$7")]
    problems = [(Problem(id="x", question="", answer=g), o) for g, o in cases]
    for finished in (True, False):
        fast = [MathGrader().grade(p, o, finished=finished) for p, o in problems]
        decided = sum(sei.grading.grader.stated_plainly(o, finished=finished) is not None for _, o in problems)
        assert decided > 100
        with monkeypatch.context() as patch:
            patch.setattr(sei.grading.grader, "stated_plainly", lambda *_, **__: None)
            slow = [MathGrader().grade(p, o, finished=finished) for p, o in problems]
        different = [
            (o, a, b)
            for (_, o), a, b in zip(cases, fast, slow, strict=True)
            if (a.verdict, a.strict_verdict) != (b.verdict, b.strict_verdict)
        ]
        assert different == []
