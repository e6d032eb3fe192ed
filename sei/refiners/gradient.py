"""The one-step test to first order: cosines of gradients instead of training steps."""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sei.models.architecture import require_trainable
from sei.models.target import TargetModel
from sei.parts import IMMATERIAL, part
from sei.progress import progress
from sei.scorer import Candidates, pair_of
from sei.store.journal import Journal


@part
class Gradient:
    """The cosine between a candidate's gradient and that of its error type's validation cases.

    It is the first-order effect of one training step on these cases, independent of the step's length (as in LESS, Xia
    et al. 2024). It takes one backward pass per candidate and no training step. Score: -1 to 1. Types with fewer than
    ``min_validation`` cases are scored on the round's pooled cases. ``weights``: gradients of all weights or of a fresh
    LoRA adapter. ``supervised_logits``: leave out logits that no loss uses. ``micro_batch``: validation cases in memory
    at once; 0 takes all of a type.
    """

    identity: ClassVar[str] = "refiner/gradient"
    version: ClassVar[int] = 2
    target: TargetModel
    min_validation: Annotated[int, Field(ge=1)] = 5
    max_validation: Annotated[int, Field(ge=1)] = 16
    weights: Literal["all", "lora"] = "lora"
    # ``reads`` puts these into the key if they are set
    supervised_logits: Annotated[bool, IMMATERIAL] = False
    micro_batch: Annotated[int, IMMATERIAL, Field(ge=0)] = 0

    def reads(self) -> dict[str, str]:
        """Return ``supervised_logits`` and ``micro_batch`` if they are set, because they change scores by rounding."""
        logits = {"supervised_logits": "true"} if self.supervised_logits else {}
        return logits | ({"micro_batch": str(self.micro_batch)} if self.micro_batch else {})

    def preflight(self) -> None:
        """Refuse ``supervised_logits`` for a model that needs all logits."""
        require_trainable(self.target, supervised_logits=self.supervised_logits)

    @property
    def independent(self) -> bool:
        """Return whether several processes can share the values out: each is made without the others."""
        return True

    def scores(self, given: Candidates, kept: Journal) -> list[float]:
        """Score every candidate by its gradient's cosine with its type's."""
        from sei.lit.one_step import Gradients

        out: list[float] = []
        tests = given.validation
        with self.target.open(given.checkpoint) as opened, progress("refinement", len(given.examples)) as advance:
            gradients = Gradients(
                opened,
                seed=given.seed,
                lora=self.weights == "lora",
                supervised_logits=self.supervised_logits,
                micro_batch=self.micro_batch,
            )
            for i, c in enumerate(given.examples):
                name, pairs, sample = tests.name(c), tests.pairs(c), pair_of(c)
                out.append(kept.once(f"cosine/{i}", partial(gradients.cosine, name, pairs, sample), 0.0))
                advance(1)
        return out
