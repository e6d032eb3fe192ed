"""A causal language model of a known shape with random weights, made on its device, and a tokenizer of numbers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from sei.opened import OpenModel


class Shape(NamedTuple):
    """The sizes of a Llama; the first is Llama-3-8B's (config.json of the model on the hub)."""

    hidden: int = 4096
    inner: int = 14336
    layers: int = 32
    heads: int = 32
    kv_heads: int = 8
    vocabulary: int = 128256


TOY = Shape(hidden=64, inner=128, layers=2, heads=4, kv_heads=2, vocabulary=512)


def opened(shape: Shape, device: str) -> OpenModel:
    """Return an open model in bfloat16 (float32 on a CPU) whose words are numbers; token 0 pads, token 1 ends."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        vocab_size=shape.vocabulary,
        max_position_embeddings=8192,
        rope_theta=500000.0,
        bos_token_id=1,
        eos_token_id=1,
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    before = torch.get_default_dtype()
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16 if device.startswith("cuda") else torch.float32)
    try:
        with torch.device(device):
            model = LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(before)
    return OpenModel(
        model=model.eval(), tokenizer=_numbers(shape.vocabulary), template="plain", layout="solve_plain.v1"
    )


def _numbers(size: int) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import PreTrainedTokenizerFast

    words = {"<pad>": 0, "<end>": 1, "<unk>": 2} | {str(i): i for i in range(3, size)}
    bare = Tokenizer(WordLevel(words, unk_token="<unk>"))
    bare.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=bare, pad_token="<pad>", eos_token="<end>", unk_token="<unk>", padding_side="left"
    )


def texts(shape: Shape, count: int, words: int, seed: int) -> list[str]:
    """Return random texts of so many tokens each."""
    rng = random.Random(seed)
    return [" ".join(str(rng.randrange(3, shape.vocabulary)) for _ in range(words)) for _ in range(count)]


def pairs(shape: Shape, count: int, length: int, seed: int) -> list[tuple[Sequence[int], Sequence[int]]]:
    """Return random (prompt, completion) token ids: a quarter prompt, the rest supervised."""
    rng = random.Random(seed)
    rows = [[rng.randrange(3, shape.vocabulary) for _ in range(length)] for _ in range(count)]
    return [(row[: length // 4], row[length // 4 :]) for row in rows]


def parameters(model: Any) -> tuple[int, int]:
    """Return how many weights take part in matrix products (all but the input embedding), and how many are trained."""
    embedding = model.get_input_embeddings().weight.numel()
    return sum(p.numel() for p in model.parameters()) - embedding, sum(
        p.numel() for p in model.parameters() if p.requires_grad
    )
