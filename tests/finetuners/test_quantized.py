"""QLoRA: refusals, and a real fine-tune if bitsandbytes is installed."""

from __future__ import annotations

import importlib.util
import json

import pytest

from sei.errors import ConfigError
from sei.finetuners.supervised import Finetune
from sei.lit.batches import TokenBudget
from sei.lit.one_step import mean_losses
from sei.lit.trainer import TrainerSettings
from tests.builders import TINY, lessons


def qlora(**more):
    settings = {"method": "lora", "quantize": "nf4", "lr": 5e-3, "lora_dropout": 0.0, "lora_targets": "all-linear"}
    return Finetune(
        target=TINY,
        trainer=TrainerSettings(),
        schedule=TokenBudget(steps=8, tokens_per_step=200),
        **{**settings, **more},
    )


def test_four_bits_without_an_adapter_are_refused():
    with pytest.raises(ConfigError, match=r"quantize=nf4 with finetuner.method=full.*Remedy"):
        qlora(method="full")


def test_a_machine_without_the_library_is_told_early(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs the bitsandbytes package.*sei\[quantized\]"):
        qlora().preflight()


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="needs bitsandbytes: make slow installs it"
)
@pytest.mark.filterwarnings("default")  # bitsandbytes warns on a CPU
def test_an_adapter_on_four_bit_weights_learns_and_is_merged(tmp_path):
    """An adapter on four-bit weights learns and is merged into the plain ones."""
    examples = lessons(40)
    trained = qlora()(TINY.base(), examples, seed=0, folder=tmp_path)
    pairs = [(e.question, e.solution) for e in examples[:20]]
    with TINY.open(TINY.base()) as opened:
        before = sum(mean_losses(opened, pairs, 20))
    with TINY.open(trained.checkpoint) as opened:
        after = sum(mean_losses(opened, pairs, 20))
        assert {p.dtype.is_floating_point for p in opened.model.parameters()} == {True}
    print(f"loss {before:.3f} -> {after:.3f}")
    assert after < before
    assert "quantization_config" not in json.loads((tmp_path / "model" / "config.json").read_text())
    again = qlora()(trained.checkpoint, examples, seed=1, folder=tmp_path / "again")  # continues the same adapter
    assert again.checkpoint.onto == TINY.base()
    with TINY.open(TINY.base(), quantize="nf4") as opened:
        assert any(type(m).__name__ == "Linear4bit" for m in opened.model.modules())
