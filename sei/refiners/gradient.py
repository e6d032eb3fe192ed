"""The one-step test to first order: cosines of gradients, without a step."""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sei.models.target import TargetModel
from sei.parts import part
from sei.progress import progress
from sei.scorer import Candidates, pair_of
from sei.store.journal import Journal


@part
class Gradient:
    """The cosine between a candidate's gradient and that of its error type's validation cases.

    To first order, what one training step on the candidate does for these cases, whatever its length (as in LESS,
    Xia et al. 2024). One backward pass a candidate, and no step is made. Score: -1 to 1. Types with fewer than
    ``min_validation`` are scored on the pooled ones. ``weights``: whose gradient, all weights' or a fresh LoRA
    adapter's.
    """

    identity: ClassVar[str] = "refiner/gradient"
    version: ClassVar[int] = 2
    target: TargetModel
    min_validation: Annotated[int, Field(ge=1)] = 5
    max_validation: Annotated[int, Field(ge=1)] = 16
    weights: Literal["all", "lora"] = "lora"

    def scores(self, given: Candidates, kept: Journal) -> list[float]:
        """Score every candidate by its gradient's cosine with its type's."""
        from sei.lit.one_step import Gradients

        out: list[float] = []
        tests = given.validation
        with self.target.open(given.checkpoint) as opened, progress("refinement", len(given.examples)) as advance:
            gradients = Gradients(opened, lora=self.weights == "lora", seed=given.seed)
            for i, c in enumerate(given.examples):
                name, pairs, sample = tests.name(c), tests.pairs(c), pair_of(c)
                out.append(kept.once(f"cosine/{i}", partial(gradients.cosine, name, pairs, sample)))
                advance(1)
        return out
