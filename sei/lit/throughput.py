"""How fast an optimizer step was: tokens per second, padding, peak memory, and use of the GPU's peak (MFU)."""

from __future__ import annotations

import re
import resource
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from sei.lit.batches import IGNORE, SPARE
from sei.records import Throughput

_PEAK = (  # words of the product name, and dense bfloat16 operations a second by the makers' sheets; first match counts
    (("H100", "PCIe"), 756e12),
    (("H100", "NVL"), 835e12),
    (("H100",), 989e12),
    (("H200",), 989e12),
    (("A100",), 312e12),
    (("A30",), 165e12),
    (("A10",), 125e12),
    (("L40S",), 362e12),
    (("L4",), 121e12),
)


class Sizes(NamedTuple):
    """Sizes of a step's batch: tokens without padding, positions with it, sum of squared row lengths, supervised."""

    tokens: float
    positions: float
    squares: float
    supervised: float


def sizes_of(parts: Sequence[dict[str, torch.Tensor]]) -> Sizes:
    """Return the sizes of the parts of a batch together. A spare row has positions alone."""
    total = [0.0] * 4
    for part in parts:
        lengths = part["attention_mask"].sum(dim=1)
        supervised = (part["labels"][:, 1:] != IGNORE).sum()
        counted = torch.stack([lengths.sum(), (lengths**2).sum(), supervised]).tolist()
        tokens, squares, labels = [0, 0, 0] if SPARE in part else counted
        found = (tokens, part["input_ids"].numel(), squares, labels)
        total = [a + b for a, b in zip(total, found, strict=True)]
    return Sizes(*total)


class Costs(NamedTuple):
    """Operations of training: per token in the layers, per logit position, and per squared row length (attention)."""

    layers: int
    head: int
    attention: int


def costs_of(model: Any) -> Costs | None:
    """Return the operations of training a model, ``None`` if its size is not known (experts, packed weights).

    A weight costs 2 operations a token forward, 2 backward to its inputs, and 2 more if it is trained. Causal attention
    costs 6 x layers x width a squared row length. What gradient checkpointing computes again is not counted.
    """
    config: Any = model.config.get_text_config()
    if any(getattr(config, name, None) for name in ("num_experts", "num_local_experts", "n_routed_experts")):
        return None
    inputs, head = model.get_input_embeddings(), model.get_output_embeddings()
    if inputs is None or not isinstance(getattr(head, "weight", None), torch.Tensor):
        return None
    weights = [p for p in model.parameters() if p is not inputs.weight and p is not head.weight]
    if any(not p.is_floating_point() for p in weights):
        return None
    try:
        width = int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
        attention = 6 * int(config.num_hidden_layers) * int(config.num_attention_heads) * width
    except AttributeError:
        return None
    return Costs(sum(map(_each, weights)), _each(head.weight), attention)


def _each(weight: torch.Tensor) -> int:
    return weight.numel() * (6 if weight.requires_grad else 4)


def operations(costs: Costs, sizes: Sizes, *, supervised_logits: bool = False) -> float:
    """Return the operations of one step. With ``supervised_logits`` the output layer works on those positions alone."""
    head = sizes.supervised if supervised_logits else sizes.tokens
    return costs.layers * sizes.tokens + costs.head * head + costs.attention * sizes.squares


def peak_of(device: str) -> float | None:
    """Return the dense bfloat16 operations per second of a GPU by its product name, ``None`` if not known."""
    words = set(re.split(r"[\s-]+", device))
    return next((peak for name, peak in _PEAK if words.issuperset(name)), None)


class Meter:
    """Measures the steps of one fit on the device of its model."""

    def __init__(self, model: Any, precision: str, *, devices: int = 1, supervised_logits: bool = False) -> None:
        first = next(model.parameters())
        self.device, self.devices, self.supervised_logits = first.device, devices, supervised_logits
        half = precision != "32-true" or first.dtype in (torch.bfloat16, torch.float16)
        on_gpu = self.device.type == "cuda"
        self.peak = peak_of(torch.cuda.get_device_name(self.device)) if on_gpu and half else None
        self.costs = costs_of(model) if self.peak else None
        self.began = 0.0
        if on_gpu:
            torch.cuda.reset_peak_memory_stats(self.device)

    def start(self) -> None:
        """Start the clock of a step."""
        self.began = time.perf_counter()

    def stop(self, sizes: Sizes) -> Throughput:
        """Wait for the device and return the step's throughput."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        seconds = max(time.perf_counter() - self.began, 1e-9)
        mfu = None
        if self.peak and self.costs:
            done = operations(self.costs, sizes, supervised_logits=self.supervised_logits)
            mfu = round(done / seconds / (self.peak * self.devices), 4)
        return Throughput(
            seconds=round(seconds, 6),
            tokens_per_second=round(sizes.tokens / seconds, 1),
            padding=round(1 - sizes.tokens / sizes.positions, 4),
            peak_gib=round(self._memory() / 2**30, 3),
            mfu=mfu,
        )

    def _memory(self) -> float:
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used if sys.platform == "darwin" else used * 1024
