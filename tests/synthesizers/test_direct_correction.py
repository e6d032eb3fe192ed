"""Direct correction, the curriculum, and in-context refinement."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

from sei.errors import TooManyBadRecordsError
from sei.grading import MathGrader
from sei.instructors.symbolic.instructor import SymbolicInstructor
from sei.models.embedder import SentenceEmbedder
from sei.models.target import TargetModel
from sei.parts import part
from sei.ports import Draft, Reply
from sei.records import (
    BadCase,
    Checkpoint,
    ErrorMap,
    ErrorType,
    Keyphrase,
    PoolProblem,
    RefinedSet,
    Rejection,
    Scored,
    SyntheticExample,
)
from sei.refiners.one_shot_context import OneShotContext
from sei.screening.screen import Decontamination
from sei.stages.curriculum import Curriculum
from sei.stages.refine import Refine
from sei.synthesizers.direct_correction import DirectCorrection
from tests.builders import refine

SIGNATURES = Decontamination(embedder=SentenceEmbedder(), ngram=0, rouge_l=1.0, embedding=1.0)
OPEN = SIGNATURES.screen({"test": []})


def problem(i: int) -> PoolProblem:
    return PoolProblem(
        id=f"p{i}", question=f"question {i} with words of its own {i}", answer=str(i), solution=f"#### {i}"
    )


def case(i: int) -> BadCase:
    return BadCase(problem=problem(i), output="#### 999", extracted="999")


def errors(exemplars: tuple[int, ...], validation: tuple[int, ...] = ()) -> ErrorMap:
    members = tuple(Keyphrase(bad_case=case(i), phrase="x") for i in (*exemplars, *validation))
    one = ErrorType(
        name="x",
        members=members,
        exemplars=tuple(case(i) for i in exemplars),
        validation=tuple(case(i) for i in validation),
    )
    return ErrorMap(types=(one,))


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


def test_gold_corrections_are_the_exemplar_part_with_its_solutions_and_validation_stays_apart():
    made = DirectCorrection(instructor=Corrector())(errors((0, 1, 2), (3, 4)), (), OPEN, 1, seed=0)
    assert [(c.question, c.solution) for c in made.candidates] == [
        (problem(i).question, problem(i).solution) for i in range(3)
    ]
    assert made.usage.requests == 0


def test_an_instructor_corrects_case_by_case_and_refusals_are_counted():
    made = DirectCorrection(instructor=Corrector(), solutions="instructor")(errors((0, 1, 2)), (), OPEN, 1, seed=0)
    assert [c.source_ids for c in made.candidates] == [("p0",), ("p2",)]
    assert {c.solution for c in made.candidates} == {"by hand"}
    assert [r.reason for r in made.rejections] == ["no_answer"]
    assert made.usage.requests == 3


def test_corrections_near_a_test_question_are_dropped_and_none_at_all_is_an_error():
    screen = SIGNATURES.screen({"test": [problem(0).question]})
    with pytest.raises(TooManyBadRecordsError, match="none of 1 bad cases"):
        DirectCorrection(instructor=Corrector())(errors((0,)), (), screen, 1, seed=0)
    assert DirectCorrection(instructor=Corrector())(errors((0,)), (), screen, 2, seed=0).candidates == ()


def test_the_symbolic_instructor_corrects_rightly_or_with_a_flaw_and_always_the_same():
    from sei.data.arithmetic import Arithmetic

    pool = Arithmetic(pool=60, dev=10, test=10).load().pool
    cases = [BadCase(problem=p, output="#### 999", extracted="999") for p in pool]
    clean = list(SymbolicInstructor(flaw_rate=0.0).correct(cases))
    spoiled = list(SymbolicInstructor(flaw_rate=1.0).correct(cases))
    right = [d.answer == c.problem.answer for r, c in zip(clean, cases, strict=True) for d in r.drafts]
    assert len(right) > 40
    assert all(right)
    flawed = [d for r in spoiled for d in r.drafts if d.flaw]
    assert len(flawed) > 20
    assert list(SymbolicInstructor(flaw_rate=1.0).correct(cases)) == spoiled


def refined(number: int, n: int) -> RefinedSet:
    made = (
        SyntheticExample(
            id=f"s{number}-{i}", question=f"round {number} item {i} says {i}", solution="s", answer="1", error_type="x"
        )
        for i in range(n)
    )
    return RefinedSet(scored=tuple(Scored(example=e, score=0.0, kept=True, reason="") for e in made))


def test_a_curriculum_takes_all_rounds_or_this_one_and_replays_so_many():
    history, solved = (refined(1, 3), refined(2, 2)), [problem(i) for i in range(10)]
    both = Curriculum(replay=4)(history, solved, OPEN, seed=0)
    assert [x.source for x in both.examples].count("replay") == 4
    assert len(both.examples) == 9
    alone = Curriculum(train_on="this_round", replay=0)(history, solved, OPEN, seed=0)
    assert [x.id for x in alone.examples] == ["s2-0", "s2-1"]
    again, other = (
        Curriculum(replay=4)(history, solved, OPEN, seed=0),
        Curriculum(replay=4)(history, solved, OPEN, seed=1),
    )
    assert again == both != other
    base, now = Checkpoint(digest="b"), Checkpoint(digest="n")
    assert Curriculum().start(base, now) is base
    assert Curriculum(start_from="previous").start(base, now) is now


def test_what_is_now_validation_is_withheld_from_training_and_counted():
    screen = SIGNATURES.screen({"validation": ["round 1 item 0 says 0", problem(0).question]})
    lesson = Curriculum(replay=9)((refined(1, 2),), [problem(0), problem(1)], screen, seed=0)
    assert {x.id for x in lesson.examples} == {"s1-1", "p1"}
    assert {r.subject for r in lesson.withheld} == {"s1-0", "p0"}


@part
class Believer:
    """Answers right where "helpful" is shown; a question from 50 on also where "harmful" is not.

    ``faults``: a server's fault for even questions where "useless" is shown. ``cut``: right answers without their end.
    """

    version: ClassVar[int] = 1
    faults: bool = False
    cut: bool = False

    def open(self, target, checkpoint):
        return target.open(checkpoint)

    def answer(self, opened: Any, texts, done, what) -> Iterator[tuple[int, str, bool, str]]:
        for i, text in reversed(list(enumerate(texts))):
            shown, question = text.split("|")
            number = question.split()[1]
            right = "helpful" in shown or ("harmful" not in shown and int(number) >= 50)
            if self.faults and "useless" in shown and int(number) % 2 == 0:
                yield i, "", False, "timed_out"
            elif self.cut:
                yield i, f"She has {number} pens and then", False, ""
            else:
                yield i, f"#### {number if right else 999}", True, ""


@part
class Paper(TargetModel):
    """A target that needs no weights."""

    version: ClassVar[int] = 1

    @contextmanager
    def open(self, checkpoint, *, keep_adapter=False):
        yield self

    def prompts(self, questions, demonstration=None):
        return [f"{demonstration[0]}|{q}" for q in questions]


def in_context(race: bool = False, **engine: bool) -> Refine:
    target = Paper(name="t", source="packaged:tiny_l")
    scorer = OneShotContext(target=target, engine=Believer(**engine), grader=MathGrader(), race=race)
    return Refine(scorer=scorer, keep=0.4)


def shown_and_asked():
    made = tuple(
        SyntheticExample(id=name, question=name, solution="s", answer="1", error_type="x")
        for name in ("harmful", "useless", "helpful")
    )
    return made, errors((0,), tuple(range(1, 8))), tuple(problem(i) for i in range(50, 70))


def test_in_context_score_is_the_mean_of_the_rates_on_bad_and_good_questions():
    every, race = in_context(), in_context(race=True)
    made, error_map, good = shown_and_asked()
    out = refine(every, Checkpoint(digest="b"), error_map, made, good, seed=0)
    assert [s.score for s in out.scored] == pytest.approx([0.0, 0.5, 1.0])
    assert [s.example.id for s in out.scored if s.kept] == ["helpful"]
    assert [s.score for s in refine(every, Checkpoint(digest="b"), error_map, made, seed=0).scored] == [0.0, 0.0, 1.0]
    raced = refine(race, Checkpoint(digest="b"), error_map, made, good, seed=0)
    assert raced.kept == out.kept
    assert all(r.score >= e.score - 1e-9 for r, e in zip(raced.scored, out.scored, strict=True))


@pytest.mark.parametrize("race", [False, True])
def test_what_the_server_fails_on_is_left_out_of_an_in_context_score(race):
    made, error_map, good = shown_and_asked()
    out = refine(in_context(race=race, faults=True), Checkpoint(digest="b"), error_map, made, good, seed=0)
    plain = refine(in_context(race=race), Checkpoint(digest="b"), error_map, made, good, seed=0)
    assert out.kept == plain.kept
    if not race:
        # the odd ones of 7 bad questions (all wrong) and of 10 good ones (all right) remain
        solved = random.Random("good/0").sample(list(good), 10)
        odd = sum(int(p.id[1:]) % 2 for p in solved)
        expected = (odd / 10 / 2) / (odd / 10 / 2 + 4 / 7 / 2)
        assert [s.score for s in out.scored] == pytest.approx([0.0, expected, 1.0])


def test_an_in_context_answer_that_was_cut_is_not_read_for_a_number():
    made, error_map, good = shown_and_asked()
    out = refine(in_context(cut=True), Checkpoint(digest="b"), error_map, made, good, seed=0)
    assert [s.score for s in out.scored] == [0.0, 0.0, 0.0]
