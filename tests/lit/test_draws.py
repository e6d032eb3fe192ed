"""Sampled tokens: each row draws from its own seed and distribution, independent of other rows."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from sei.engines.lightning import LightningEngine
from sei.errors import ConfigError
from sei.lit.draws import OwnDraws
from sei.lit.trainer import TrainerSettings
from sei.opened import Sampling
from sei.stages.attempt import Attempts
from sei.stages.sampled import draws
from sei.store import Store, digest
from tests.builders import TINY, pool

ENGINE = LightningEngine(trainer=TrainerSettings(), batch_size=8, max_new_tokens=24, samples=4, temperature=1.0)


def test_tokens_come_as_often_as_the_distribution_says():
    share = torch.tensor([0.1, 0.2, 0.7])
    take = OwnDraws(range(4_000), 1.0, 1)
    left = take(torch.zeros(4_000, 1, dtype=torch.long), share.log().repeat(4_000, 1)).argmax(dim=-1)
    found = torch.bincount(left, minlength=3) / 4_000
    assert torch.allclose(found, share, atol=0.03)


def test_a_low_temperature_takes_the_likeliest():
    left = OwnDraws(range(50), 0.01, 1)(torch.zeros(50, 1), torch.tensor([[1.0, 2.0, 1.5]]).repeat(50, 1))
    assert set(left.argmax(dim=-1).tolist()) == {1}


def test_whole_numbers_draw_the_tokens_of_fractions():
    """They are summed because a GPU has no deterministic sum of fractions."""
    scores = 3 * torch.randn(2_000, 300, generator=torch.Generator().manual_seed(2))
    own = OwnDraws(range(2_000), 0.7, 1)
    share = torch.softmax(scores.double() / 0.7, dim=-1).cumsum(dim=-1)
    expected = (share <= own.uniform * share[:, -1:]).sum(dim=-1)
    assert torch.equal(own.tokens(scores), expected)


def test_generation_leaves_the_determinism_of_the_process_alone():
    with ENGINE.open(TINY, TINY.base()) as opened:
        torch.use_deterministic_algorithms(False)
        list(ENGINE.answer(opened, opened.prompts(["What is 2 plus 3?"]), frozenset(), "x"))
        assert not torch.are_deterministic_algorithms_enabled()


def test_a_row_is_the_same_alone_and_among_others():
    scores = torch.randn(3, 40, generator=torch.Generator().manual_seed(1))
    together, alone = OwnDraws([5, 6, 7], 1.0, 3), OwnDraws([6], 1.0, 3)
    for _ in range(3):
        both = together(torch.zeros(3, 1), scores)[1].argmax(), alone(torch.zeros(1, 1), scores[1:2])[0].argmax()
        assert both[0] == both[1]


def test_an_answer_does_not_depend_on_its_batch():
    problems = pool()[:6]
    texts = [p.question for p in problems]
    with ENGINE.open(TINY, TINY.base()) as opened:
        asked = opened.prompts(texts)
        own = Sampling(2.0, 0, tuple(range(100, 106)))
        first = {a.at: a.text for a in ENGINE.answer(opened, asked, frozenset(), "x", own)}
        alone = replace(ENGINE, batch_size=1).answer(opened, asked, frozenset(), "x", own)
        assert {a.at: a.text for a in alone} == first
        other = Sampling(2.0, 0, tuple(range(200, 206)))
        assert {a.at: a.text for a in ENGINE.answer(opened, asked, frozenset(), "x", other)} != first


def test_eight_answers_begin_with_the_four_that_are_there(tmp_path):
    problems, base = pool()[:3], TINY.base()
    few, many = (Attempts(target=TINY, engine=replace(ENGINE, samples=k)) for k in (4, 8))
    store = Store(root=tmp_path / "a")
    four = store.each(few, base, items=draws(few, problems, 0))
    eight = store.each(many, base, items=draws(many, problems, 0))
    assert (store.uses[-1].made, store.uses[-1].reused) == (12, 12)
    assert [a for a in eight if a.sample < 4] == list(four)
    fresh = Store(root=tmp_path / "b").each(many, base, items=draws(many, problems, 0))
    assert fresh == eight  # with or without the first four in the store
    assert len({(a.problem.id, a.sample) for a in eight}) == 24


def test_greedy_keys_stay_and_the_temperature_is_in_them():
    greedy = replace(ENGINE, samples=1, temperature=0.0)
    assert "temperature" not in greedy.reads()
    assert digest(replace(ENGINE, samples=8)) == digest(ENGINE)
    assert len({digest(greedy), digest(ENGINE), digest(replace(ENGINE, temperature=0.5))}) == 3
    assert draws(Attempts(target=TINY, engine=greedy), pool()[:2], 0) == pool()[:2]


def test_each_answer_has_a_seed_of_its_own():
    stage = Attempts(target=TINY, engine=ENGINE)
    seeds = [d.seed for s in (0, 1) for d in draws(stage, pool()[:3], s)]
    assert len(set(seeds)) == len(seeds) == 24
    assert seeds[:12] == [d.seed for d in draws(stage, pool()[:3], 0)]


def test_several_greedy_answers_are_refused():
    with pytest.raises(ConfigError, match=r"engine\.samples=4 with engine\.temperature=0"):
        replace(ENGINE, temperature=0.0)
