"""Prompts with a common prefix get the same answers and likelihoods as one by one."""

from __future__ import annotations

import pytest

from sei.engines.lightning import LightningEngine
from sei.grading import MathGrader
from sei.lit.one_step import mean_losses
from sei.lit.shared_prefix import SharedPrefix
from sei.lit.trainer import TrainerSettings
from sei.refiners.one_shot_context import OneShotContext
from sei.refiners.one_shot_likelihood import OneShotLikelihood
from tests.builders import TINY, candidate, cases, error_map, pool, refine

ENGINE = LightningEngine(trainer=TrainerSettings(), batch_size=16, max_new_tokens=60)
POOL = pool(120)


def grouped(opened, *sizes):
    """Return prompts of several groups, each with its own demonstration; the first group has none."""
    groups, at = [], 0
    for g, n in enumerate(sizes):
        shown = (POOL[100 + g].question, POOL[100 + g].solution) if g else None
        groups.append(opened.prompts([p.question for p in POOL[at : at + n]], shown))
        at += n
    return groups


@pytest.mark.parametrize("rows", [3, 64])
def test_answers_are_those_of_the_engine(rows):
    with TINY.open(TINY.base()) as opened:
        groups = grouped(opened, 5, 1, 8, 3)
        done = []
        found = SharedPrefix(opened, rows=rows).answers(groups, *ENGINE.limits(), done.append)
        flat = [prompt for g in groups for prompt in g]
        expected = {a.at: a for a in ENGINE.answer(opened, flat, frozenset(), "test")}
    assert [len(g) for g in found] == [5, 1, 8, 3]
    assert [a for g in found for a in g] == [expected[i] for i in range(17)]
    assert sum(done) == 17
    assert len({a.text for a in expected.values()}) > 10


@pytest.mark.long
def test_an_answer_is_cut_at_the_cap_and_at_stop_strings():
    with TINY.open(TINY.base()) as opened:
        groups = grouped(opened, 2)
        (cut, _), (stopped, _) = (
            SharedPrefix(opened).answers(groups, n, stop)[0] for n, stop in ((4, ()), (60, ("####",)))
        )
    assert not cut.finished
    assert stopped.finished
    assert "####" not in stopped.text
    assert len(cut.text) < len(stopped.text)


@pytest.mark.long
def test_likelihoods_are_those_of_training():
    with TINY.open(TINY.base()) as opened:
        pairs = [(p.question, p.solution) for p in POOL[:6]]
        prompts = opened.prompts([q for q, _ in pairs])
        texts = [[(p, s)] for p, (_, s) in zip(prompts, pairs, strict=True)]
        found = SharedPrefix(opened, rows=4).log_likelihoods(texts)
        together = SharedPrefix(opened).log_likelihoods([[row for (row,) in texts]])
        losses = mean_losses(opened, pairs, 2)
    assert [-row[0] for row in found] == pytest.approx(losses, abs=1e-4)
    assert [-x for x in together[0]] == pytest.approx(losses, abs=1e-4)


ERRORS = error_map((), cases(POOL[:12]))
CANDIDATES = tuple(candidate(p.id, (p.question, p.solution), "ab"[i % 2]) for i, p in enumerate(POOL[20:36]))


@pytest.mark.slow
def test_prefix_reuse_and_racing_keep_what_the_naive_loop_keeps():
    naive, shared, raced = (
        OneShotContext(target=TINY, engine=ENGINE, grader=MathGrader(), bad=4, good=4, **how)
        for how in ({"reuse_prefix": False}, {}, {"race": True, "rows": 10, "step": 2})
    )
    results = [
        refine(r, TINY.base(), ERRORS, CANDIDATES, POOL[50:60], seed=0, keep=0.25) for r in (naive, shared, raced)
    ]
    assert [s.score for s in results[1].scored] == pytest.approx([s.score for s in results[0].scored])
    assert len({s.score for s in results[0].scored}) > 1
    assert results[0].kept == results[1].kept == results[2].kept


@pytest.mark.long
def test_the_likelihood_refiner_reports_the_gain_in_nats():
    stage = OneShotLikelihood(target=TINY, bad=12, good=0)
    refined = refine(stage, TINY.base(), ERRORS, CANDIDATES[:8], seed=0, keep=0.25)
    assert len(refined.kept) == 2
    asked = [b.problem for b in ERRORS.types[0].validation]
    shown = refined.scored[0].example

    def together(opened, demonstration):
        prompts = opened.prompts([p.question for p in asked], demonstration)
        return SharedPrefix(opened).log_likelihoods([[(t, p.solution) for t, p in zip(prompts, asked, strict=True)]])[0]

    with TINY.open(TINY.base()) as opened:
        with_it, without = together(opened, (shown.question, shown.solution)), together(opened, None)
    gain = sum(a - b for a, b in zip(with_it, without, strict=True)) / len(asked)
    assert refined.scored[0].score == pytest.approx(gain, abs=1e-4)
