from __future__ import annotations

import ast
from pathlib import Path

import pytest

from sei.grading import deduction
from sei.grading.deduction import NameGrader, mentioned, names_of
from sei.ports import Grader
from sei.records import PoolProblem

QUESTION = "Of Ann and Bob, Ann is the taller one. When we look, Cy is shorter than Bob. Who of them is the tallest?"
PROBLEM = PoolProblem(id="p", question=QUESTION, answer="Ann", solution="Ann > Bob\nBob > Cy\nAnn > Bob > Cy\n#### Ann")


def test_it_fulfils_the_port():
    assert isinstance(NameGrader(), Grader)


@pytest.mark.parametrize(
    ("output", "flexible", "strict", "extracted"),
    [
        ("Ann > Bob\n#### Ann", "right", "right", "Ann"),
        ("#### ANN.", "right", "right", "Ann"),
        ("####Ann", "right", "right", "Ann"),
        ("#### **Ann** is the tallest", "right", "right", "Ann"),
        ("#### Bob\n#### Ann", "right", "right", "Ann"),
        ("#### Ann\n#### Bob", "wrong", "wrong", "Bob"),
        ("Ann > Bob\n#### Bob", "wrong", "wrong", "Bob"),
        ("#### Ann, Bob", "wrong", "wrong", "Ann, Bob"),
        ("#### Dora", "unreadable", "unreadable", ""),
        ("#### Anna", "unreadable", "unreadable", ""),
        ("#### JoAnn", "unreadable", "unreadable", ""),
        ("#### 12", "unreadable", "unreadable", ""),
        ("#### not Ann", "unreadable", "unreadable", ""),
        ("####", "unreadable", "unreadable", ""),
        ("", "unreadable", "unreadable", ""),
        ("The tallest is Ann", "right", "unreadable", "Ann"),
        ("Bob is small\nso it is ann\n", "right", "unreadable", "Ann"),
        ("####\nAnn", "right", "unreadable", "Ann"),
        ("Ann is not it, it is Bob", "wrong", "unreadable", "Bob"),
        ("Ann\nI do not know", "unreadable", "unreadable", ""),
    ],
)
def test_three_verdicts_strict_and_flexible(output, flexible, strict, extracted):
    outcome = NameGrader().grade(PROBLEM, output)
    assert (outcome.verdict, outcome.strict_verdict, outcome.extracted) == (flexible, strict, extracted)
    assert outcome.fault == ""


def test_in_a_cut_output_only_what_is_marked_counts():
    grader = NameGrader()
    assert grader.grade(PROBLEM, "so it is Ann", finished=False).verdict == "unreadable"
    assert grader.grade(PROBLEM, "so it is Ann", finished=True).verdict == "right"
    assert grader.grade(PROBLEM, "#### Ann", finished=False).verdict == "right"


def test_an_output_is_right_for_one_gold_and_wrong_for_another():
    other = PoolProblem(id="q", question=QUESTION, answer="Cy")
    for name, right, wrong in (("Ann", PROBLEM, other), ("Cy", other, PROBLEM)):
        assert NameGrader().grade(right, f"#### {name}").verdict == "right"
        assert NameGrader().grade(wrong, f"#### {name}").verdict == "wrong"


@pytest.mark.parametrize(
    ("question", "names"),
    [
        (QUESTION, ["Ann", "Bob", "Cy"]),
        ("Find the one between Zoë and José.", ["Zoë", "José"]),
        ("Mary Ann is older than Bob-Lee O'Brien. Is Ann's dog older?", ["Mary Ann", "Bob-Lee O'Brien", "Ann"]),
        ("Who is it?", []),
    ],
)
def test_names_are_capitalised_words_not_mere_sentence_starts(question, names):
    assert names_of(question) == names


def test_the_longest_name_is_meant():
    assert mentioned("#### Mary Ann", ["Ann", "Mary Ann"]) == ["Mary Ann"]
    assert mentioned("Ann or Mary Ann", ["Ann", "Mary Ann"]) == ["Ann", "Mary Ann"]


def test_gold_answers_and_solutions_are_checked():
    bare = PoolProblem(id="bare", question=QUESTION, answer="Ann")
    stranger = PoolProblem(id="stranger", question=QUESTION, answer="Dora")
    false = PoolProblem(id="false", question=QUESTION, answer="Ann", solution="Bob > Ann\n#### Bob")
    assert NameGrader().check_gold((PROBLEM, bare, stranger, false)) == ["stranger", "false"]


def test_it_knows_nothing_of_numbers():
    tree = ast.parse(Path(deduction.__file__).read_text())
    imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert {m for m in imported if m.startswith("sei")} == {"sei.exchange", "sei.parts", "sei.records"}
    assert NameGrader().grade(PROBLEM, "#### 1\n2 Ann 3").extracted == "Ann"
