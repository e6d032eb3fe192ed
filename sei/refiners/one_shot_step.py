"""The one-step test: train once on the candidate, measure validation cases of its error type, undo the step."""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sei.models.target import TargetModel
from sei.parts import IMMATERIAL, part
from sei.progress import progress
from sei.scorer import Candidates, pair_of
from sei.store.journal import Journal


@part
class OneShotStep:
    """One training step on the candidate; the gain is measured on validation cases of its error type.

    Score: the validation loss (mean per solution token) before the step minus the loss after it. The gradient is scaled
    to unit length, so ``step_size`` is the length of every step. The weights are restored exactly. Types with fewer
    than ``min_validation`` cases are scored on the round's pooled cases. ``weights``: train all weights or a fresh LoRA
    adapter. ``supervised_logits``: leave out logits that no loss uses.
    """

    identity: ClassVar[str] = "refiner/one_shot_step"
    version: ClassVar[int] = 2
    target: TargetModel
    step_size: Annotated[float, Field(gt=0)] = 0.1
    min_validation: Annotated[int, Field(ge=1)] = 5
    max_validation: Annotated[int, Field(ge=1)] = 16
    weights: Literal["all", "lora"] = "all"
    supervised_logits: Annotated[bool, IMMATERIAL] = False  # ``reads`` puts it into the key if it is set

    def reads(self) -> dict[str, str]:
        """Return ``supervised_logits`` if it is set, because it changes losses by rounding."""
        return {"supervised_logits": "true"} if self.supervised_logits else {}

    def scores(self, given: Candidates, kept: Journal) -> list[float]:
        """Score every candidate on the validation cases of its type."""
        from sei.lit.one_step import OneStep

        out: list[float] = []
        tests = given.validation
        with self.target.open(given.checkpoint) as opened, progress("refinement", len(given.examples)) as advance:
            how = {"lora": self.weights == "lora", "supervised_logits": self.supervised_logits}
            step = OneStep(opened, step_size=self.step_size, seed=given.seed, **how)
            for i, c in enumerate(given.examples):
                name, pairs, sample = tests.name(c), tests.pairs(c), pair_of(c)
                before = kept.once(f"before/{name}", partial(step.loss, name, pairs))
                out.append(before - kept.once(f"after/{i}", partial(step.loss_after, name, pairs, sample)))
                advance(1)
        return out
