"""Which rounds' data were used to train a round's weights."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sei.records import Checkpoint, RefinedSet, Scored
from sei.stages.curriculum import Curriculum
from tests.builders import candidate, problem, screen


@pytest.mark.parametrize(
    ("start_from", "number", "behind"),
    [("base", 0, ()), ("base", 3, (3,)), ("previous", 0, ()), ("previous", 1, (1,)), ("previous", 3, (1, 2, 3))],
)
def test_weights_that_go_on_have_all_rounds_behind_them(start_from, number, behind):
    assert Curriculum(start_from=start_from).rounds_behind(number) == behind


def refined(number: int, n: int) -> RefinedSet:
    made = (candidate(f"s{number}-{i}", (f"round {number} item {i} says {i}", "s")) for i in range(n))
    return RefinedSet(scored=tuple(Scored(example=e, score=0.0, kept=True, reason="") for e in made))


def test_a_curriculum_takes_all_rounds_or_one_and_replays():
    history, solved = (refined(1, 3), refined(2, 2)), [problem(i) for i in range(10)]
    both = Curriculum(replay=4)(history, solved, screen(), seed=0)
    assert [x.source for x in both.examples].count("replay") == 4
    assert len(both.examples) == 9
    alone = Curriculum(train_on="this_round", replay=0)(history, solved, screen(), seed=0)
    assert [x.id for x in alone.examples] == ["s2-0", "s2-1"]
    again, other = (
        Curriculum(replay=4)(history, solved, screen(), seed=0),
        Curriculum(replay=4)(history, solved, screen(), seed=1),
    )
    assert again == both != other
    base, now = Checkpoint(digest="b"), Checkpoint(digest="n")
    assert Curriculum().start(base, now) is base
    assert Curriculum(start_from="previous").start(base, now) is now


@pytest.mark.parametrize("thinking", ["keep", "strip"])
def test_problems_without_a_solution_teach_no_empty_answer(thinking):
    """Rows without a worked solution were replayed as empty answers."""
    solved = [replace(problem(i), solution="" if i < 5 else "1+1=2") for i in range(10)]
    lesson = Curriculum(replay=9, thinking=thinking)((refined(1, 2),), solved, screen(), seed=0)
    assert all(x.solution for x in lesson.examples)
    assert sum(x.source == "replay" for x in lesson.examples) == 5
    assert [r.reason for r in lesson.withheld] == ["no_solution"] * 5


def test_what_is_now_validation_is_withheld_and_counted():
    apart = screen("round 1 item 0 says 0", problem(0).question)
    lesson = Curriculum(replay=9)((refined(1, 2),), [problem(0), problem(1)], apart, seed=0)
    assert {x.id for x in lesson.examples} == {"s1-1", "p1"}
    assert {r.subject for r in lesson.withheld} == {"s1-0", "p0"}
