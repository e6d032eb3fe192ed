"""``finetuner.deterministic`` holds only inside the fit. What a device cannot do is named with its remedy."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest
import torch

from sei.errors import ConfigError, DeviceError
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
    with (
        pytest.raises(ConfigError, match=r"fine-tune uses kthvalue CUDA, which has no .*deterministic=false"),
        determinism(True),
    ):
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


def test_memory_that_is_used_up_is_told_with_its_remedies(tmp_path, monkeypatch):
    """F30."""

    def full(self, batch, index):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB. GPU 0 has a total capacity of ...")

    monkeypatch.setattr(LitCausalLM, "training_step", full)
    with pytest.raises(DeviceError, match=r"\(CUDA out of memory\).*gradient_checkpointing=true.*micro_batch=1"):
        fit(lessons(), tmp_path, TrainerSettings(), schedule=TokenBudget(steps=1, tokens_per_step=50))
