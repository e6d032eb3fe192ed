"""If a user's part breaks its contract, it is refused at once, with the class, the rule and the remedy."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from sei.errors import ConfigError
from sei.exchange import Grouping, Outcome, Reply
from sei.parts import part
from sei.records import Attempt, Diagnosis, Keyphrase, Rejection
from sei.stages.attempt import Attempts
from sei.stages.diagnose import Diagnose
from sei.stages.grade import GoldCheck, Grade
from sei.stages.harvest import in_waves
from sei.store import Store
from tests.builders import asking, case, keyphrase, phrases, problem
from tests.doubles import Letters, NoWeights, clustering

PHRASES = phrases(2, 3)


@part
class Mine:
    """A part whose methods return what the test sets."""

    version: ClassVar[int] = 1
    gives: Any = None

    def group(self, phrases, vectors, seed):
        return self.gives

    def diagnose(self, cases):
        yield from self.gives

    def write(self, requests):
        yield from self.gives

    def correct(self, cases):
        yield from self.gives

    def grade(self, problem, output, *, finished=True):
        return self.gives

    def check_gold(self, problems):
        return self.gives

    def open(self, target, checkpoint):
        return target.open(checkpoint)

    def answer(self, opened, texts, done, what, sampling=None):
        yield from self.gives


@part
class Vectors:
    version: ClassVar[int] = 1
    gives: Any

    def embed(self, texts):
        return self.gives


def labels(*found: Any, **more: Any) -> Grouping:
    return Grouping(labels=found, **more)


@pytest.mark.parametrize(
    ("grouping", "words"),
    [
        (labels(0, 0, 1), "returned 3 labels for 6 phrases. Rule: one label for each phrase"),
        (labels(*[0] * 7), "returned 7 labels for 6 phrases"),
        (labels(0, 0, 0, 1, 1, 0.5), "returned the label 0.5 for 'b"),
        (labels(0, 0, 0, 1, float("nan"), 1), "returned the label nan for"),
        (labels(0, None, 0, 1, 1, 1), "returned the label None for"),
        (labels(*"aaabbb"), "returned the label 'a' for .* whole number from 0 on, or -1"),
        (labels(0, 0, 0, -2, 1, 1), "returned the label -2 for"),
        (labels(0, 0, 0, 1, 1, 2, names=("x", "y")), r"names \['x', 'y'\] for labels up to 2"),
        (labels(0, 0, 0, 1, 1, 1, names=("x", "")), "a non-empty name"),
        ([0, 0, 0, 1, 1, 1], "returned a list. Rule: a sei.ports.Grouping"),
        (None, "returned a NoneType"),
    ],
    ids=str,
)
def test_labels_that_do_not_fit_name_the_clusterer(grouping, words):
    with pytest.raises(ConfigError, match=rf"test_returned\.Mine\.group .*{words}"):
        clustering(Mine(gives=grouping))(PHRASES, seed=0)


@pytest.mark.parametrize("found", [(0, 0, 0, 1, 1, -1), np.array([0, 0, 0, 1, 1, -1]), [np.int64(0)] * 6])
def test_labels_that_fit_are_taken_in_any_dress(found):
    types = clustering(Mine(gives=Grouping(labels=found)))(PHRASES, seed=0).types
    assert sum(len(t.members) for t in types) == sum(x >= 0 for x in found)


UNIT = np.eye(6, 8, dtype=np.float32)


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        (UNIT[:5], r"shape \(5, 8\). Rule: an array of numbers of shape \(6, dimensions\), a unit vector for each"),
        (UNIT[0], r"shape \(8,\)"),
        (UNIT * 2, "a vector of length 2 for 'a"),
        (UNIT * 0, "a vector of length 0 for"),
        (UNIT * np.nan, "a vector of length nan"),
        (UNIT.tolist(), "a list"),
        (UNIT.astype(int), "a ndarray of int64"),
    ],
    ids=["few", "flat", "long", "zero", "nan", "list", "whole"],
)
def test_vectors_that_do_not_fit_name_the_embedder(vectors, words):
    stage = clustering()
    stage = type(stage)(clusterer=stage.clusterer, embedder=Vectors(gives=vectors))
    with pytest.raises(ConfigError, match=rf"test_returned\.Vectors\.embed .*{words}"):
        stage(PHRASES, seed=0)


CASES = tuple(case(problem(i)) for i in range(3))
GOOD = [Diagnosis(bad_case=c, keyphrase=keyphrase(c, "x")) for c in CASES]
REFUSAL = Rejection(stage="diagnose", reason="odd")


@pytest.mark.parametrize(
    ("gives", "words"),
    [
        (GOOD[:2], "returned 2 answers to 3 items. Rule: one Diagnosis for each item"),
        ([*GOOD, GOOD[0]], "returned more than 3 answers to 3 items"),
        ([GOOD[1], GOOD[0], GOOD[2]], "a diagnosis of .*1.* where that of .*0.* was expected"),
        (["x"] * 3, r"returned a str \('x'\) as answer 1"),
        ([Diagnosis(bad_case=c) for c in CASES], "with neither"),
        ([Diagnosis(bad_case=c, keyphrase=GOOD[0].keyphrase, rejection=REFUSAL) for c in CASES], "with both"),
        ([Diagnosis(bad_case=c, keyphrase=Keyphrase(bad_case=c, phrase=" ")) for c in CASES], "a non-empty text"),
    ],
    ids=["few", "many", "order", "type", "neither", "both", "empty"],
)
def test_diagnoses_that_do_not_fit_name_the_instructor(gives, words, tmp_path):
    with pytest.raises(ConfigError, match=rf"test_returned\.Mine\.diagnose .*{words}"):
        Store(root=tmp_path).each(Diagnose(instructor=Mine(gives=gives)), items=CASES)


def test_what_was_diagnosed_before_a_fault_is_kept(tmp_path):
    store, stage = Store(root=tmp_path), Diagnose(instructor=Mine(gives=GOOD[:2]))
    with pytest.raises(ConfigError, match="2 answers to 3 items"):
        store.each(stage, items=CASES)
    assert store.each(stage, items=CASES[:2]) == tuple(GOOD[:2])


@pytest.mark.parametrize(
    ("gives", "words"), [([], "0 answers to 1 items"), (["no"], r"a str \('no'\)")], ids=["few", "type"]
)
def test_replies_that_do_not_fit_name_the_instructor(gives, words):
    wave = iter([[("x", asking([problem(1)]))], []])
    with pytest.raises(ConfigError, match=rf"test_returned\.Mine\.write returned {words}"):
        in_waves(Mine(gives=gives), 1, lambda: next(wave), lambda *_: 0)
    wave = iter([[("x", asking([problem(1)]))], []])
    in_waves(Mine(gives=[Reply(drafts=())]), 1, lambda: next(wave), lambda *_: 0)


ATTEMPT = Attempt(problem=problem(7), output="#### 1", finished=True)


@pytest.mark.parametrize(
    ("gives", "words"),
    [
        (Outcome(verdict="maybe", strict_verdict="right", extracted="1"), "verdict 'maybe' on problem .*7"),
        (Outcome(verdict="right", strict_verdict=True, extracted="1"), "verdict True .* right, wrong, unreadable"),
        (Outcome(verdict="right", strict_verdict="right", extracted=None), "extracted=None"),
        ("right", "returned a str. Rule: a sei.ports.Outcome"),
    ],
    ids=["unknown", "boolean", "extracted", "type"],
)
def test_verdicts_that_nobody_knows_name_the_grader(gives, words):
    with pytest.raises(ConfigError, match=rf"test_returned\.Mine\.grade .*{words}"):
        Grade(grader=Mine(gives=gives))((ATTEMPT,))


def test_refused_gold_must_be_ids_of_the_problems():
    assert GoldCheck(grader=Mine(gives=[problem(7).id]))((problem(7),)) == (problem(7).id,)
    with pytest.raises(ConfigError, match=r"Mine\.check_gold returned 'none'. Rule: ids of the problems"):
        GoldCheck(grader=Mine(gives=["none"]))((problem(7),))


ANSWER = (1, "#### 1", True, "")


@pytest.mark.parametrize(
    ("gives", "words"),
    [
        ([ANSWER], "nothing for 1 of 2 prompts"),
        ([ANSWER, ANSWER], "prompt 1 of 2 a second time"),
        ([(2, *ANSWER[1:])], "prompt 2 of 2 unasked"),
        ([(-1, *ANSWER[1:])], "prompt -1 of 2 unasked"),
        ([(0, None, True, "")], r"\(0, None, True, ''\). Rule: \(index, output, finished, fault\)"),
        (["text"], "'text'"),
    ],
    ids=["few", "twice", "beyond", "below", "none", "type"],
)
def test_answers_that_do_not_fit_name_the_engine(gives, words, tmp_path):
    target = NoWeights(name="t", source="packaged:tiny_l")
    stage = Attempts(target=target, engine=Mine(gives=gives))
    with pytest.raises(ConfigError, match=rf"test_returned\.Mine\.answer returned {words}"):
        Store(root=tmp_path).each(stage, target.base(), items=(problem(0), problem(1)))


def test_answers_to_what_is_done_are_passed_over():
    """An engine may run a whole batch for the only missing prompt in it."""
    items = (problem(0), problem(1))
    target = NoWeights(name="t", source="packaged:tiny_l")
    stage = Attempts(target=target, engine=Mine(gives=[(0, "a", True, ""), (1, "b", True, "")]))
    found = list(stage(target.base(), items=items, done=frozenset([0])))
    assert [(i, a.output) for i, a in found] == [(1, "b")]


def test_the_doubles_of_these_tests_are_sound():
    assert np.allclose(np.linalg.norm(Letters().embed([k.phrase for k in PHRASES]), axis=1), 1)
