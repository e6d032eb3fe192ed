"""Scoring in plain torch: mean losses, the loss after one training step (then undone), and gradient cosines."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from sei.lit.batches import collate
from sei.lit.layers import routers_of
from sei.lit.losses import token_losses
from sei.opened import OpenModel
from sei.store.journal import Journal

Pair = tuple[str, str]  # question, solution


def encode_batch(opened: OpenModel, pairs: Sequence[Pair]) -> dict[str, torch.Tensor]:
    """Encode and pad (question, solution) pairs (see ``collate``)."""
    rows = [(e.prompt, e.completion) for e in opened.encode(pairs)]
    return collate(rows, opened.tokenizer.pad_token_id)


@torch.no_grad()
def mean_losses(
    opened: OpenModel,
    pairs: Sequence[Pair],
    batch_size: int,
    kept: Journal | None = None,
    *,
    supervised_logits: bool = False,
) -> list[float]:
    """Return the mean loss per solution token of every pair. ``kept`` stores the losses of finished batches."""

    def losses(start: int) -> list[float]:
        batch = _to(encode_batch(opened, pairs[start : start + batch_size]), opened.weights)
        found: list[float] = token_losses(opened.weights, batch, supervised_logits=supervised_logits).tolist()
        return found

    out: list[float] = []
    for start in range(0, len(pairs), batch_size):
        out += (
            losses(start)
            if kept is None
            else kept.once(f"losses/{start}", partial(losses, start), [0.0] * len(pairs[start : start + batch_size]))
        )
    return out


def _to(batch: dict[str, torch.Tensor], model: Any) -> dict[str, torch.Tensor]:
    return {k: v.to(model.device) for k, v in batch.items()}


def _trainable(opened: OpenModel, *, lora: bool, seed: int) -> tuple[Any, list[torch.nn.Parameter]]:
    """Return the model and the weights that scoring uses: all weights, or those of a fresh rank-8 adapter."""
    model = opened.weights
    if lora:
        from peft import LoraConfig, get_peft_model

        torch.manual_seed(seed)
        with warnings.catch_warnings():  # peft 0.21 uses a name that transformers 5.23 deprecates
            warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")
            how = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", exclude_modules=routers_of(model) or None)
            model = get_peft_model(model, how)
    return model, [p for p in model.parameters() if p.requires_grad]


class OneStep:
    """Makes one normalised gradient step on a pair, measures the loss on other pairs, and undoes the step exactly.

    With ``lora`` the step changes only a fresh rank-8 adapter (for large models).
    """

    def __init__(
        self, opened: OpenModel, *, step_size: float, lora: bool, seed: int, supervised_logits: bool = False
    ) -> None:
        self.opened, self.step_size = opened, step_size
        self.losses = partial(token_losses, supervised_logits=supervised_logits)
        self.model, self.params = _trainable(opened, lora=lora, seed=seed)
        self._batches: dict[str, dict[str, torch.Tensor]] = {}

    def _batch(self, name: str, pairs: Sequence[Pair]) -> dict[str, torch.Tensor]:
        if name not in self._batches:
            self._batches[name] = _to(encode_batch(self.opened, pairs), self.model)
        return self._batches[name]

    @torch.no_grad()
    def loss(self, name: str, pairs: Sequence[Pair]) -> float:
        """Return the mean loss over a named set of pairs, which is encoded once per name."""
        return float(self.losses(self.model, self._batch(name, pairs)).mean())

    def loss_after(self, name: str, pairs: Sequence[Pair], sample: Pair) -> float:
        """Return the mean loss over pairs after one step on the sample. The weights are restored afterwards."""
        batch = _to(encode_batch(self.opened, [sample]), self.model)
        grads = torch.autograd.grad(self.losses(self.model, batch).mean(), self.params, allow_unused=True)
        moved = [(p, g) for p, g in zip(self.params, grads, strict=True) if g is not None]
        length = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for _, g in moved]))
        saved = [p.detach().clone() for p, _ in moved]
        with torch.no_grad():
            for p, g in moved:
                p.sub_(g * (self.step_size / (length + 1e-12)))
            after = self.loss(name, pairs)
            for (p, _), s in zip(moved, saved, strict=True):
                p.copy_(s)
        return after


class Gradients:
    """Cosines between the gradient of a pair's loss and those of named sets of pairs, with one backward pass per pair.

    With ``lora`` the gradients are those of a fresh rank-8 adapter. Its ``B`` is zero and its ``A`` random, so only
    ``B`` has a gradient: a fixed random projection of the weight's gradient (compare Xia et al. 2024, LESS, section 4).
    ``micro_batch``: at most that many pairs are in memory at once; 0 takes all of a set.
    """

    def __init__(
        self, opened: OpenModel, *, lora: bool, seed: int, supervised_logits: bool = False, micro_batch: int = 0
    ) -> None:
        self.opened, self.micro_batch = opened, micro_batch
        self.losses = partial(token_losses, supervised_logits=supervised_logits)
        self.model, self.params = _trainable(opened, lora=lora, seed=seed)
        self._directions: dict[str, list[torch.Tensor]] = {}

    def _gradient(self, pairs: Sequence[Pair]) -> list[torch.Tensor]:
        most = self.micro_batch or len(pairs)
        summed: list[torch.Tensor] = []
        for start in range(0, len(pairs), most):
            part = pairs[start : start + most]
            batch = _to(encode_batch(self.opened, part), self.model)
            loss = self.losses(self.model, batch).mean() * (len(part) / len(pairs))
            found = torch.autograd.grad(loss, self.params, allow_unused=True)
            mine = [torch.zeros_like(p) if g is None else g for p, g in zip(self.params, found, strict=True)]
            summed = [a.add_(b) for a, b in zip(summed, mine, strict=True)] if summed else mine
        return summed

    def cosine(self, name: str, pairs: Sequence[Pair], sample: Pair) -> float:
        """Return the cosine (-1 to 1) of a sample's gradient with that of a named set (computed once per name).

        Return 0 if one of the two gradients is zero.
        """
        if name not in self._directions:
            self._directions[name] = self._gradient(pairs)
        mine, other = self._gradient([sample]), self._directions[name]
        product = sum(float((a.float() * b.float()).sum()) for a, b in zip(mine, other, strict=True))
        lengths = [math.sqrt(sum(float(g.float().square().sum()) for g in v)) for v in (mine, other)]
        return product / (lengths[0] * lengths[1]) if all(lengths) else 0.0
