"""Draws tokens row by row: each row of a batch has its own random numbers, independent of the other rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class OwnDraws:
    """A logits processor for greedy generation that leaves one token per row, drawn at ``temperature`` by inversion.

    A row's random numbers, one per step, come from its own seed alone. They do not depend on the batch or the order.
    """

    def __init__(self, seeds: Sequence[int], temperature: float, steps: int) -> None:
        self.temperature, self.step = temperature, 0
        rows = [torch.rand(steps, generator=torch.Generator().manual_seed(s), dtype=torch.float64) for s in seeds]
        self.uniform = torch.stack(rows)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return scores (B, V) that leave one token per row."""
        share = torch.softmax(scores.double() / self.temperature, dim=-1).cumsum(dim=-1)
        drawn = self.uniform[:, self.step : self.step + 1].to(scores.device) * share[:, -1:]
        self.step += 1
        token = (share <= drawn).sum(dim=-1, keepdim=True).clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, float("-inf")).scatter(-1, token, 0.0)
