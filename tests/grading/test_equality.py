from __future__ import annotations

import pytest

from sei.grading import MathGrader
from sei.records import Problem
from tests.grading import letter_cases as letters
from tests.grading.choice_cases import CHOICES
from tests.grading.outputs import OUTPUTS
from tests.grading.pairs import DIFFERENT, EQUAL

GRADER = MathGrader()


def verdict(gold: str, output: str, options: tuple[str, ...] = (), question: str = "") -> str:
    outcome = GRADER.grade(Problem(id="x", question=question, answer=gold, options=options), output)
    return f"fault: {outcome.fault}" if outcome.fault else outcome.verdict


def boxed(answer: str) -> str:
    return f"We get \\boxed{{{answer}}}."


def test_the_tables_are_large_and_hold_no_pair_twice():
    pairs = [frozenset(p) for p in EQUAL + DIFFERENT]
    assert len(pairs) == len(set(pairs)) >= 400


@pytest.mark.parametrize(("a", "b"), EQUAL + letters.EQUAL)
def test_equal_answers_are_right_both_ways(a, b):
    assert verdict(a, boxed(b)) == "right"
    assert verdict(b, boxed(a)) == "right"


@pytest.mark.parametrize(("a", "b"), DIFFERENT + letters.DIFFERENT)
def test_different_answers_are_never_right(a, b):
    assert verdict(a, boxed(b)) in ("wrong", "unreadable")
    assert verdict(b, boxed(a)) in ("wrong", "unreadable")


@pytest.mark.parametrize(("gold", "output", "wanted"), OUTPUTS + letters.OUTPUTS)
def test_whole_outputs(gold, output, wanted):
    assert verdict(gold, output) == wanted


@pytest.mark.parametrize(("gold", "options", "output", "wanted"), CHOICES + letters.CHOICES)
def test_choices_by_letter_and_by_value(gold, options, output, wanted):
    assert verdict(gold, output, options) == wanted


def test_options_may_stand_in_the_question():
    question = "Which is largest? (A) 3 (B) $\\frac{7}{2}$ (C) 1"
    assert verdict("B", "The answer is $\\frac{7}{2}$.", question=question) == "right"
    assert verdict("\\text{(B)}", boxed("\\text{B}"), question=question) == "right"
    assert verdict("B", boxed("3"), question=question) == "wrong"


def test_a_gold_value_may_be_named_by_its_letter():
    assert verdict("3.5", boxed("B"), ("(A) 3", "(B) 3.5")) == "right"
    assert verdict("3.5", boxed("A"), ("(A) 3", "(B) 3.5")) == "wrong"


def test_an_output_cut_at_the_cap_has_no_last_number():
    cut = {"finished": False}
    problem = Problem(id="x", question="", answer="4")
    assert GRADER.grade(problem, "she has 3 and then 4", **cut).verdict == "unreadable"
    assert GRADER.grade(problem, "she has 3\n#### 4", **cut).verdict == "right"
    assert GRADER.grade(problem, "she has 3 and then 4").verdict == "right"


def test_strict_and_flexible_are_reported_apart():
    outcome = GRADER.grade(Problem(id="x", question="", answer="7"), "that makes 7")
    assert (outcome.verdict, outcome.strict_verdict) == ("right", "unreadable")
    outcome = GRADER.grade(Problem(id="x", question="", answer="7"), "#### 7\nNo: the final answer is 8.")
    assert (outcome.verdict, outcome.strict_verdict) == ("wrong", "right")
    choice = Problem(id="x", question="", answer="B", options=("(A) 3", "(B) 4"))
    outcome = GRADER.grade(choice, "The answer is (B).")
    assert (outcome.verdict, outcome.strict_verdict) == ("right", "unreadable")


def test_a_time_of_day_is_nothing_else():
    assert verdict("\\text{4:30 p.m.}", boxed("7200 \\text{ seconds}")) == "wrong"
    assert verdict("7200", boxed("4:30 pm")) == "wrong"
    assert verdict("4:30 PM", boxed("4:30\\text{ p.m.}")) == "right"


def test_an_unreadable_gold_answer_is_a_fault_not_a_wrong_answer():
    outcome = GRADER.grade(Problem(id="x", question="", answer="\\frac{1}{"), boxed("3"))
    assert outcome.fault
    assert GRADER.check_gold((Problem(id="odd", question="", answer="\\frac{1}{"),)) == ["odd"]
