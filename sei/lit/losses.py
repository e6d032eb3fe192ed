"""Losses over supervised tokens, also with logits at the supervised positions alone.

A model computes logits for every position, and the loss uses those that predict a supervised token. With a large
vocabulary the others cost much time and memory. ``supervised_logits`` leaves them out: a hook in front of the output
layer passes on the needed hidden states. What the model does to its logits afterwards, such as a scale or a soft cap,
it does as always. The losses change by rounding only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from sei.errors import ConfigError
from sei.lit.batches import IGNORE

_REMEDY = "Remedy: supervised_logits=false (of the finetuner and of scoring)."


def mean_loss(model: Any, batch: dict[str, torch.Tensor], *, supervised_logits: bool = False) -> torch.Tensor:
    """Return the mean loss over the supervised tokens of a batch (scalar)."""
    if supervised_logits:
        logits, labels = _supervised(model, batch)
        return torch.nn.functional.cross_entropy(logits.float(), labels)
    loss: torch.Tensor = model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        labels=batch["labels"],
        use_cache=False,
    ).loss
    return loss


def token_losses(model: Any, batch: dict[str, torch.Tensor], *, supervised_logits: bool = False) -> torch.Tensor:
    """Return the mean loss per supervised token of every row (B,)."""
    labels = batch["labels"][:, 1:]
    counts = (labels != IGNORE).sum(dim=1)
    if supervised_logits:
        logits, wanted = _supervised(model, batch)
        each = torch.nn.functional.cross_entropy(logits.float(), wanted, reduction="none")
        ends = counts.cumsum(dim=0).tolist()
        rows = [each[end - n : end].sum() for end, n in zip(ends, counts.tolist(), strict=True)]
        return torch.stack(rows) / counts
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False).logits
    losses = torch.nn.functional.cross_entropy(
        logits[:, :-1].float().transpose(1, 2), labels, ignore_index=IGNORE, reduction="none"
    )
    return losses.sum(dim=1) / counts


def require_supervised_logits(model: Any) -> None:
    """Refuse a model whose output layer cannot be found, or whose loss has more terms than that of its tokens.

    Raises:
        ConfigError: with the reason.
    """
    name = type(model).__name__
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    if not isinstance(head, torch.nn.Module):
        raise ConfigError(f"supervised_logits=true: {name} names no output layer. Rule: it must have one. {_REMEDY}")
    if getattr(model.config, "output_router_logits", False):
        raise ConfigError(
            f"supervised_logits=true: the loss of {name} has a term for its experts (output_router_logits), which "
            f"needs all logits. Rule: the loss must be that of the tokens alone. {_REMEDY}"
        )


def _supervised(model: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits (N, V) that predict the supervised tokens, row by row, and these tokens (N,)."""
    require_supervised_logits(model)
    labels = batch["labels"][:, 1:]
    rows, columns = (labels != IGNORE).nonzero(as_tuple=True)
    at = rows * batch["labels"].shape[1] + columns
    with _kept(model.get_output_embeddings(), at):
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False).logits
    if logits.shape[:-1] != (1, len(at)):
        raise ConfigError(
            f"supervised_logits=true: {type(model).__name__} returned logits of shape {tuple(logits.shape)} for "
            f"{len(at)} positions. Rule: its logits must come from its output layer alone. {_REMEDY}"
        )
    return logits[0], labels[rows, columns]


@contextmanager
def _kept(head: torch.nn.Module, at: torch.Tensor) -> Iterator[None]:
    """Give the output layer the hidden states at flat positions alone, as one row (1, N, H)."""

    def choose(_: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = args[0]
        return (hidden.reshape(-1, hidden.shape[-1]).index_select(0, at)[None], *args[1:])

    handle = head.register_forward_pre_hook(choose)
    try:
        yield
    finally:
        handle.remove()
