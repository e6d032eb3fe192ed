"""The strong control: keeps the candidates that surprise the target model least."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from sei.models.architecture import require_trainable
from sei.models.target import TargetModel
from sei.parts import IMMATERIAL, part
from sei.records import Checkpoint, PoolProblem, SyntheticExample
from sei.scorer import Candidates, pair_of
from sei.store.journal import Journal


@part
class Perplexity:
    """Score: minus the mean loss per solution token (nats).

    ``supervised_logits``: leave out logits that no loss uses.
    """

    identity: ClassVar[str] = "refiner/perplexity"
    version: ClassVar[int] = 1
    target: TargetModel
    batch_size: Annotated[int, Field(ge=1)] = 32
    supervised_logits: Annotated[bool, IMMATERIAL] = False  # ``reads`` puts it into the key if it is set

    def reads(self) -> dict[str, str]:
        """Return ``supervised_logits`` if it is set, because it changes losses by rounding."""
        return {"supervised_logits": "true"} if self.supervised_logits else {}

    def preflight(self) -> None:
        """Refuse ``supervised_logits`` for a model that needs all logits."""
        require_trainable(self.target, supervised_logits=self.supervised_logits)

    @property
    def independent(self) -> bool:
        """Return whether several processes can share the values out: each is made without the others."""
        return True

    def scores(self, given: Candidates, kept: Journal) -> list[float]:
        """Score every candidate on its own, without validation cases."""
        how = {"supervised_logits": self.supervised_logits}
        losses = solution_losses(self.target, given.checkpoint, given.examples, self.batch_size, kept, **how)
        return [-x for x in losses]


def solution_losses(
    target: TargetModel,
    checkpoint: Checkpoint,
    problems: Sequence[SyntheticExample | PoolProblem],
    batch_size: int,
    kept: Journal | None = None,
    *,
    supervised_logits: bool = False,
) -> list[float]:
    """Return the checkpoint's mean loss per solution token (nats) on every problem. ``kept`` stores the batches."""
    from sei.lit.one_step import mean_losses

    if not problems:
        return []
    with target.open(checkpoint) as opened:
        pairs = [pair_of(p) for p in problems]
        return mean_losses(opened, pairs, batch_size, kept, supervised_logits=supervised_logits)
