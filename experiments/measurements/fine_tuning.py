"""The cost of a training step, and of a validation loss, with the settings that save memory and time.

``python -m experiments.measurements.fine_tuning MODEL [--rows 8] [--lora] [--times 5] [--ways NAME...]``.

``MODEL`` is ``packaged:tiny_l``, ``packaged:smollm2`` or a folder. The rows are problems of the embedded domain with
their reference solutions, in the model's own prompt. All ways run in turn in one process with one thread, so many
``times``. Prints CPU seconds of each, the median ratio to the plain way of the same turn with its range, the largest
difference of losses and of gradients (relative to the gradient's norm), and the memory that a forward pass keeps for
the backward pass. Validation losses are also compared with float64 arithmetic on the same logits.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from sei.data.arithmetic import Arithmetic
from sei.lit.batches import IGNORE, micro_batches
from sei.lit.losses import mean_loss, token_losses
from sei.lit.module import supervised_tokens
from sei.lit.one_step import encode_batch
from sei.models.target import TargetModel
from sei.models.trained import with_adapter

Batch = dict[str, torch.Tensor]
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "supervised_logits": {"supervised_logits": True},
    "micro_batch:1": {"micro_batch": 1},
    "micro_batch:2": {"micro_batch": 2},
    "micro_batch:4": {"micro_batch": 4},
    "gradient_checkpointing": {"gradient_checkpointing": True},
    "all three (micro_batch:2)": {"micro_batch": 2, "gradient_checkpointing": True, "supervised_logits": True},
}


class Kept:
    """Counts the bytes that a forward pass keeps for the backward pass, apart from weights; ``most`` at once."""

    def __init__(self, model: Any) -> None:
        self.weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
        self.seen: dict[int, int] = {}
        self.most = 0

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        """Note a kept tensor once per storage."""
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.weights:
            self.seen[storage.data_ptr()] = storage.nbytes()
            self.most = max(self.most, sum(self.seen.values()))
        return tensor


def step(model: Any, batch: Batch, way: dict[str, Any], kept: Kept | None = None) -> tuple[float, list[torch.Tensor]]:
    """Return loss and gradients of one training step, computed as the fine-tune does."""
    if way.get("gradient_checkpointing"):
        model.activation_checkpointing_enable()
    model.zero_grad()
    parts = micro_batches(batch, way.get("micro_batch", 0))
    tokens = [supervised_tokens(p) for p in parts]
    total = 0.0
    for part, n in zip(parts, tokens, strict=True):
        how = {"supervised_logits": bool(way.get("supervised_logits"))}
        if kept is None:
            loss = mean_loss(model, part, **how)
        else:
            kept.seen = {}
            with torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda x: x):
                loss = mean_loss(model, part, **how)
        (loss * (n / sum(tokens))).backward()
        total += float(loss.detach()) * n / sum(tokens)
    if way.get("gradient_checkpointing"):
        model.activation_checkpointing_disable()
    return total, [p.grad for p in model.parameters() if p.grad is not None]


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds of a call and its result."""
    began = time.process_time()
    found = call()
    return time.process_time() - began, found


def ratios(seconds: dict[str, list[float]], base: str) -> dict[str, dict[str, Any]]:
    """Return each way's median seconds and its ratio to the base of the same turn, with the smallest and largest."""
    out = {}
    for name, found in seconds.items():
        each = [b / x for b, x in zip(seconds[base], found, strict=True)]
        out[name] = {
            "cpu_s": round(statistics.median(found), 3),
            "times_as_fast": round(statistics.median(each), 2),
            "range": [round(min(each), 2), round(max(each), 2)],
        }
    return out


def main() -> None:
    """Measure and print JSON, one object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--lora", action="store_true")
    parser.add_argument("--ways", nargs="*", choices=list(WAYS), default=list(WAYS))
    args = parser.parse_args()
    ways = {name: WAYS[name] for name in dict.fromkeys(["plain", *args.ways])}
    target = TargetModel(source=args.model)
    problems = Arithmetic(pool=max(10, args.rows), dev=10, test=10).load().pool[: args.rows]
    with target.open(target.base()) as opened:
        batch = encode_batch(opened, [(p.question, p.solution) for p in problems])
        model: Any = opened.weights
        if args.lora:
            model = with_adapter(model, r=16, alpha=32, dropout=0.0, targets="all-linear")
        model.train()
        sizes = {
            "model": args.model,
            "times": args.times,
            "rows": args.rows,
            "tokens": int(batch["attention_mask"].sum()),
            "positions": batch["input_ids"].numel(),
            "supervised": supervised_tokens(batch),
            "vocabulary": model.config.get_text_config().vocab_size,
            "weights": "lora" if args.lora else "all",
        }
        loss, found = step(model, batch, {})
        grads = [g.clone() for g in found]
        norm = float(torch.stack([g.norm() for g in grads]).norm())
        rows: dict[str, dict[str, Any]] = {}
        for name, way in ways.items():  # also warms every way up
            kept = Kept(model)
            other, mine = step(model, batch, way, kept)
            far = max(float((a - b).abs().max()) for a, b in zip(grads, mine, strict=True)) / norm
            rows[name] = {
                "loss_apart": abs(other - loss),
                "gradient_apart": far,
                "kept_mib": round(kept.most / 2**20, 1),
            }
        del grads
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(args.times):
            for name, way in ways.items():
                seconds[name].append(timed(lambda way=way: step(model, batch, way))[0])
        steps = {name: {**x, **rows[name]} for name, x in ratios(seconds, "plain").items()}
        losses = scoring(model.eval(), batch, args.times)
    print(json.dumps({"sizes": sizes, "step": steps, "validation_loss": losses}, indent=1))


def scoring(model: Any, batch: Batch, times: int) -> dict[str, Any]:
    """Return the cost of a refiner's validation losses, with all logits and with those at supervised positions."""
    how = {"plain": False, "supervised_logits": True}
    seconds: dict[str, list[float]] = {name: [] for name in how}
    found: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        for turn in range(times + 1):
            for name, fewer in how.items():
                took, found[name] = timed(lambda fewer=fewer: token_losses(model, batch, supervised_logits=fewer))
                if turn:  # the first warms up
                    seconds[name].append(took)
        exact = in_float64(model, batch)
    apart = float((found["plain"] - found["supervised_logits"]).abs().max())
    wrong = {name: float((each.double() - exact).abs().max()) for name, each in found.items()}
    return {**ratios(seconds, "plain"), "largest_difference": apart, "from_float64": wrong}


def in_float64(model: Any, batch: Batch) -> torch.Tensor:
    """Return the mean loss of every row from the model's float32 logits, all further arithmetic in float64."""
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False).logits
    out = []
    for row, labels in zip(logits[:, :-1], batch["labels"][:, 1:], strict=True):
        counted = labels != IGNORE
        out.append(torch.nn.functional.cross_entropy(row[counted].double(), labels[counted]))
    return torch.stack(out)


if __name__ == "__main__":
    main()
