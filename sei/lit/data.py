"""LightningDataModules that are complete when constructed: supervised pairs, and prompts to answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from sei.lit.batches import MOST_ROWS, SPARE, collate, share

Pair = tuple[Sequence[int], Sequence[int]]  # token ids of prompt and completion


class _Batches(Dataset[Any]):
    """Ready-made batches: item i is batch i."""

    def __init__(self, batches: Sequence[Any]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, i: int) -> Any:
        return self.batches[i]


class SupervisedData(pl.LightningDataModule):
    """Training batches in the planned order: the batch of a step depends only on plan and step.

    With several devices each gets its share of the rows, or a row marked as ``SPARE`` if there is none for it, and
    ``MOST_ROWS``, the largest share.

    Lightning resumes exactly only at the end of an epoch, so its epochs are ``interval`` steps of the plan.
    """

    def __init__(self, pairs: Sequence[Pair], plan: Sequence[Sequence[int]], pad: int, interval: int) -> None:
        super().__init__()
        self.pairs, self.plan, self.pad, self.interval = pairs, plan, pad, interval

    @property
    def num_intervals(self) -> int:
        """The number of Lightning epochs in the plan."""
        return -(-len(self.plan) // self.interval)

    def train_dataloader(self) -> DataLoader[Any]:
        """Return one item per optimizer step of the trainer's current interval, padded by ``collate``."""
        start = (self.trainer.current_epoch if self.trainer else 0) * self.interval
        return DataLoader(
            _Batches(self.plan[start : start + self.interval]),
            batch_size=None,
            shuffle=False,
            collate_fn=self._collate,
            generator=torch.Generator().manual_seed(0),  # the loader draws a seed; this keeps dropout's stream
        )

    def _collate(self, batch: Sequence[int]) -> dict[str, Any]:
        trainer = self.trainer
        if trainer is None or trainer.world_size == 1:
            return collate([self.pairs[i] for i in batch], self.pad)
        rows, spare = share(batch, trainer.global_rank, trainer.world_size)
        made = {**collate([self.pairs[i] for i in rows], self.pad), MOST_ROWS: -(-len(batch) // trainer.world_size)}
        return {**made, SPARE: True} if spare else made


class PromptData(pl.LightningDataModule):
    """Prompts padded on the left, in batches of given indices."""

    def __init__(self, prompts: Sequence[Sequence[int]], batches: Sequence[Sequence[int]], pad: int) -> None:
        super().__init__()
        self.prompts, self.batches, self.pad = prompts, batches, pad

    def predict_dataloader(self) -> DataLoader[Any]:
        """Return items with ``indices`` (problems), ``input_ids`` and ``attention_mask`` (B, T)."""
        return DataLoader(_Batches(self.batches), batch_size=None, shuffle=False, collate_fn=self._collate)

    def _collate(self, batch: Sequence[int]) -> dict[str, Any]:
        rows = [list(self.prompts[i]) for i in batch]
        width = max(map(len, rows))
        ids = [[self.pad] * (width - len(r)) + r for r in rows]
        mask = [[0] * (width - len(r)) + [1] * len(r) for r in rows]
        return {"indices": list(batch), "input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}
