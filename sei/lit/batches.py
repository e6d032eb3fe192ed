"""Batch planning and collation: pure functions of lengths and seed.

Methods with an equal budget have equal optimizer steps and equal supervised tokens, independent of the number of
examples. ``TokenBudget`` therefore fills every batch up to a number of supervised tokens.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol, runtime_checkable

from pydantic import Field

from sei.parts import part

if TYPE_CHECKING:
    import torch

IGNORE = -100  # label of tokens outside the loss
SPARE = "spare"  # key of a batch that does not count, because its device has no rows in this step
MOST_ROWS = "most_rows"  # key of a batch: the rows of the device that has the most of them in this step
_WITHIN = 0.02  # share of a budget that may be missed
_BUCKETS_OF = 8  # the examples of this many batches are sorted by length together


@runtime_checkable
class Schedule(Protocol):
    """Plans which examples go into which batch."""

    def plan(self, lengths: Sequence[int], supervised: Sequence[int], seed: int) -> list[list[int]]:
        """Return lists of example indices, one per optimizer step."""
        ...


@part
class TokenBudget:
    """``steps`` optimizer steps of about ``tokens_per_step`` supervised tokens each.

    The error of each batch is carried into the next, so the total is met within 2 %, or within one example.
    """

    identity: ClassVar[str] = "schedule/token_budget"
    version: ClassVar[int] = 1
    steps: Annotated[int, Field(ge=1)] = 100
    tokens_per_step: Annotated[int, Field(ge=1)] = 1000

    def plan(self, lengths: Sequence[int], supervised: Sequence[int], seed: int) -> list[list[int]]:
        """Cycle over shuffled, length-bucketed examples until the budget is spent."""
        found = self._filled(lengths, supervised, seed, exactly=False)
        total, wanted = sum(supervised[i] for b in found for i in b), self.steps * self.tokens_per_step
        if abs(total - wanted) <= _WITHIN * wanted:
            return found  # as in earlier versions
        return self._filled(lengths, supervised, seed, exactly=True)

    def _filled(
        self, lengths: Sequence[int], supervised: Sequence[int], seed: int, *, exactly: bool
    ) -> list[list[int]]:
        batches: list[list[int]] = []
        epoch = 0
        while len(batches) < self.steps:
            room = self.steps - len(batches) if exactly else None
            rng = random.Random(f"{seed}/{epoch}")
            batches += self._epoch(lengths, supervised, rng, batches, supervised, room)
            epoch += 1
        return batches[: self.steps]

    def _epoch(
        self,
        lengths: Sequence[int],
        supervised: Sequence[int],
        rng: random.Random,
        before: list[list[int]],
        tokens: Sequence[int],
        room: int | None,
    ) -> list[list[int]]:
        """Return the batches of an epoch in random order.

        ``room``: the most batches. Without it, the last epoch is cut after the shuffle, so that the errors of its long
        and short batches no longer cancel.
        """
        spent = sum(tokens[i] for b in before for i in b)
        most = None if room is None else self.steps * self.tokens_per_step - spent
        order = _bucketed(lengths, rng, per_bucket=self._per_bucket(supervised), supervised=supervised, most=most)
        out: list[list[int]] = []
        batch: list[int] = []
        for i in order:
            batch.append(i)
            spent += supervised[i]
            if spent >= (len(before) + len(out) + 1) * self.tokens_per_step:
                out.append(batch)
                batch = []
                if len(out) == room:
                    break
        if batch and not out and not before:
            out.append(batch)  # fewer tokens than one step needs: one small batch per epoch
        elif batch and out:
            out[-1] = [*out[-1], *batch]  # the rest of the epoch; the next batches become smaller
        elif batch:
            out.append(batch)
        rng.shuffle(out)
        return out

    def _per_bucket(self, supervised: Sequence[int]) -> int:
        mean = max(1.0, sum(supervised) / len(supervised))
        return max(1, round(_BUCKETS_OF * self.tokens_per_step / mean))


@part
class Epochs:
    """``epochs`` passes in batches of ``batch_size`` examples (the paper: 3 epochs, batch 1)."""

    identity: ClassVar[str] = "schedule/epochs"
    version: ClassVar[int] = 1
    epochs: Annotated[int, Field(ge=1)] = 3
    batch_size: Annotated[int, Field(ge=1)] = 1

    def plan(self, lengths: Sequence[int], supervised: Sequence[int], seed: int) -> list[list[int]]:
        """Shuffle and bucket the examples again for every epoch."""
        batches: list[list[int]] = []
        for epoch in range(self.epochs):
            rng = random.Random(f"{seed}/{epoch}")
            order = _bucketed(lengths, rng, per_bucket=self.batch_size * _BUCKETS_OF)
            chunks = [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]
            rng.shuffle(chunks)
            batches += chunks
        return batches


def _bucketed(
    lengths: Sequence[int],
    rng: random.Random,
    *,
    per_bucket: int,
    supervised: Sequence[int] = (),
    most: int | None = None,
) -> list[int]:
    """Return shuffled indices, sorted by length within buckets; with ``most`` only as many as hold so many tokens."""
    order = list(range(len(lengths)))
    rng.shuffle(order)
    if most is not None:
        held = itertools.accumulate(supervised[i] for i in order)
        order = order[: 1 + sum(tokens < most for tokens in held)]
    out: list[int] = []
    for i in range(0, len(order), per_bucket):
        out += sorted(order[i : i + per_bucket], key=lambda j: lengths[j])
    return out


def share(batch: Sequence[int], rank: int, devices: int) -> tuple[Sequence[int], bool]:
    """Return a device's rows of a batch, and whether they are spare. A device without rows gets one spare row."""
    rows = batch[rank::devices]
    return (rows, False) if rows else (batch[:1], True)


def micro_batches(batch: dict[str, torch.Tensor], most: int) -> list[dict[str, torch.Tensor]]:
    """Cut a padded batch into parts of at most ``most`` rows, each as wide as its longest row; 0 cuts nothing."""
    rows = len(batch["input_ids"])
    if not most or rows <= most:
        return [batch]
    names, lengths = ("input_ids", "attention_mask", "labels"), batch["attention_mask"].sum(dim=1).tolist()
    cuts = [slice(start, start + most) for start in range(0, rows, most)]
    return [{name: batch[name][cut, : max(lengths[cut])] for name in names} for cut in cuts]


def collate(pairs: Sequence[tuple[Sequence[int], Sequence[int]]], pad: int) -> dict[str, torch.Tensor]:
    """Pad (prompt, completion) token ids on the right.

    Returns ``input_ids``, ``attention_mask`` and ``labels``, each (B, T). Labels of prompt and padding are ``IGNORE``.
    """
    width = max(len(p) + len(c) for p, c in pairs)
    import torch

    ids = torch.full((len(pairs), width), pad)
    mask = torch.zeros((len(pairs), width), dtype=torch.long)
    labels = torch.full((len(pairs), width), IGNORE)
    for i, (p, c) in enumerate(pairs):
        n = len(p) + len(c)
        ids[i, :n] = torch.tensor([*p, *c])
        mask[i, :n] = 1
        labels[i, len(p) : n] = torch.tensor(list(c))
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}
