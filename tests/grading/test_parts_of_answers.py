"""A number that is a part of an answer is not the answer: formulas in plain text, two values, two units, options."""

from __future__ import annotations

import gzip
import json

import pytest

from sei.grading import MathGrader
from sei.records import Problem

GRADER = MathGrader(workers=1)


def verdict(gold: str, output: str, *options: str) -> str:
    return GRADER.grade(Problem(id="1", question="How much?", answer=gold, options=options), output).verdict


@pytest.mark.parametrize(
    ("output", "parts"),
    [
        ("The answer is √3.", "3"),
        ("The answer is 2√3.", "2 3"),
        ("So the length is 2√3 cm.", "2 3"),
        ("The radius is 2, so the area is 4π.", "4 2"),
        ("The area is 4π cm².", "4 2"),
        ("**Answer:** 4π cm²", "4 2"),
        ("Final answer: 2*sqrt(3)", "2 3"),
        ("The answer is sqrt(3)/2", "3 2"),
        ("The answer is (n+1)/2", "1 2"),
        ("The answer is n + 1", "1"),
        ("The answer is e^2", "2"),
        ("The answer is 2^n", "2"),
        ("The answer is x²", "2"),
        ("The answer is a/2", "2"),
        ("The answer is 2a", "2"),
        ("So the derivative is 3x^2.", "3 2"),
        ("So the derivative is 3x².", "3 2"),
        ("The answer is ln 3", "3"),
        ("The answer is sin(3)", "3"),
        ("(n+1)/2", "1 2"),
        ("So we get (n+1)/2", "1 2"),
        ("Thus f(n) = (n+1)/2", "1 2"),
        ("The mean is (n+1)/2.", "1 2"),
    ],
)
def test_a_number_in_a_plain_formula_is_not_the_answer(output, parts):
    """Each was right for its number."""
    for part in parts.split():
        assert verdict(part, output) != "right"


@pytest.mark.parametrize(
    "output",
    [
        "The answer is minus 3",
        "minus 3",
        "#### minus 3",
        "#### Negative 3",
        "\\boxed{minus 3}",
        "\\boxed{\\text{negative } 3}",
        "He gets minus 3 points.",
        "So the temperature is minus 3 degrees.",
    ],
)
def test_a_minus_sign_in_words_belongs_to_its_number(output):
    """``#### minus 3`` was right for 3 and wrong for -3."""
    assert verdict("-3", output) == "right"
    assert verdict("3", output) != "right"


def test_a_subtraction_in_words_is_no_sign():
    assert verdict("3", "He has 5 apples, 5 minus 3") == "right"
    assert verdict("2", "So 5 minus 3 gives 2") == "right"


@pytest.mark.parametrize(
    ("output", "gold"),
    [
        ("#### There are 3 negative roots", "3"),
        ("\\boxed{\\text{the non-negative solution is } 5}", "5"),
        ("#### x equals 5 (non-negative)", "5"),
        ("\\boxed{the negative root is discarded so 3}", "3"),
    ],
)
def test_negative_things_are_no_sign(output, gold):
    assert verdict(gold, output) == "right"


@pytest.mark.parametrize(
    ("output", "gold"),
    [
        ("The answer is 2√3.", "2\\sqrt{3}"),
        ("The area is 4π cm².", "4\\pi"),
        ("The answer is sqrt(3)/2", "\\frac{\\sqrt{3}}{2}"),
        ("The answer is 2^10", "1024"),
        ("The answer is 10³", "1000"),
        ("The area is 30 m².", "30"),
        ("The area is 30 cm^2.", "30"),
        ("The square has area $441\\text{ cm}^2$.", "441"),
        ("The volume is 20L", "20"),
        ("The answer is 9V", "9"),
        ("So she gets n + 2 = 7 apples", "7"),
        ("It costs $5/hour.", "5"),
        ("The answer is 12!", "12"),
        ("Option B-12 costs 5 dollars", "5"),
    ],
)
def test_whole_formulas_and_units_are_right(output, gold):
    assert verdict(gold, output) == "right"


@pytest.mark.parametrize(
    "output",
    [
        "Therefore, x = 3 or x = 4.",
        "Therefore $x = 3$ or $x = 4$.",
        "The answer is x = 3 or x = 4.",
        "Final answer: x = 3 or x = 4",
        "#### 3 or 4",
        "x = 3 or 4",
        "Either 3 or 4",
    ],
)
def test_two_open_values_are_wrong_for_either(output):
    assert [verdict(gold, output) for gold in ("3", "4")] == ["wrong", "wrong"]


def test_a_sign_that_is_left_open_is_no_value():
    for output in ("So $x = \\pm 4$.", "So x = ±4.", "x = -4 or 4"):
        assert verdict("4", output) == "wrong"


@pytest.mark.parametrize(
    ("output", "gold"),
    [
        ("This rearranges to $6^b = 36$, or $b = 2$.", "2"),
        ("so $5x=180$ or $x=36$.", "36"),
        ("This equals $50 \\cdot 12$, or $600$.", "600"),
        ("Solving for $x$ yields $x=1/5$, or $20$ percent.", "20"),
        ("That gives $2AB=20$ or $AB=10.$", "10"),
    ],
)
def test_or_may_say_the_same_again(output, gold):
    assert verdict(gold, output) == "right"


@pytest.mark.parametrize(
    "output",
    [
        "The trip takes 2 hours 30 minutes.",
        "The trip takes 2 hours and 30 minutes",
        "It is \\boxed{2 \\text{ feet } 30 \\text{ inches}}",
        "The answer is 2 dollars and 30 cents.",
        "The answer is 30 remainder 2",
        "Thus \\boxed{30 \\text{ remainder } 2}",
    ],
)
def test_a_quantity_of_two_units_is_neither_number(output):
    assert [verdict(gold, output) for gold in ("2", "30")] == ["wrong", "wrong"]


@pytest.mark.parametrize(
    ("options", "at"),
    [
        (("True, True", "False, False", "True, False", "False, True"), 2),
        (("25 meters", "25 kilometers", "40 meters"), 0),
        (("low and high", "high and low"), 1),
        (("Bb Bb", "BB BB", "bb bb"), 0),
    ],
)
def test_the_very_words_of_an_option_name_it(options, at):
    for output in (f"\\boxed{{{options[at]}}}", f"The answer is {options[at]}."):
        assert verdict("ABCD"[at], output, *options) == "right"
        assert verdict("ABCD"[at - 1], output, *options) == "wrong"


def test_the_text_of_the_right_option_is_right_in_mmlu(shared_data):
    """107 of 3,018 were wrong; those that are left are another option's letter, or equal to another option."""
    with gzip.open(shared_data / "mmlu_stem" / "test.jsonl.gz", "rt", encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    asked = [
        (Problem(id=str(i), question=r["question"], answer="ABCD"[r["answer"]], options=tuple(r["choices"])), r)
        for i, r in enumerate(rows)
    ]
    found = GRADER.grade_all([(p, f"\\boxed{{{r['choices'][r['answer']]}}}", True) for p, r in asked])
    assert sum(o.verdict != "right" for o in found) <= 8


@pytest.mark.parametrize(
    "output",
    [
        "So the total is 1 200.",
        "So the total is 1\u202f200 dollars.",
        "He pays $1 200 in all.",
        "The answer is 1 200 because each of the 4 pays 300.",
        "So they need 1 200",
        "The total is $1~200$.",
        "The answer is \\boxed{1~200}.",
        "#### 1_200",
    ],
)
def test_digits_grouped_by_blanks_are_one_number(output):
    """The last number of a plain sentence was read as 200."""
    assert verdict("1200", output) == "right"
    assert verdict("200", output) != "right"


@pytest.mark.parametrize(
    ("output", "gold"),
    [
        ("So he pays 1 200 000 dollars in all.", "1200000"),
        ("So he pays 1 200.50 dollars in all.", "1200.5"),
        ("So in room 1 200 people sit", "200"),
        ("On May 3 500 people came", "500"),
        ("In 2023 500 people came", "500"),
        ("There were 3 400 people", "3400"),
        ("The list ends with 12 34 200", "200"),
    ],
)
def test_digits_that_are_no_group_stay_apart(output, gold):
    assert verdict(gold, output) == "right"
