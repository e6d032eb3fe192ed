"""Direct correction: bad cases come back with the right solution, and no new problems are written."""

from __future__ import annotations

from typing import ClassVar

import pytest

from sei.errors import TooManyBadRecordsError
from sei.exchange import Draft, Reply
from sei.instructors.symbolic.instructor import SymbolicInstructor
from sei.parts import part
from sei.records import Rejection
from sei.synthesizers.direct_correction import DirectCorrection
from tests.builders import cases, error_map, pool, problem, screen


@part
class Corrector:
    """Corrects all but one case."""

    version: ClassVar[int] = 1

    def diagnose(self, cases):
        raise AssertionError("correction must not diagnose")

    def write(self, requests):
        raise AssertionError("correction must not write problems")

    def correct(self, cases):
        for c in cases:
            if c.problem.id == "p1":
                yield Reply(drafts=(), rejections=(Rejection(stage="correct", reason="no_answer", subject="p1"),))
            else:
                p = c.problem
                yield Reply(drafts=(Draft(question=p.question, solution="by hand", answer=p.answer, sources=(p.id,)),))


def test_gold_corrections_are_the_exemplars_with_their_solutions():
    """Gold corrections are the exemplar part with its solutions, and validation stays apart."""
    made = DirectCorrection(instructor=Corrector())(error_map((0, 1, 2), (3, 4)), (), screen(), 1, seed=0)
    assert [(c.question, c.solution) for c in made.candidates] == [
        (problem(i).question, problem(i).solution) for i in range(3)
    ]
    assert made.usage.requests == 0


def test_an_instructor_corrects_by_case_and_refusals_count():
    made = DirectCorrection(instructor=Corrector(), solutions="instructor")(
        error_map((0, 1, 2)), (), screen(), 1, seed=0
    )
    assert [c.source_ids for c in made.candidates] == [("p0",), ("p2",)]
    assert {c.solution for c in made.candidates} == {"by hand"}
    assert [r.reason for r in made.rejections] == ["no_answer"]
    assert made.usage.requests == 3


def test_corrections_near_a_test_question_are_dropped():
    """Corrections near a test question are dropped, and none at all is an error."""
    apart = screen(problem(0).question)
    with pytest.raises(TooManyBadRecordsError, match="none of 1 bad cases"):
        DirectCorrection(instructor=Corrector())(error_map((0,)), (), apart, 1, seed=0)
    assert DirectCorrection(instructor=Corrector())(error_map((0,)), (), apart, 2, seed=0).candidates == ()


def test_the_symbolic_instructor_corrects_rightly_or_with_a_flaw():
    """The symbolic instructor's corrections are right or flawed, and always the same."""
    bad = cases(pool())
    clean = list(SymbolicInstructor(flaw_rate=0.0).correct(bad))
    spoiled = list(SymbolicInstructor(flaw_rate=1.0).correct(bad))
    right = [d.answer == c.problem.answer for r, c in zip(clean, bad, strict=True) for d in r.drafts]
    assert len(right) > 40
    assert all(right)
    flawed = [d for r in spoiled for d in r.drafts if d.flaw]
    assert len(flawed) > 20
    assert list(SymbolicInstructor(flaw_rate=1.0).correct(bad)) == spoiled
