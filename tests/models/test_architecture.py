"""Layers of a LoRA and logits to leave out are checked against the architecture before a run costs anything."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from sei.errors import ConfigError
from sei.finetuners.supervised import Finetune
from sei.lit.batches import TokenBudget
from sei.lit.one_step import OneStep
from sei.lit.trainer import TrainerSettings
from sei.models.architecture import architecture, require_trainable
from sei.models.target import TargetModel
from sei.models.trained import with_adapter
from sei.opened import OpenModel
from sei.refiners.difficulty import Difficulty
from sei.refiners.gradient import Gradient
from sei.refiners.one_shot_step import OneShotStep
from sei.refiners.perplexity import Perplexity
from tests.builders import TINY
from tests.models.kinds import KINDS

PAPER = ["q_proj", "k_proj", "v_proj", "o_proj"]
SIZES = {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2}


def described(home, kind: str, **more) -> TargetModel:
    """Return a target of which only the configuration exists."""
    settings = {"vocab_size": 420, "pad_token_id": 5, **SIZES, **KINDS.get(kind, {}), **more}
    AutoConfig.for_model(kind, **settings).save_pretrained(home)
    return replace(TINY, source=str(home), name="described")


def lora(target: TargetModel, **more) -> Finetune:
    return Finetune(target=target, trainer=TrainerSettings(), schedule=TokenBudget(), method="lora", **more)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("phi3", "Phi3ForCausalLM has no layer q_proj or k_proj or v_proj. .*[o_proj,qkv_proj,gate_up_proj,down_proj]"),
        ("opt", "OPTForCausalLM has no layer o_proj. .*[k_proj,v_proj,q_proj,out_proj,fc1,fc2]"),
        ("phi", "PhiForCausalLM has no layer o_proj. .*[q_proj,k_proj,v_proj,dense,fc1,fc2]"),
        ("gpt_neox", "GPTNeoXForCausalLM has no layer q_proj or .*[query_key_value,dense,dense_h_to_4h,dense_4h_to_h]"),
        ("gpt2", "GPT2LMHeadModel has no layer q_proj or .*[c_attn,c_proj,c_fc]"),
    ],
    ids=["phi3", "opt", "phi", "gpt_neox", "gpt2"],
)
def test_a_layer_that_the_model_lacks_is_refused_before_a_run(kind, words, tmp_path):
    """peft adapts the layers that it finds: of the paper's four, Phi-3 has one, which was all that was trained."""
    target = described(tmp_path, kind)
    said, names = words.split("[")
    with pytest.raises(ConfigError, match=said + re.escape(f"[{names}.")):
        lora(target, lora_targets=PAPER).preflight()
    lora(target, lora_targets="all-linear").preflight()
    lora(target, lora_targets=names.rstrip("]").split(",")[:1]).preflight()


def test_it_is_refused_at_the_fine_tune_too():
    with TINY.open(TINY.base()) as opened:
        with pytest.raises(
            ConfigError, match=r"lora_targets=\[q_proj,qkv_proj\]: LlamaForCausalLM has no layer qkv_pr"
        ):
            with_adapter(opened.weights, r=2, alpha=2, dropout=0.0, targets=["q_proj", "qkv_proj"])
        assert not hasattr(opened.weights, "peft_config")


def test_a_layer_that_peft_cannot_adapt_is_refused_in_words(tmp_path):
    target = described(tmp_path, "llama")
    with pytest.raises(
        ConfigError, match=r"lora_targets=\[mlp\], .*: peft makes no LoRA of them in LlamaForCausalLM \(.*Rem"
    ):
        lora(target, lora_targets=["mlp"]).preflight()


@pytest.mark.parametrize("kind", sorted({k.split(",")[0] for k in KINDS}))
def test_all_linear_layers_fit_every_kind(kind, tmp_path):
    lora(described(tmp_path, kind), lora_targets="all-linear", lora_dropout=0.0).preflight()


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("phimoe", {"num_local_experts": 4, "intermediate_size": 96}),
        ("llama4_text", {"num_local_experts": 4, "intermediate_size": 96, "intermediate_size_mlp": 96, "head_dim": 16}),
    ],
)
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft asks for the old name
def test_a_router_that_chooses_gets_no_lora(kind, more, tmp_path):
    """It is a linear layer by its type and returns a pair: the first step ended in an AttributeError."""
    target = described(tmp_path, kind, **more)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(tmp_path))
    with_lora = with_adapter(model, r=2, alpha=2, dropout=0.0, targets="all-linear")
    names = {name for name, p in with_lora.named_parameters() if p.requires_grad}
    assert {n for n in names if "q_proj" in n}
    assert not {n for n in names if "router" in n}
    ids = torch.arange(8).reshape(1, 8)
    with_lora(input_ids=ids, labels=ids).loss.backward()
    with pytest.raises(
        ConfigError, match=r"lora_targets=\[q_proj,router\]: in .*, router chooses experts and .*q_proj"
    ):
        lora(target, lora_targets=["q_proj", "router"]).preflight()


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_scoring_by_a_lora_leaves_out_routers(tmp_path):
    described(tmp_path, "phimoe", num_local_experts=4, intermediate_size=96)
    opened = SimpleNamespace(weights=AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(tmp_path)))
    step = OneStep(cast(OpenModel, opened), step_size=0.1, lora=True, seed=1)
    names = {name for name, p in step.model.named_parameters() if p.requires_grad}
    assert {n for n in names if "q_proj" in n}
    assert not {n for n in names if "router" in n}


def test_dropout_that_peft_refuses_is_refused_before_a_run(tmp_path):
    """Experts of a mixture are parameters, for which peft has no dropout."""
    target = described(tmp_path, "mixtral")
    with pytest.raises(ConfigError, match=r"lora_dropout=0.1: .*lora_dropout.*Remedy: finetuner.lora_dropout=0\."):
        lora(target, lora_targets="all-linear").preflight()
    lora(target, lora_targets="all-linear", lora_dropout=0.0).preflight()


def test_the_architecture_is_built_once_without_weights(tmp_path):
    target = described(tmp_path, "llama")
    first = architecture(target)
    assert {p.device.type for p in first.parameters()} == {"meta"}
    lora(target, lora_targets=PAPER).preflight()
    assert architecture(target) is first
    assert not hasattr(first, "peft_config")


def test_a_model_that_is_not_here_is_not_checked_offline():
    nowhere = replace(TINY, source="someone/not-on-this-machine", name="")
    assert architecture(nowhere) is None
    require_trainable(nowhere, lora=["q_proj"], supervised_logits=True)


@pytest.mark.parametrize(("more", "said"), [({}, True), ({"lr": 5e-4}, False), ({"method": "lora"}, False)])
def test_updates_that_bfloat16_loses_are_told(more, said, caplog):
    """At 1e-5, most weights of a full fine-tune in pure bfloat16 stayed what they were."""
    trainer = TrainerSettings(precision="bf16-true")
    how = {"lr": 1e-5, "method": "full", "lora_targets": PAPER, **more}
    Finetune(target=TINY, trainer=trainer, schedule=TokenBudget(), **how).preflight()
    assert ("too small for bfloat16" in caplog.text) == said


def test_checkpointing_is_checked_before_a_run(tmp_path, monkeypatch):
    target = described(tmp_path, "llama")
    whole = replace(lora(target), method="full", gradient_checkpointing=True)
    whole.preflight()
    monkeypatch.setattr(type(architecture(target)), "supports_gradient_checkpointing", False)
    with pytest.raises(ConfigError, match="LlamaForCausalLM does not support it"):
        whole.preflight()


@pytest.mark.parametrize("part", [OneShotStep, Gradient, Difficulty, Perplexity, lora], ids=lambda p: p.__name__)
def test_logits_that_a_loss_needs_are_not_left_out(part, tmp_path):
    """The loss of the experts needs all logits: known before the run, not at its first step."""
    target = described(tmp_path, "mixtral", output_router_logits=True)
    more = {"lora_targets": "all-linear", "lora_dropout": 0.0} if part is lora else {}
    with pytest.raises(ConfigError, match=r"supervised_logits=true: the loss of MixtralForCausalLM.*Remedy: superv"):
        part(target=target, supervised_logits=True, **more).preflight()
    part(target=target, **more).preflight()
