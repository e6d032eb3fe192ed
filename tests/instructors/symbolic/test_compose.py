"""The solution of one problem with the events of others."""

from __future__ import annotations

from fractions import Fraction

import pytest

from sei.exchange import Exemplar, SynthesisRequest
from sei.instructors.symbolic.compose import with_opening
from sei.instructors.symbolic.instructor import SymbolicInstructor
from sei.instructors.symbolic.rewrite import (
    RefusedError,
    Traced,
    carry_out,
    tail_of,
    trace,
    write_question,
    write_solution,
)
from sei.instructors.symbolic.worked import evaluate, read_steps
from tests.builders import drawn


def of_skill(name: str, *, tail: bool, word: str = "") -> Traced:
    found = (trace_or_none(d) for d in drawn(900) if d.skill == name and word in d.question)
    return next(t for t in found if t is not None and (tail_of(t) is not None) == tail)


def trace_or_none(d) -> Traced | None:
    try:
        return trace(d.question, d.solution)
    except RefusedError:
        return None


def test_a_tail_of_another_problem_can_come_before_the_working():
    core, donor = of_skill("groups", tail=False), of_skill("gain", tail=True)
    first = next(
        t
        for d in drawn(900)
        if d.skill == "groups" and (t := trace_or_none(d)) and " has " in t.question and not tail_of(t)
    )
    assert tail_of(core) is None
    opened = with_opening(first, donor)
    steps = carry_out(opened, opened.numerals)
    assert [s.value for s in steps] == [4 - 2, (4 - 2) * 10]  # 14 cannot be lost from 4, so half of them are
    assert opened.question.count(".") == first.question.count(".") + 1
    assert steps[0].unit == "boxes"
    assert opened.question.split(". ")[1] == "After that Karen loses 2 boxes"
    numerals = (Fraction(20), Fraction(6), Fraction(3))  # all distinct, so that operands can be traced
    worked = carry_out(opened, numerals)
    assert trace(write_question(opened, numerals), write_solution(worked)).plans == opened.plans


def test_what_does_not_begin_with_a_count_gets_no_opening():
    problem = trace("Ann sold 8 of her 20 pens. How many pens does she have?", "20-8=<<20-8=12>>12 pens\n#### 12")
    with pytest.raises(RefusedError, match="no_opening_fits"):
        with_opening(problem, of_skill("gain", tail=True))


def test_problems_that_combine_have_up_to_two_tails_each_side():
    problems, others = drawn(16), drawn(60)[16:]
    exemplars = [Exemplar(id=str(i), question=d.question, solution=d.solution) for i, d in enumerate(problems)]
    contexts = [Exemplar(id=f"c{i}", question=d.question, solution=d.solution) for i, d in enumerate(others)]
    asked = SynthesisRequest(
        error_type="x", exemplars=tuple(exemplars), n=80, index=1, seed=0, task="combine", contexts=tuple(contexts)
    )
    (reply,) = SymbolicInstructor(flaw_rate=0).write([asked])
    assert len(reply.drafts) >= 60
    steps = [read_steps(d.solution) for d in reply.drafts]
    assert all(evaluate(s.tree) == s.value for row in steps for s in row)
    plain = max(len(read_steps(d.solution)) for d in problems)
    assert max(map(len, steps)) in (plain + 1, plain + 2)
    assert any(
        " has " in d.question and d.question.split(". ")[1].startswith(("Then", "After that")) for d in reply.drafts
    )
