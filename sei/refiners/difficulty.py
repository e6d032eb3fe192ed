"""Prefers candidates about as hard for the target model as the mistakes they come from."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from sei.models.architecture import require_trainable
from sei.models.target import TargetModel
from sei.parts import IMMATERIAL, part
from sei.refiners.perplexity import solution_losses
from sei.scorer import Candidates
from sei.store.journal import Journal


@part
class Difficulty:
    """Prefers candidates about as hard for the target model as the bad cases of their error type.

    Difficulty is the mean loss per solution token (nats). The window of a type lies between the quantiles ``low`` and
    ``high`` of its validation cases' losses. Score: the distance to the nearer edge, positive inside the window and
    negative outside. The best scores are those nearest the middle. With ``at_least: 0`` candidates outside the window
    are dropped. ``supervised_logits``: leave out logits that no loss uses.
    """

    identity: ClassVar[str] = "refiner/difficulty"
    version: ClassVar[int] = 3
    target: TargetModel
    low: Annotated[float, Field(ge=0, lt=1)] = 0.1
    high: Annotated[float, Field(gt=0, le=1)] = 0.9
    min_validation: Annotated[int, Field(ge=1)] = 5
    max_validation: Annotated[int, Field(ge=1)] = 64
    batch_size: Annotated[int, Field(ge=1)] = 32
    supervised_logits: Annotated[bool, IMMATERIAL] = False  # ``reads`` puts it into the key if it is set

    def reads(self) -> dict[str, str]:
        """Return ``supervised_logits`` if it is set, because it changes losses by rounding."""
        return {"supervised_logits": "true"} if self.supervised_logits else {}

    def __post_init__(self) -> None:
        """Refuse an empty window."""
        if self.low >= self.high:
            raise ValueError(f"low={self.low} must be below high={self.high}: they bound a window of quantiles")

    def preflight(self) -> None:
        """Refuse ``supervised_logits`` for a model that needs all logits."""
        require_trainable(self.target, supervised_logits=self.supervised_logits)

    @property
    def independent(self) -> bool:
        """Return whether several processes can share the values out: each is made without the others."""
        return True

    def scores(self, given: Candidates, kept: Journal) -> list[float]:
        """Score every candidate by the distance of its loss from the edge of its type's window."""
        groups = given.validation.cases
        cases = [b.problem for group in groups.values() for b in group]
        how = {"supervised_logits": self.supervised_logits}
        losses = solution_losses(self.target, given.checkpoint, [*given.examples, *cases], self.batch_size, kept, **how)
        mine, theirs = losses[: len(given.examples)], iter(losses[len(given.examples) :])
        windows = {
            name: np.quantile([next(theirs) for _ in group], [self.low, self.high]).tolist()
            for name, group in groups.items()
        }
        out = []
        for c, loss in zip(given.examples, mine, strict=True):
            low, high = windows[given.validation.name(c)]
            out.append(min(loss - low, high - loss))
        return out
