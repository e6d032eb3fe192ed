"""Counts of tokens, padding and operations of a step."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from sei.lit.batches import SPARE, collate
from sei.lit.throughput import Meter, Sizes, costs_of, operations, peak_of, sizes_of

BATCH = collate([((1, 2), (3,)), ((4,), (5,))], pad=0)
CONFIG = {"hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 20}


def test_sizes_leave_padding_and_spare_rows_out():
    assert sizes_of([BATCH]) == Sizes(5, 6, 13, 2)
    assert sizes_of([{**BATCH, SPARE: True}]) == Sizes(0, 6, 0, 0)
    assert sizes_of([BATCH, BATCH]) == Sizes(10, 12, 26, 4)


@pytest.mark.parametrize("tied", [False, True])
def test_operations_of_layers_head_and_attention(tied):
    model = LlamaForCausalLM(LlamaConfig(**CONFIG, num_key_value_heads=2, tie_word_embeddings=tied))
    layers = 2 * (4 * 8 * 8 + 3 * 8 * 12 + 2 * 8) + 8  # attention, feed-forward, norms, and the last norm
    costs = costs_of(model)
    assert costs == (6 * layers, 6 * 20 * 8, 6 * 2 * 8)
    assert operations(costs, Sizes(5, 6, 13, 2)) == 6 * (5 * (layers + 160) + 13 * 16)
    fewer = operations(costs, Sizes(5, 6, 13, 2), supervised_logits=True)
    assert operations(costs, Sizes(5, 6, 13, 2)) - fewer == 6 * 3 * 160
    for p in model.parameters():
        p.requires_grad = False
    assert costs_of(model) == (4 * layers, 4 * 20 * 8, 6 * 2 * 8)


def test_models_of_unknown_cost_have_none():
    model = LlamaForCausalLM(LlamaConfig(**CONFIG))
    model.config.num_local_experts = 4
    assert costs_of(model) is None


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA A10", 125e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA GeForce GTX 1080", None),
    ],
)
def test_the_peak_is_found_by_the_words_of_the_name(name, peak):
    assert peak_of(name) == peak


def test_a_known_gpu_has_an_mfu(monkeypatch):
    model = LlamaForCausalLM(LlamaConfig(**CONFIG))
    meter = Meter(model, "32-true", devices=2)
    assert (meter.peak, meter.costs) == (None, None)
    meter.peak, meter.costs = 1000.0, costs_of(model)
    times = iter([1.0, 3.0])
    monkeypatch.setattr("sei.lit.throughput.time", SimpleNamespace(perf_counter=lambda: next(times)))
    meter.start()
    found = meter.stop(Sizes(5, 8, 13, 2))
    assert (found.seconds, found.tokens_per_second, found.padding) == (2.0, 2.5, 0.375)
    assert found.mfu == round(operations(meter.costs, Sizes(5, 8, 13, 2)) / 2 / 2000, 4)
    assert found.peak_gib > 0.01
    assert torch.device("cpu") == meter.device
