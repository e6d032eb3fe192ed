"""In-context refinement: how a demonstration changes the answers to bad and good questions."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from sei.grading import MathGrader
from sei.parts import part
from sei.records import Checkpoint
from sei.refiners.one_shot_context import OneShotContext
from sei.stages.refine import Refine
from tests.builders import candidate, cases, error_map, problem, refine
from tests.doubles import NoWeights


@part
class Believer:
    """Answers right if "helpful" is shown; from question 50 on also if "harmful" is not shown.

    ``faults``: a server fault for even questions if "useless" is shown. ``cut``: right answers without their end.
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


def in_context(race: bool = False, **engine: bool) -> Refine:
    target = NoWeights(name="t", source="packaged:tiny_l")
    scorer = OneShotContext(target=target, engine=Believer(**engine), grader=MathGrader(), race=race)
    return Refine(scorer=scorer, keep=0.4)


def numbered(numbers):
    return [problem(i, f"question {i} with words of its own {i}", answer=str(i)) for i in numbers]


def shown_and_asked():
    asked = numbered(range(8))
    made = tuple(candidate(name, (name, "s")) for name in ("harmful", "useless", "helpful"))
    return made, error_map(cases(asked[:1]), cases(asked[1:])), tuple(numbered(range(50, 70)))


def test_an_in_context_score_is_the_mean_of_two_rates():
    """The in-context score is the mean of the rates on bad and good questions."""
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
def test_server_faults_are_left_out_of_an_in_context_score(race):
    made, error_map, good = shown_and_asked()
    out = refine(in_context(race=race, faults=True), Checkpoint(digest="b"), error_map, made, good, seed=0)
    plain = refine(in_context(race=race), Checkpoint(digest="b"), error_map, made, good, seed=0)
    assert out.kept == plain.kept
    if not race:
        # the odd ones of 7 bad questions (all wrong) and of 10 good ones (all right) are kept
        solved = random.Random("good/0").sample(list(good), 10)
        odd = sum(int(p.id[1:]) % 2 for p in solved)
        expected = (odd / 10 / 2) / (odd / 10 / 2 + 4 / 7 / 2)
        assert [s.score for s in out.scored] == pytest.approx([0.0, expected, 1.0])


def test_a_cut_in_context_answer_is_not_read_for_a_number():
    made, error_map, good = shown_and_asked()
    out = refine(in_context(cut=True), Checkpoint(digest="b"), error_map, made, good, seed=0)
    assert [s.score for s in out.scored] == [0.0, 0.0, 0.0]
