"""Refiners by gradient, difficulty and diversity, chains of them, and minimum scores."""

from __future__ import annotations

import random
from typing import ClassVar

import numpy as np
import pytest

from sei.data.arithmetic import draw
from sei.data.skills import SKILLS
from sei.lit.one_step import Gradients, OneStep
from sei.parts import part
from sei.records import RefinedSet
from sei.refiners.chain import Chain
from sei.refiners.difficulty import Difficulty
from sei.refiners.diversity import Diversity
from sei.refiners.gradient import Gradient
from sei.refiners.one_shot_step import OneShotStep
from sei.refiners.perplexity import Perplexity, solution_losses
from sei.refiners.random import RandomRefinement
from sei.stages.refine import Refine, decide
from sei.store import digest
from sei.store.identity import canonical
from tests.builders import NO_TYPES, TINY, candidate, held_against, refine, sums


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.long
def test_a_gradient_points_along_itself_more_than_along_another(lora):
    with TINY.open(TINY.base()) as opened:
        gradients = Gradients(opened, lora=lora, seed=0)
        same = gradients.cosine("it", [sums(12, 7)], sums(12, 7))
        like = gradients.cosine("it", [sums(12, 7)], sums(31, 5))
        assert same == pytest.approx(1.0, abs=1e-5)
        assert -1.0 <= like < 0.99
        assert not any(p.grad is not None for p in gradients.params)


def weak(n: int, seed: int) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Return problems that the embedded base solves wrongly: (question, right solution) and (question, wrong one)."""
    skill, rng = next(s for s in SKILLS if s.weak), random.Random(seed)
    drawn = [d for _ in range(9 * n) if (d := draw(skill, rng, far=False, tails=0)) and d.answer != d.wrong_answer][:n]
    return [((d.question, d.solution), (d.question, d.wrong_solution)) for d in drawn]


@pytest.mark.parametrize("weights", ["all", "lora"])
@pytest.mark.parametrize("refiner", [Gradient, OneShotStep])
@pytest.mark.long
def test_one_step_refiners_prefer_what_corrects_the_mistake(refiner, weights):
    cases = [right for right, _ in weak(6, 1)]
    corrects, repeats = zip(*weak(4, 2), strict=True)
    candidates = tuple(candidate(i, c) for i, c in enumerate([*corrects, *repeats]))
    refined = refine(refiner(target=TINY, weights=weights), TINY.base(), held_against(*cases), candidates, seed=0)
    assert {e.id for e in refined.kept} == {"c0", "c1", "c2", "c3"}
    assert refined.pooled_share == 0.0
    assert all(-1 <= s.score <= 1 for s in refined.scored)
    assert min(s.score for s in refined.scored if s.kept) > max(s.score for s in refined.scored if not s.kept)


@pytest.mark.parametrize("weights", ["all", "lora"])
@pytest.mark.long
def test_only_the_best_by_cosine_take_a_step(weights, monkeypatch):
    """Of each type, a quarter is tested as without the ranking; the others come below, in the order of the cosines."""
    candidates = tuple(candidate(i, sums(20 + i, 3 + i % 4), "xy"[i % 2]) for i in range(16))
    told = (TINY.base(), held_against(*(sums(a, 5) for a in range(11, 17))), candidates)
    whole = [s.score for s in refine(OneShotStep(target=TINY, weights=weights), *told, seed=0).scored]
    cosines = [s.score for s in refine(Gradient(target=TINY, weights=weights), *told, seed=0).scored]
    steps: list[tuple[str, str]] = []
    real = OneStep.loss_after
    monkeypatch.setattr(OneStep, "loss_after", lambda s, n, p, sample: steps.append(sample) or real(s, n, p, sample))
    found = [s.score for s in refine(OneShotStep(target=TINY, weights=weights, exact=0.25), *told, seed=0).scored]
    for kind in range(2):
        mine = sorted(range(kind, 16, 2), key=lambda i: -cosines[i])
        assert [found[i] for i in mine[:2]] == [whole[i] for i in mine[:2]]
        assert sorted(mine[2:], key=lambda i: -found[i]) == mine[2:]
        assert max(found[i] for i in mine[2:]) < min(found[i] for i in mine[:2])
    assert len(steps) == 4


def test_the_ranking_is_in_the_key_only_if_it_is_on():
    plain = canonical(OneShotStep(target=TINY))
    assert plain == canonical(OneShotStep(target=TINY, exact=1.0))
    assert "exact" not in str(plain)
    assert canonical(OneShotStep(target=TINY, exact=0.5)) not in (plain, canonical(OneShotStep(target=TINY, exact=0.4)))


def test_perplexity_keeps_what_surprises_the_model_least():
    skill, rng = next(s for s in SKILLS if not s.weak), random.Random(3)
    drawn = [d for _ in range(60) if (d := draw(skill, rng, far=False, tails=0))][:6]
    sound = [(d.question, d.solution) for d in drawn]
    garbled = [(q, " ".join(reversed(s.split()))) for q, s in sound]
    candidates = tuple(candidate(i, c) for i, c in enumerate([*garbled, *sound]))
    refined = refine(Perplexity(target=TINY), TINY.base(), held_against(), candidates, seed=0)
    assert {e.id for e in refined.kept} == {f"c{i}" for i in range(6, 12)}
    assert all(s.score < 0 for s in refined.scored)


def test_difficulty_keeps_what_is_as_hard_as_the_bad_cases():
    cases = [sums(10 + i, 3 + i) for i in range(6)]
    odd = (sums(20, 4)[0], "7*3=<<7*3=21>>21 shells\n#### 400")  # far more surprising than any case
    candidates = (*(candidate(i, c) for i, c in enumerate(cases)), candidate(9, odd))
    refined = refine(
        *(Difficulty(target=TINY, low=0.0, high=1.0), TINY.base(), held_against(*cases), candidates),
        seed=0,
        keep=1.0,
        at_least=0.0,
    )
    assert [e.id for e in refined.kept] == [f"c{i}" for i in range(6)]
    last = refined.scored[-1]
    assert (last.score < 0, last.kept, last.reason) == (True, False, "score below 0")


@pytest.mark.long
def test_a_smaller_share_keeps_the_middle_of_the_window():
    """A smaller share keeps the middle of the difficulty window, in any order."""
    cases = [sums(10 + i, 3 + i) for i in range(6)]
    kept = []
    for order in (1, -1):
        candidates = tuple(candidate(i, c) for i, c in list(enumerate(cases))[::order])
        middle = Difficulty(target=TINY, low=0.0, high=1.0)
        refined = refine(middle, TINY.base(), held_against(*cases), candidates, seed=0, at_least=0.0)
        losses = dict(zip((c.id for c in candidates), solution_losses(TINY, TINY.base(), candidates, 32), strict=True))
        kept.append({e.id for e in refined.kept})
        edges = min(losses.values()), max(losses.values())
        room = sorted(losses, key=lambda i: -min(losses[i] - edges[0], edges[1] - losses[i]))
        assert kept[-1] == set(room[:3])
    assert kept[0] == kept[1]


def test_a_difficulty_window_without_width_is_refused():
    with pytest.raises(ValueError, match=r"low=0\.9 must be below high=0\.1"):
        Difficulty(target=TINY, low=0.9, high=0.1)


@part
class Axes:
    """Embeds a question that is a number as an angle in degrees."""

    version: ClassVar[int] = 1

    def embed(self, texts):
        angles = np.radians([float(t) for t in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_diversity_takes_the_farthest_next_and_repeats_last():
    candidates = tuple(candidate(i, (str(angle), "s")) for i, angle in enumerate((0, 0, 1, 90, 45)))
    refined = refine(Diversity(embedder=Axes()), TINY.base(), NO_TYPES, candidates, seed=0, keep=0.6)
    assert {e.question for e in refined.kept} == {"0", "90", "45"}
    assert refined.scored[0].score == 0.0 or refined.scored[1].score == 0.0  # one of two equal candidates adds nothing
    none = refine(Diversity(embedder=Axes()), TINY.base(), NO_TYPES, (), seed=0)
    assert none.scored == ()


@part
class FirstLetters:
    """Keeps candidates whose id is in ``ids``; remembers nothing."""

    version: ClassVar[int] = 1
    ids: list[str]

    def __call__(self, given, *, seed, folder=None):
        scores = [1.0 if c.id in self.ids else 0.0 for c in given.candidates]
        return RefinedSet(scored=decide(given.candidates, scores, 1.0, 0.5), pooled_share=len(given.candidates) / 10)


def test_a_chain_shows_each_refiner_what_those_before_it_kept():
    candidates = tuple(candidate(i, (str(i), "s")) for i in range(4))
    chain = Chain(steps={"a": FirstLetters(ids=["c0", "c1", "c2"]), "b": FirstLetters(ids=["c1", "c3"])})
    refined = refine(chain, TINY.base(), NO_TYPES, candidates, seed=0)
    assert [(s.example.id, s.kept, s.reason) for s in refined.scored] == [
        ("c0", False, "b: score below 0.5"),
        ("c1", True, "b: top 100% of its type"),
        ("c2", False, "b: score below 0.5"),
        ("c3", False, "a: score below 0.5"),
    ]
    assert refined.pooled_share == 0.4


def test_the_order_of_a_chain_is_in_its_identity():
    one, two = Refine(scorer=RandomRefinement()), Refine(scorer=Perplexity(target=TINY))
    assert digest(Chain(steps={"a": one, "b": two})) != digest(Chain(steps={"b": two, "a": one}))


def test_a_score_that_must_be_reached_can_empty_a_type():
    scored = decide(tuple(candidate(i, ("q", "s")) for i in range(2)), [0.1, 0.3], 0.5, at_least=0.4)
    assert [(s.kept, s.reason) for s in scored] == [(False, "not top 50% of its type"), (False, "score below 0.4")]
