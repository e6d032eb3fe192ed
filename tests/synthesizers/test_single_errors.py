"""LLM2LLM and learning from error: what the teacher sees and never sees, and how the budget is filled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import pytest

from sei.errors import ConfigError, RoleError, TooManyBadRecordsError
from sei.instructors.ordering.instructor import RuleInstructor
from sei.instructors.symbolic.instructor import SymbolicInstructor
from sei.parts import part
from sei.records import BadCase, Checkpoint, ErrorMap, PoolProblem
from sei.refiners.none import NoRefinement
from sei.refiners.random import RandomRefinement
from sei.stages.synthesize import Budget
from sei.synthesizers.learning_from_error import LearningFromError, nearest
from sei.synthesizers.llm2llm import LLM2LLM
from tests.builders import WORDS, case, cases, error_map, error_type, held_out, pool, problem, refine, screen
from tests.doubles import SEEN, Scripted


@part
class FirstWords:
    """Two texts are near if their first words are alike."""

    version: ClassVar[int] = 1

    def embed(self, texts):
        rows = np.array([[len(t.split()[0]), 10.0] for t in texts], dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def numbered(i: int) -> PoolProblem:
    return problem(i, f"{'a' * (i + 1)} pool {WORDS[i % 20]} {i}?", answer="2", solution="gold")


def wrong(numbers: Iterable[int]) -> tuple[BadCase, ...]:
    return tuple(case(numbered(i), f"attempt {i}") for i in numbers)


ERRORS = ErrorMap(
    types=(
        error_type("type 0", wrong(range(6)), wrong(range(6, 9))),
        error_type("type 1", wrong(range(9, 12)), wrong(range(12, 14))),
    )
)
SHOWN = {f"p{i}" for i in (*range(6), *range(9, 12))}


@pytest.fixture(autouse=True)
def _fresh():
    SEEN.clear()


def llm2llm(instructor=None, *, candidates=30, errors=ERRORS, apart=(), round=1, seed=0, **more):
    stage = LLM2LLM(instructor=instructor or Scripted(), budget=Budget(candidates=candidates), **more)
    return stage(errors, (), screen(*apart, rouge_l=0.95), round, seed=seed)


def learning(*, replay=(), candidates=30, errors=ERRORS, seed=0, **more):
    stage = LearningFromError(
        instructor=more.pop("instructor", Scripted()),
        budget=Budget(candidates=candidates),
        embedder=FirstWords(),
        **more,
    )
    return stage(errors, (), screen(rouge_l=0.95), 1, seed=seed, replay=replay)


def test_llm2llm_shows_one_wrong_problem_with_its_solution():
    made = llm2llm()
    assert {len(r.exemplars) for r in SEEN} == {1}
    assert {r.exemplars[0].id for r in SEEN} == SHOWN == {r.error_type for r in SEEN}
    assert {(r.task, r.n, r.details, r.exemplars[0].solution) for r in SEEN} == {("similar", 1, (), "gold")}
    assert {c.source_ids[0] for c in made.candidates} == SHOWN


def test_the_budget_is_filled_evenly():
    """The budget is filled evenly; the paper's one problem per error may not fill it."""
    made = llm2llm(candidates=30)
    assert len(made.candidates) == 30
    assert set(Counter(c.source_ids[0] for c in made.candidates).values()) == {3, 4}
    assert Counter(c.error_type for c in made.candidates)["type 0"] in range(18, 25)
    assert len(llm2llm(candidates=30, per_problem=1).candidates) == 9
    assert len(llm2llm(candidates=4, per_problem=1).candidates) == 4
    doubled = LLM2LLM(instructor=Scripted(), budget=Budget(candidates=10, scale=2))
    assert len(doubled(ERRORS, (), screen(rouge_l=0.95), 1, seed=0).candidates) == 20


def test_starts_without_news_are_left_and_others_fill_the_budget():
    made = llm2llm(Scripted(stuck=("p0", "p1")), candidates=30)
    assert len(made.candidates) == 30
    assert Counter(r.error_type for r in SEEN)["p0"] <= 4
    assert Counter(r.reason for r in made.rejections)["duplicate_signature"] >= 3


def test_the_same_seed_gives_the_same_candidates():
    assert llm2llm(seed=1) == llm2llm(seed=1) != llm2llm(seed=2)
    assert learning(seed=1) == learning(seed=1) != learning(seed=2)


def test_held_out_text_and_copied_bad_cases_are_dropped():
    with pytest.raises(TooManyBadRecordsError, match="test_exact"):
        llm2llm(Scripted(text="a held out question 5?"), apart=["a held out question 5?"])
    with pytest.raises(TooManyBadRecordsError, match="duplicate_signature"):
        llm2llm(Scripted(text=numbered(7).question))
    assert llm2llm(Scripted(text=numbered(7).question), round=2).candidates == ()


def test_held_out_problems_are_refused_by_type():
    held = held_out()
    errors = error_map([case(held)])
    with pytest.raises(RoleError, match="synthesize"):
        llm2llm(errors=errors)
    with pytest.raises(RoleError, match="synthesize"):
        learning(replay=(held,))


def test_learning_from_error_asks_once_for_all_a_case_must_give():
    made = learning(candidates=30)
    assert {r.n for r in SEEN} == {-(-30 // 9) + 1}
    assert max(Counter(r.error_type for r in SEEN).values()) == 1
    assert {r.task for r in SEEN} == {"error"}
    assert all(dict(r.details) == {"wrong_attempt": f"attempt {r.error_type[1:]}"} for r in SEEN)
    assert {r.error_type for r in SEEN} <= SHOWN
    assert len(made.candidates) == 30
    assert Counter(r.reason for r in made.rejections)["over_quota"] == sum(r.n for r in SEEN) - 30


def test_by_contrast_solved_questions_stand_beside_the_error():
    solved = tuple(numbered(i) for i in range(30, 50))
    learning(contrast=True, nearest=2, replay=solved)
    assert {r.task for r in SEEN} == {"contrast"}
    assert all([n for n, _ in r.details] == ["wrong_attempt", "solved_question_1", "solved_question_2"] for r in SEEN)
    assert {d[1] for r in SEEN for d in r.details[1:]} == {numbered(30).question, numbered(31).question}
    learning(contrast=True, replay=())
    assert len(SEEN[-1].details) == 1
    assert [p.id for p in nearest(FirstWords(), [numbered(5)], [numbered(i) for i in (9, 6, 3)], 2)["p5"]] == [
        "p6",
        "p3",
    ]


def test_an_embedded_instructor_cannot_compare():
    for instructor in (SymbolicInstructor(), RuleInstructor()):
        LearningFromError(instructor=instructor, budget=Budget(), embedder=FirstWords())
        with pytest.raises(ConfigError, match=r"contrast=true asks .* for contrast.*synthesizer.contrast=false"):
            LearningFromError(instructor=instructor, budget=Budget(), embedder=FirstWords(), contrast=True)


def test_embedded_instructors_write_from_one_problem_alone():
    errors = error_map(cases(pool()))
    made = llm2llm(SymbolicInstructor(), candidates=80, errors=errors)
    assert len(made.candidates) == 80
    assert {len(c.source_ids) for c in made.candidates} == {1}
    assert made == llm2llm(SymbolicInstructor(), candidates=80, errors=errors)


def test_candidates_go_through_any_refiner_by_error_type():
    made = llm2llm().candidates
    everything = refine(NoRefinement(), Checkpoint(digest="b"), ERRORS, made, seed=0)
    assert everything.kept == made
    half = refine(RandomRefinement(), Checkpoint(digest="b"), ERRORS, made, seed=0)
    assert {c.error_type for c in half.kept} == {"type 0", "type 1"}
