"""``model.attn_implementation`` reaches the weights, the key and no exported folder; what is not there is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from sei.errors import ConfigError
from sei.models import attention
from sei.models.attention import require_attention
from sei.store import digest
from tests.builders import TINY

GPU = {"device": "cuda:0", "dtype": "bfloat16", "architectures": ["LlamaForCausalLM"]}


def test_the_weights_are_opened_with_it_and_exported_without(tmp_path):
    eager = replace(TINY, attn_implementation="eager")
    eager.preflight()
    ids = torch.tensor([[5, 6, 7, 8]])
    with TINY.open(TINY.base()) as opened, torch.no_grad():
        usual = opened.weights(ids).logits
    with eager.open(TINY.base()) as opened, torch.no_grad():
        assert opened.weights.config._attn_implementation == "eager"
        torch.testing.assert_close(opened.weights(ids).logits, usual)
        opened.weights.save_pretrained(tmp_path)
    assert not [k for k in json.loads((tmp_path / "config.json").read_text()) if "attn_impl" in k]


def test_it_is_in_the_key_if_set():
    assert digest(replace(TINY, attn_implementation=None)) == digest(TINY)
    assert len({digest(replace(TINY, attn_implementation=x)) for x in (None, "eager", "sdpa")}) == 3


@pytest.mark.parametrize(
    ("installed", "more", "words"),
    [
        (False, {}, "needs the flash-attn package"),
        (True, {"device": "cpu"}, "trainer.accelerator=cpu"),
        (True, {"dtype": "float32"}, "model.dtype=bfloat16"),
        (True, {"architectures": ["CodeGenForCausalLM"]}, "CodeGenForCausalLM"),
        (True, {}, None),
    ],
)
def test_flash_attention_is_refused_for_each_reason(monkeypatch, installed, more, words):
    monkeypatch.setattr(attention, "_has_flash_attention", lambda: installed)
    if words is None:
        require_attention("flash_attention_2", **{**GPU, **more})
        return
    with pytest.raises(ConfigError, match=words) as e:
        require_attention("flash_attention_2", **{**GPU, **more})
    assert "Remedy: model.attn_implementation=" in str(e.value)


def test_a_run_with_an_attention_that_is_not_there_ends_at_once():
    with pytest.raises(ConfigError, match="flash-attn"):
        replace(TINY, attn_implementation="flash_attention_2").preflight()
