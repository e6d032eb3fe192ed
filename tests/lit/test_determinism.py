"""``finetuner.deterministic``: only inside the fit, and an operation without such an algorithm is named."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest
import torch

from sei.errors import ConfigError
from sei.lit.batches import TokenBudget
from sei.lit.module import LitCausalLM
from sei.lit.trainer import TrainerSettings, determinism
from tests.builders import lessons
from tests.lit.fits import fit

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


@pytest.fixture(autouse=True)
def undone():
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("wanted", [False, True])
def test_what_was_set_before_holds_again(monkeypatch, before, wanted):
    monkeypatch.delenv(WORKSPACE, raising=False)
    torch.use_deterministic_algorithms(before)
    with suppress(KeyError), determinism(wanted):
        assert torch.are_deterministic_algorithms_enabled() is wanted
        assert (WORKSPACE in os.environ) is wanted
        raise KeyError
    assert torch.are_deterministic_algorithms_enabled() is before
    assert WORKSPACE not in os.environ


def test_the_workspace_of_the_user_comes_back(monkeypatch):
    monkeypatch.setenv(WORKSPACE, ":16:8")
    with determinism(True):
        pass
    assert os.environ[WORKSPACE] == ":16:8"


def test_an_operation_without_a_deterministic_algorithm_is_named():
    said = (
        "kthvalue CUDA does not have a deterministic implementation, but you set 'torch.use_deterministic_algorithms'"
    )
    with pytest.raises(ConfigError, match=r": kthvalue CUDA has no .*deterministic=false"), determinism(True):
        raise RuntimeError(said)
    with pytest.raises(RuntimeError, match="another"), determinism(True):
        raise RuntimeError("another")


@pytest.mark.parametrize("wanted", [True, False])
def test_a_fit_uses_it_and_leaves_nothing(tmp_path, monkeypatch, wanted):
    torch.use_deterministic_algorithms(False)
    monkeypatch.delenv(WORKSPACE, raising=False)
    seen, original = [], LitCausalLM.training_step

    def look(self, batch, index):
        seen.append(torch.are_deterministic_algorithms_enabled())
        return original(self, batch, index)

    monkeypatch.setattr(LitCausalLM, "training_step", look)
    fit(lessons(), tmp_path, TrainerSettings(), schedule=TokenBudget(steps=1, tokens_per_step=50), deterministic=wanted)
    assert seen == [wanted]
    assert not torch.are_deterministic_algorithms_enabled()
    assert WORKSPACE not in os.environ
