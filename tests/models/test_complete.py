"""Weights that are incomplete, or that are not those of the model, are refused and not filled with random numbers."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

from sei.errors import ConfigError
from sei.models.target import TargetModel
from sei.models.trained import with_adapter
from tests.builders import TINY


@pytest.fixture
def base(tmp_path) -> TargetModel:
    """Return the embedded model in a folder of its own."""
    return replace(TINY, source=str(shutil.copytree(TINY.folder(), tmp_path / "base")))


def change(target: TargetModel, keep=lambda name: True, **settings) -> None:
    folder = Path(target.source)
    weights = load_file(folder / "model.safetensors")
    save_file({k: v for k, v in weights.items() if keep(k)}, folder / "model.safetensors", {"format": "pt"})
    held = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**held, **settings}))


@pytest.mark.parametrize(
    ("keep", "settings", "words"),
    [
        (lambda k: "layers.1." not in k, {}, r"lacks \d+ weights of LlamaForCausalLM, such as model.layers.1."),
        (lambda k: "norm" not in k, {}, r"lacks \d+ weights of LlamaForCausalLM, such as model.layers.0"),
        (lambda k: True, {"num_hidden_layers": 7}, r"lacks \d+ weights of LlamaForCausalLM"),
        (lambda k: True, {"num_hidden_layers": 1}, r"weights of more layers than the 1 that its config.json names"),
    ],
    ids=["a layer is missing", "norms are missing", "config of a deeper model", "config of a flatter model"],
)
def test_incomplete_weights_are_refused(base, keep, settings, words):
    """F29. transformers makes random numbers for them, others at every opening."""
    change(base, keep, **settings)
    with pytest.raises(ConfigError, match=rf"{words}.*Remedy: the complete folder"), base.open(base.base()):
        pass


def test_layers_of_another_stack_do_no_harm(base):
    """Those of images may be more than those of the text."""
    folder = Path(base.source)
    weights = load_file(folder / "model.safetensors")
    more = {f"vision_tower.encoder.layers.{n}.mlp.weight": torch.zeros(2, 2) for n in range(30)}
    save_file({**weights, **more}, folder / "model.safetensors", {"format": "pt"})
    with base.open(base.base()) as opened:
        assert opened.weights is not None


def test_complete_weights_are_opened(base):
    change(base)
    with base.open(base.base()) as opened:
        assert opened.weights is not None


def test_a_folder_with_an_adapter_is_refused(base):
    """transformers applies an adapter that lies in a folder, and the store's key knew nothing of its base."""
    (Path(base.source) / "adapter_config.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"holds a LoRA or another adapter of peft.*Remedy: the folder of the merged"):
        base.preflight()


@pytest.mark.parametrize("name", ["lm_head", "embed_tokens"])
def test_no_lora_on_one_end_of_a_shared_matrix(name):
    """Merging it changed both ends, so that the merged weights were not those that were trained."""
    with TINY.open(TINY.base()) as opened:
        assert opened.weights.config.tie_word_embeddings
        with pytest.raises(ConfigError, match=rf"{name} shares its weights with the other end of the model.*Remedy"):
            with_adapter(opened.weights, r=2, alpha=2, dropout=0.0, targets=["q_proj", name])


@pytest.mark.parametrize("kind", ["roberta", "bart"])
def test_a_model_that_sees_the_next_words_is_refused(base, kind, tmp_path):
    """An encoder was scored and trained as if it wrote answers."""
    size = {"hidden_size": 16, "d_model": 16, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 16}
    more = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "decoder_layers": 1, "encoder_layers": 1}
    config = AutoConfig.for_model(kind, vocab_size=420, pad_token_id=0, **size, **(more if kind == "bart" else {}))
    home = tmp_path / kind
    kinds = {"bart": AutoModelForSeq2SeqLM, "roberta": AutoModelForMaskedLM}
    kinds[kind].from_config(config).save_pretrained(home)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(base.source) / file, home / file)
    target = replace(base, source=str(home), template="plain")
    with pytest.raises(ConfigError, match=f"{kind} is no causal language model.*Remedy"), target.open(target.base()):
        pass
