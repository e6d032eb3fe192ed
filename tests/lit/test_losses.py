"""Logits at the supervised positions alone give the losses of all logits, and their gradients."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from sei.errors import ConfigError
from sei.lit.batches import collate
from sei.lit.losses import mean_loss, token_losses

SIZES = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "pad_token_id": 0,
}
KINDS = {  # models that change their logits, whose output layer has another name, or whose weights are tied
    "llama": {},
    "qwen2": {"tie_word_embeddings": True},
    "gemma2": {"final_logit_softcapping": 2.0},
    "granite": {"logits_scaling": 3.0},
    "cohere": {"logit_scale": 0.25},
    "gpt_neox": {},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "bos_token_id": 1, "eos_token_id": 1},
}
BATCH = collate([((1, 2, 3), (4, 5)), ((6,), (7, 8, 9)), ((10, 11), (12,))], pad=0)


def model_of(kind: str):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **{**SIZES, **KINDS[kind]})).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_fewer_logits_give_the_same_losses_and_gradients(kind):
    model = model_of(kind)
    seen = []
    model.get_output_embeddings().register_forward_hook(lambda *x: seen.append(tuple(x[-1].shape[:-1])))
    with torch.no_grad():
        rows = [token_losses(model, BATCH, supervised_logits=x) for x in (False, True)]
    torch.testing.assert_close(*rows)
    grads = []
    for fewer in (False, True):
        loss = mean_loss(model, BATCH, supervised_logits=fewer)
        grads.append((loss.detach(), *torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)))
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-4)
    assert seen == [(3, 5), (1, 6), (3, 5), (1, 6)]


class Headless(torch.nn.Module):
    def get_output_embeddings(self):
        return None


def test_a_model_without_an_output_layer_is_refused():
    with pytest.raises(ConfigError, match=r"Headless names no output layer.*supervised_logits=false"):
        token_losses(Headless(), BATCH, supervised_logits=True)


def test_a_model_that_does_not_use_its_output_layer_is_refused():
    model = model_of("llama")
    model.get_output_embeddings = lambda: torch.nn.Linear(16, 50)
    with pytest.raises(ConfigError, match=r"logits of shape \(3, 5, 50\) for 6 positions"):
        token_losses(model, BATCH, supervised_logits=True)


def test_a_loss_with_a_term_for_experts_is_refused():
    model = model_of("llama")
    model.config.output_router_logits = True
    with pytest.raises(ConfigError, match="output_router_logits"):
        mean_loss(model, BATCH, supervised_logits=True)
