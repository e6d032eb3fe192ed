"""Thoughts in training rows: kept or removed, by option; a thought alone is not a solution."""

from __future__ import annotations

import pytest

from sei.grading.said import without_thoughts
from sei.stages.curriculum import Curriculum
from sei.store import digest
from tests.builders import problem, screen

THOUGHT = "<think>Is it 3? Or {4}?</think>\n\n2+2=4\n#### 4"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (THOUGHT, "2+2=4\n#### 4"),
        ("Is it 3?</think>\n#### 4", "#### 4"),
        ("#### 4\n<think>but", "#### 4"),
        ("[THINK]so[/THINK]#### 4", "#### 4"),
        ("2 < 3 and 4 > 3\n#### 4", "2 < 3 and 4 > 3\n#### 4"),
        ("<think>only this", ""),
    ],
)
def test_thoughts_are_told_from_what_is_said(text, said):
    assert without_thoughts(text) == said


@pytest.mark.parametrize(("thinking", "solution"), [("keep", THOUGHT), ("strip", "2+2=4\n#### 4")])
def test_thoughts_are_kept_or_taken_out(thinking, solution):
    lesson = Curriculum(replay=1, thinking=thinking)((), [problem(1, "2+2?", solution=THOUGHT)], screen(), seed=0)
    assert [x.solution for x in lesson.examples] == [solution]


def test_a_solution_that_is_thought_alone_is_withheld():
    rows = [problem(1, "2+2?", solution="<think>hm</think>")]
    lesson = Curriculum(replay=1, thinking="strip")((), rows, screen(), seed=0)
    assert [(w.reason, w.subject) for w in lesson.withheld] == [("only_thoughts", rows[0].id)]
    assert digest(Curriculum()) == digest(Curriculum(thinking="keep")) != digest(Curriculum(thinking="strip"))
