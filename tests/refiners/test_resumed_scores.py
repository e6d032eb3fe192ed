"""A stopped refinement continues with its saved scores: none is computed twice, and the kept set is the same."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from sei.engines.lightning import LightningEngine
from sei.grading import MathGrader
from sei.lit import decoder, one_step
from sei.lit.module import LitCausalLM
from sei.lit.trainer import TrainerSettings
from sei.records import RefineInput
from sei.refiners import gradient, one_shot_context, one_shot_likelihood, one_shot_step
from sei.refiners.chain import Chain
from sei.refiners.difficulty import Difficulty
from sei.refiners.gradient import Gradient
from sei.refiners.one_shot_context import OneShotContext
from sei.refiners.one_shot_likelihood import OneShotLikelihood
from sei.refiners.one_shot_step import OneShotStep
from sei.refiners.perplexity import Perplexity
from sei.stages.refine import Refine
from sei.store import Store
from tests.builders import TINY, candidate, held_against, sums

CASES = [sums(a, 5) for a in range(11, 17)]
CANDIDATES = tuple(candidate(i, sums(20 + i, 3 + i % 4)) for i in range(40))
ENGINE = LightningEngine(trainer=TrainerSettings(), batch_size=16, max_new_tokens=8)
SETTINGS = {"target": TINY}
SCORERS = {
    "step": OneShotStep(**SETTINGS),
    "ranked": OneShotStep(**SETTINGS, exact=0.25),
    "gradient": Gradient(**SETTINGS),
    "perplexity": Perplexity(**SETTINGS, batch_size=4),
    "difficulty": Difficulty(**SETTINGS, batch_size=4),
    "likelihood": OneShotLikelihood(**SETTINGS, bad=3, good=0),
    "context": OneShotContext(**SETTINGS, engine=ENGINE, grader=MathGrader(), bad=3, good=0, rows=8),
    "race": OneShotContext(**SETTINGS, engine=ENGINE, grader=MathGrader(), bad=3, good=0, rows=8, race=True, step=1),
    "engine": OneShotContext(**SETTINGS, engine=ENGINE, grader=MathGrader(), bad=3, good=0, reuse_prefix=False),
}
REFINERS = {name: Refine(scorer=s, keep=0.3) for name, s in SCORERS.items()}
REFINERS["chain"] = Chain(steps={"first": REFINERS["perplexity"], "then": REFINERS["step"]})
WORK = (
    (one_step.OneStep, "loss_after"),
    (one_step.Gradients, "cosine"),
    (decoder.Decoder, "likelihoods"),
    (decoder.Decoder, "tokens"),
    (one_step, "token_losses"),
    (LitCausalLM, "predict_step"),
)


def asked(candidates) -> RefineInput:
    return RefineInput(checkpoint=TINY.base(), error_map=held_against(*CASES), candidates=candidates)


class Stop(BaseException):
    """Stands for a signal."""


def counting(real, state):
    def call(*args, **kwargs):
        state["calls"] += 1
        if state["calls"] == state["stop"]:
            raise Stop
        return real(*args, **kwargs)

    return call


@pytest.fixture
def counted(monkeypatch):
    """Count costly calls, and stop at a given number if set."""
    state = {"calls": 0, "stop": None}
    for module in (gradient, one_shot_context, one_shot_likelihood, one_shot_step):
        monkeypatch.setattr(module, "progress", lambda what, total: nullcontext(lambda n: None))
    for owner, name in WORK:
        monkeypatch.setattr(owner, name, counting(getattr(owner, name), state))
    return state


_QUICK = ("step", "context", "chain")  # the others keep their values in the same journal


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in _QUICK else pytest.mark.slow) for n in REFINERS])
def test_a_stopped_refinement_goes_on_where_it_was(tmp_path, counted, name):
    refiner, given = REFINERS[name], asked(CANDIDATES)
    whole = Store(root=tmp_path / "whole").once(refiner, given, seed=1)
    cost, counted["calls"] = counted["calls"], 0
    assert cost >= 4
    counted["stop"] = cost // 2
    with pytest.raises(Stop):
        Store(root=tmp_path / "cut").once(refiner, given, seed=1)
    made, counted["calls"], counted["stop"] = counted["calls"], 0, None
    again = Store(root=tmp_path / "cut").once(refiner, given, seed=1)
    assert again == whole
    assert counted["calls"] <= cost - made + 3  # the value in progress at the stop, and the loss or gradient of a set
    counted["calls"] = 0
    assert Store(root=tmp_path / "cut").once(refiner, given, seed=1) == whole
    assert counted["calls"] == 0


def test_a_torn_score_is_made_again(tmp_path, counted):
    refiner, given = REFINERS["step"], asked(CANDIDATES[:8])
    whole = refiner(given, seed=1, folder=tmp_path / "a")
    kept = (tmp_path / "a" / "values.jsonl").read_bytes()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "values.jsonl").write_bytes(kept[: len(kept) // 2])
    assert refiner(given, seed=1, folder=tmp_path / "b") == whole == refiner(given, seed=1)
