"""``supervised_logits`` of the refiners: equal scores up to rounding, and in the key only if set."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sei.lit.one_step import Gradients, OneStep, mean_losses
from sei.refiners.difficulty import Difficulty
from sei.refiners.gradient import Gradient
from sei.refiners.one_shot_step import OneShotStep
from sei.refiners.perplexity import Perplexity
from sei.store import digest
from tests.builders import TINY, lessons


@pytest.mark.parametrize("kind", [Difficulty, Gradient, OneShotStep, Perplexity])
def test_it_is_in_the_key_only_if_set(kind):
    plain = kind(target=TINY)
    assert plain.reads() == {}
    assert digest(replace(plain, supervised_logits=True)) != digest(plain)


def test_scores_are_those_of_all_logits():
    pairs = [(x.question, x.solution) for x in lessons()[:4]]
    found = []
    with TINY.open(TINY.base()) as opened:
        for fewer in (False, True):
            step = OneStep(opened, step_size=0.1, lora=False, seed=0, supervised_logits=fewer)
            gradients = Gradients(opened, lora=False, seed=0, supervised_logits=fewer)
            losses = mean_losses(opened, pairs, 2, supervised_logits=fewer)
            found.append([*losses, step.loss_after("v", pairs[1:], pairs[0]), gradients.cosine("v", pairs, pairs[0])])
    assert found[0] == pytest.approx(found[1], abs=1e-5)
    assert found[0] != found[1]


def test_fewer_cases_in_memory_change_a_gradient_by_rounding():
    pairs = [(x.question, x.solution) for x in lessons()[:5]]
    with TINY.open(TINY.base()) as opened:
        whole, parts, rows = (
            Gradients(opened, lora=False, seed=0, micro_batch=n).cosine("v", pairs, pairs[0]) for n in (0, 2, 1)
        )
    assert parts == pytest.approx(whole, abs=1e-5)
    assert rows == pytest.approx(whole, abs=1e-5)
    assert Gradient(target=TINY).reads() == {}
    assert digest(Gradient(target=TINY, micro_batch=2)) != digest(Gradient(target=TINY))
