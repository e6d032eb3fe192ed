"""No answer and no training example leaves the model's window in silence."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from sei.errors import ConfigError
from sei.finetuners.supervised import Finetune
from sei.lit.batches import TokenBudget
from sei.lit.decoder import Decoder, Row
from sei.lit.draws import OwnDraws
from sei.lit.trainer import TrainerSettings
from sei.lit.window import window_of
from sei.records import TrainingExample
from tests.builders import TINY, pool
from tests.models.kinds import KINDS

SMALL = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4,
         "num_key_value_heads": 2, "pad_token_id": 0}  # fmt: skip


def config(kind: str, **more):
    return AutoConfig.for_model(kind.split(",")[0], **{**SMALL, **KINDS[kind], **more})


@pytest.mark.parametrize(
    ("kind", "more", "window"),
    [
        ("llama", {"max_position_embeddings": 128}, 128),
        ("gpt2", {}, 128),
        ("bloom", {}, None),
        ("llama, dynamic", {}, 128),
        ("gemma3_text", {"max_position_embeddings": 256}, 256),
        ("gemma3_text, scaled", {"max_position_embeddings": 64}, 512),
        ("qwen3, yarn", {"max_position_embeddings": 128}, 512),
        ("llama, longrope", {"max_position_embeddings": 256}, 256),
    ],
)
def test_the_window_of_a_configuration(kind, more, window):
    assert window_of(config(kind, **more)) == window


@pytest.mark.parametrize("compact", [True, False])
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_an_answer_that_may_leave_the_window_is_refused(kind, compact):
    """A learned table of positions ended with an index error, and RoPE went on in silence."""
    more = {"max_position_embeddings": 128} if kind == "llama" else {}
    model = AutoModelForCausalLM.from_config(config(kind, **more)).eval()
    decoder = Decoder(model, frozenset(), 0, compact=compact)
    batch = [Row(0, [3] * 60, [4] * 58), Row(1, [], [4] * 9)]
    assert len(decoder.tokens(batch, 10)[0]) == 10
    for draws in (None, OwnDraws([1, 2], 1.0, 11)):
        with pytest.raises(
            ConfigError, match=r"longest prompt has 118 tokens, and an answer up to 11 .*128 tokens\. R"
        ):
            decoder.tokens(batch, 11, draws=draws)


def test_examples_beyond_the_window_are_left_out(tmp_path):
    """F32."""
    stage = Finetune(target=TINY, trainer=TrainerSettings(), schedule=TokenBudget(), max_length=512)
    one, *_ = pool(10)
    rows = [
        TrainingExample(id=str(n), question=f"{one.question} " * n, solution=one.solution, source="synthetic")
        for n in (1, 20)
    ]
    with TINY.open(TINY.base()) as opened, torch.no_grad():
        assert window_of(opened.weights.config) == 192
        assert len(stage._pairs(opened, rows)) == 1
        with pytest.raises(ConfigError, match=r"none of 1 training examples fits 192 tokens\. Rule: finetuner.max_l"):
            stage._pairs(opened, rows[1:])
        with pytest.raises(ConfigError, match=r"none of 1 training examples fits 16 tokens"):
            replace(stage, max_length=16)._pairs(opened, rows[:1])
