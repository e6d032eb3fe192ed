"""Calls that wait for the sandbox are put aside and repeated; results come in order. The lanes here are made up."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import pytest

from sei.grading import sandbox
from sei.grading.pool import LostError
from sei.grading.sandbox import LimitError
from sei.grading.several import in_order


class MadeUpLane:
    """Answers at the fifth look; the question "lost" ends it."""

    def __init__(self, pool: MadeUpPool) -> None:
        self.pool, self.looks = pool, 0
        self.end, self.other = os.pipe()
        os.write(self.other, b"x")  # always something to read

    def fileno(self) -> int:
        return self.end

    def send(self, question: Any) -> None:
        self.question, self.looks = question, 0

    def reply(self) -> dict[str, str] | None:
        if self.question.gold == "lost":
            raise LostError
        self.looks += 1
        self.pool.most_busy = max(self.pool.most_busy, len(self.pool.taken))
        return (
            {"result": "same" if self.question.gold == self.question.stated else "different"}
            if self.looks > 4
            else None
        )


class MadeUpPool:
    most = 2

    def __init__(self) -> None:
        self.taken: list[MadeUpLane] = []
        self.made: list[MadeUpLane] = []
        self.most_busy = 0

    def take(self) -> MadeUpLane:
        lane = MadeUpLane(self)
        self.taken.append(lane)
        self.made.append(lane)
        return lane

    def give(self, lane: MadeUpLane) -> None:
        self.taken.remove(lane)

    drop = give


@pytest.fixture
def pool():
    sandbox.ANSWERS.clear()
    made = MadeUpPool()
    yield made
    for lane in made.made:
        os.close(lane.end)
        os.close(lane.other)
    sandbox.ANSWERS.clear()


def asked(log: list[str], name: str, gold: str, stated: str) -> str:
    """Ask the sandbox unless the name says that the answer is known."""
    found = name if name.startswith("plain") else f"{name} {sandbox.ask(gold, stated, seconds=0.5)}"
    log.append(name)
    return found


def test_results_come_in_order_and_no_row_waits_for_another(pool):
    log: list[str] = []
    rows = [
        ("a", "1", "1"),
        ("plain b", "", ""),
        ("c", "2", "3"),
        ("plain d", "", ""),
        ("e", "4", "4"),
        ("f", "1", "1"),
    ]
    found = list(in_order([partial(asked, log, *row) for row in rows], pool=pool))
    assert found == ["a True", "plain b", "c False", "plain d", "e True", "f True"]
    assert log.index("plain b") < log.index("a")
    assert (pool.most_busy, pool.taken, len(pool.made)) == (2, [], 3)  # the question of "f" is that of "a"


def test_a_call_that_fails_ends_it_at_its_turn(pool):
    def fails() -> str:
        raise ValueError("odd")

    rows = in_order([partial(asked, [], "a", "1", "1"), fails, partial(asked, [], "b", "2", "3")], pool=pool)
    assert next(rows) == "a True"
    with pytest.raises(ValueError, match="odd"):
        next(rows)
    assert pool.taken == []


def test_a_lost_question_is_a_limit_and_is_not_remembered(pool):
    rows = in_order([partial(asked, [], "a", "lost", "1")], pool=pool)
    with pytest.raises(LimitError, match="lost"):
        next(rows)
    assert (len(pool.made), pool.taken) == (3, [])
    assert sandbox.ANSWERS.get(sandbox.Question("lost", "1", 0.5)) is None
