"""Draws tokens row by row: each row of a batch has its own random numbers, independent of the other rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch

_PARTS = 2**52  # a distribution in whole numbers: as exact as fractions of float64, and far from overflow


class OwnDraws:
    """Draws one token per row at ``temperature`` by inversion. Also a logits processor that leaves that token alone.

    A row's random numbers, one per step, come from its own seed alone. They do not depend on the batch or the order.
    """

    def __init__(self, seeds: Sequence[int], temperature: float, steps: int) -> None:
        self.temperature, self.step = temperature, 0
        rows = [torch.rand(steps, generator=torch.Generator().manual_seed(s), dtype=torch.float64) for s in seeds]
        self.uniform = torch.stack(rows)

    def tokens(self, scores: torch.Tensor, rows: torch.Tensor | None = None) -> torch.Tensor:
        """Return a token per row (B) for scores (B, V). ``rows``: their numbers if some have left; else all rows."""
        parts = (torch.softmax(scores.double() / self.temperature, dim=-1) * _PARTS).long()
        share = parts.cumsum(dim=-1)  # of whole numbers: a GPU has no deterministic sum of fractions
        uniform = self.uniform[:, self.step : self.step + 1]
        drawn = (uniform if rows is None else uniform[rows.cpu()]).to(scores.device) * share[:, -1:]
        self.step += 1
        return (share <= drawn.long()).sum(dim=-1).clamp(max=scores.shape[-1] - 1)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return scores (B, V) that leave one token per row."""
        return torch.full_like(scores, float("-inf")).scatter(-1, self.tokens(scores)[:, None], 0.0)
