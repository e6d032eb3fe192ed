from __future__ import annotations

from fractions import Fraction

import pytest

from sei.errors import DataError
from sei.grading import NumericGrader, extract_flexible, extract_strict, parse_number

EQUAL = [
    ("12", "12.0"),
    ("1,234", "1234"),
    ("$1,234.50", "1234.5"),
    ("60%", "60"),
    ("3/4", "0.75"),
    ("1 1/2", "1.5"),
    ("-7", "\u22127"),
    ("5 apples", "5"),
    (".5", "1/2"),
    ("$ 18", "18 dollars"),
    ("+4", "4"),
    ("1,000,000", "1000000"),
]
DIFFERENT = [("12", "-12"), ("0.33", "1/3"), ("1234", "1.234"), ("7", "7.1"), ("1/2", "1/3"), ("100", "1000")]


@pytest.mark.parametrize(("a", "b"), EQUAL)
def test_equal_values_in_other_forms_are_right_both_ways(a, b):
    grader = NumericGrader()
    assert grader.grade(a, f"#### {b}").verdict == "right"
    assert grader.grade(b, f"#### {a}").verdict == "right"


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_other_values_are_wrong_both_ways(a, b):
    grader = NumericGrader()
    assert grader.grade(a, f"#### {b}").verdict == "wrong"
    assert grader.grade(b, f"#### {a}").verdict == "wrong"


@pytest.mark.parametrize(
    ("output", "flexible", "strict"),
    [
        ("5*3=<<5*3=15>>15 eggs\n#### 15", "15", "15"),
        ("first #### 3 then\n#### 4", "4", "4"),
        ("so \\boxed{42} it is, in 3 ways", "42", None),
        ("The answer is $1,250.", "$1,250", None),
        ("She has 3 apples and 4 pears, 7 in all", "7", None),
        ("12-5", "5", None),
        ("no number here", None, None),
        ("", None, None),
    ],
)
def test_extraction(output, flexible, strict):
    assert extract_flexible(output) == flexible
    assert extract_strict(output) == strict


def test_an_output_cut_at_the_cap_has_no_last_number():
    assert extract_flexible("she has 3 and then 4", finished=False) is None
    assert extract_flexible("she has 3\n#### 4", finished=False) == "4"
    assert NumericGrader().grade("4", "3 and 4", finished=False).verdict == "unreadable"


def test_strict_and_flexible_are_reported_apart():
    outcome = NumericGrader().grade("7", "that makes 7")
    assert (outcome.verdict, outcome.strict_verdict) == ("right", "unreadable")


def test_a_gold_answer_that_is_no_number_is_a_fault_of_the_data():
    with pytest.raises(DataError, match="blue"):
        NumericGrader().grade("blue", "#### 3")


def test_long_and_hostile_outputs_are_quick():
    import time

    start = time.perf_counter()
    for text in ("9" * 200_000, "1," * 100_000, "\\boxed{" * 50_000, "#### " * 50_000, "1/0", "1 1/0"):
        NumericGrader().grade("3", text)
    assert time.perf_counter() - start < 4


def test_division_by_zero_is_no_number():
    assert parse_number("1/0") is None
    assert parse_number("3 1/0") is None
    assert parse_number("2/4") == Fraction(1, 2)


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_gold_answer_of_gsm8k_grades_itself_right(shared_data, split):
    import gzip
    import json

    grader = NumericGrader()
    with gzip.open(shared_data / f"gsm8k/main/{split}.jsonl.gz", "rt", encoding="utf-8", newline="\n") as f:
        rows = [json.loads(line) for line in f]
    assert len(rows) in (7473, 1319)
    refused = [r for r in rows if grader.grade(extract_strict(r["answer"]), r["answer"]).strict_verdict != "right"]
    assert refused == []
