"""A second instructor on a sample of bad cases."""

from __future__ import annotations

from typing import ClassVar

import pytest

from sei.parts import part
from sei.records import Diagnosis, Keyphrase, Rejection, Usage
from sei.stages.second_opinion import NoSecondOpinion, SecondOpinion, kappa
from tests.builders import phrases
from tests.doubles import Letters, clustering

KEYPHRASES = phrases(3, 12)
DIAGNOSES = tuple(Diagnosis(bad_case=k.bad_case, keyphrase=k) for k in KEYPHRASES)
MAP = clustering()(KEYPHRASES, seed=0)
FIRST = {k.bad_case.problem.id: k.phrase for k in KEYPHRASES}


@part
class Other:
    """Agrees with the first instructor except on every ``off``-th problem; refuses every ``refuses``-th."""

    version: ClassVar[int] = 1
    off: int = 10**6
    refuses: int = 10**6

    def diagnose(self, cases):
        for c in cases:
            number, letter = int(c.problem.id[1:]) + 1, FIRST[c.problem.id][0]
            usage = Usage(requests=1, usd=0.5)
            if number % self.refuses == 0:
                yield Diagnosis(bad_case=c, rejection=Rejection(stage="diagnose", reason="refusal"), usage=usage)
                continue
            letter = {"a": "b", "b": "c", "c": "a"}[letter] if number % self.off == 0 else letter
            yield Diagnosis(bad_case=c, keyphrase=Keyphrase(bad_case=c, phrase=letter + "xxx"), usage=usage)

    def write(self, requests):
        raise AssertionError

    def correct(self, cases):
        raise AssertionError


def opinion(**more):
    sample = more.pop("sample", 36)
    return SecondOpinion(instructor=Other(**more), embedder=Letters(), sample=sample)(DIAGNOSES, MAP, seed=0)


def test_full_agreement_in_other_words():
    found = opinion()
    assert (found.n, found.refused, found.same_type, found.kappa) == (36, 0, 1.0, 1.0)
    assert found.similarity > 0.9 > 0.5 > found.chance
    assert {p.second for p in found.pairs} == {"axxx", "bxxx", "cxxx"}
    assert found.usage == Usage(requests=36, usd=18.0)


def test_disagreement_lowers_kappa_by_as_much_as_it_must():
    found = opinion(off=3)
    assert found.same_type == pytest.approx(24 / 36, abs=1e-3)
    assert found.kappa == pytest.approx((24 / 36 - 1 / 3) / (2 / 3), abs=1e-3)


def test_refusals_are_counted_and_a_sample_is_a_sample():
    found = opinion(refuses=2, sample=20)
    assert found.n == 20
    assert 0 < found.refused == 20 - len(found.pairs)
    assert opinion(refuses=1).refused == 36


def test_nobody_asked_nothing_found():
    assert NoSecondOpinion()(DIAGNOSES, MAP, seed=0).n == 0


def test_kappa_by_hand():
    assert kappa(list("aabb"), list("aabb")) == 1.0
    assert kappa(list("aabb"), list("abab")) == 0.0
    assert kappa(list("aa"), list("aa")) is None
