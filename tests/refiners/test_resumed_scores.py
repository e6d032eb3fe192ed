"""A stopped refinement continues with its saved scores: none is computed twice, and the kept set is the same."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from sei.lit import decoder, one_step
from sei.lit.module import LitCausalLM
from sei.refiners import gradient, one_shot_context, one_shot_likelihood, one_shot_step
from sei.refiners.chain import Chain
from sei.stages.refine import Refine
from sei.store import Store
from tests.refiners.scorers import CANDIDATES, SCORERS, asked

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
