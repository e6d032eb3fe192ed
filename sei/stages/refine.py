"""Refine: keep the candidates that help (section 3.3), and the controls to compare with.

Every refiner gives each candidate a score, a decision and a reason, and keeps the top fraction of every error type.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sei.errors import NumericError
from sei.models.target import TargetModel
from sei.parts import part
from sei.progress import progress
from sei.records import (
    BadCase,
    Checkpoint,
    ErrorMap,
    PoolProblem,
    RefinedSet,
    Scored,
    SyntheticExample,
)
from sei.store.journal import journal

Keep = Annotated[float, Field(gt=0, le=1)]
AtLeast = float | None
"""A score that a kept candidate must reach, beside being in the top fraction; ``None``: none."""


@part
class NoRefinement:
    """The ablation: every candidate is kept."""

    identity: ClassVar[str] = "refiner/none"
    version: ClassVar[int] = 1

    def __call__(
        self,
        checkpoint: Checkpoint,
        error_map: ErrorMap,
        candidates: tuple[SyntheticExample, ...],
        good: tuple[PoolProblem, ...],
        *,
        seed: int,
    ) -> RefinedSet:
        """Keep all."""
        return RefinedSet(scored=tuple(Scored(example=c, score=0.0, kept=True, reason="all") for c in candidates))


@part
class RandomRefinement:
    """The control of equal size: a random fraction is kept."""

    identity: ClassVar[str] = "refiner/random"
    version: ClassVar[int] = 1
    keep: Keep = 0.5

    def __call__(
        self,
        checkpoint: Checkpoint,
        error_map: ErrorMap,
        candidates: tuple[SyntheticExample, ...],
        good: tuple[PoolProblem, ...],
        *,
        seed: int,
    ) -> RefinedSet:
        """Score by chance."""
        rng = random.Random(f"refine/{seed}")
        return RefinedSet(scored=decide(candidates, [rng.random() for _ in candidates], self.keep))


@part
class Perplexity:
    """The strong control: candidates that the target model itself finds least surprising are kept."""

    identity: ClassVar[str] = "refiner/perplexity"
    version: ClassVar[int] = 1
    target: TargetModel
    keep: Keep = 0.5
    at_least: AtLeast = None
    batch_size: Annotated[int, Field(ge=1)] = 32

    def __call__(
        self,
        checkpoint: Checkpoint,
        error_map: ErrorMap,
        candidates: tuple[SyntheticExample, ...],
        good: tuple[PoolProblem, ...],
        *,
        seed: int,
        folder: Path | None = None,
    ) -> RefinedSet:
        """Score by minus the mean loss per solution token."""
        losses = solution_losses(self.target, checkpoint, candidates, self.batch_size, folder)
        return RefinedSet(scored=decide(candidates, [-x for x in losses], self.keep, self.at_least))


@part
class OneShotStep:
    """One training step on the candidate; the gain is measured on validation cases of its error type.

    Score = validation loss before the step less after it (mean per solution token). The gradient is
    scaled to unit length, so ``step_size`` is the length of the step whatever the candidate; the
    weights are put back exactly. Types with fewer than ``min_validation`` cases are scored on the
    pooled validation cases of the round. ``weights``: all of them, or a fresh LoRA adapter's.
    """

    identity: ClassVar[str] = "refiner/one_shot_step"
    version: ClassVar[int] = 2
    target: TargetModel
    keep: Keep = 0.5
    at_least: AtLeast = None
    step_size: Annotated[float, Field(gt=0)] = 0.1
    min_validation: Annotated[int, Field(ge=1)] = 5
    max_validation: Annotated[int, Field(ge=1)] = 16
    weights: Literal["all", "lora"] = "all"

    def __call__(
        self,
        checkpoint: Checkpoint,
        error_map: ErrorMap,
        candidates: tuple[SyntheticExample, ...],
        good: tuple[PoolProblem, ...],
        *,
        seed: int,
        folder: Path | None = None,
    ) -> RefinedSet:
        """Score every candidate on its type's validation part."""
        from sei.lit.one_step import OneStep

        validation = validation_sets(error_map, self.min_validation, self.max_validation, seed)
        if validation.empty:
            return untested(candidates)
        scores: list[float] = []
        with (
            self.target.open(checkpoint) as opened,
            progress("refinement", len(candidates)) as advance,
            journal(folder) as kept,
        ):
            scorer = OneStep(opened, step_size=self.step_size, lora=self.weights == "lora", seed=seed)
            for i, c in enumerate(candidates):
                name, pairs, sample = validation.name(c), validation.pairs(c), (c.question, c.solution)
                before = kept.once(f"before/{name}", partial(scorer.loss, name, pairs))
                scores.append(before - kept.once(f"after/{i}", partial(scorer.loss_after, name, pairs, sample)))
                advance(1)
        scored = decide(candidates, scores, self.keep, self.at_least)
        return RefinedSet(scored=scored, pooled_share=validation.pooled_share)


@dataclass(frozen=True, kw_only=True)
class Validation:
    """The bad cases that candidates of a type are scored on.

    ``cases``: by the name of a type with enough of its own, and the round's pooled ones under "". ``pooled_share``: of
    types that use the pooled ones. No case was an exemplar of any type: synthesis has not seen it.
    """

    cases: dict[str, list[BadCase]]
    pooled_share: float

    @property
    def empty(self) -> bool:
        """Whether no type of the round has a validation case."""
        return not self.cases[""]

    def name(self, candidate: SyntheticExample) -> str:
        """Return the name under which a candidate's cases stand."""
        return candidate.error_type if candidate.error_type in self.cases else ""

    def pairs(self, candidate: SyntheticExample) -> list[tuple[str, str]]:
        """Return (question, reference solution) of a candidate's cases."""
        return [(b.problem.question, b.problem.solution) for b in self.cases[self.name(candidate)]]


def validation_sets(error_map: ErrorMap, minimum: int, maximum: int, seed: int) -> Validation:
    """Draw up to ``maximum`` validation cases of every type that has ``minimum`` or more, and as many pooled ones."""
    rng = random.Random(f"validation/{seed}")
    everything = [b for t in error_map.types for b in t.validation]
    pooled = rng.sample(everything, min(maximum, len(everything)))
    per_type = {
        t.name: rng.sample(list(t.validation), min(maximum, len(t.validation)))
        for t in error_map.types
        if len(t.validation) >= minimum
    }
    share = 1 - len(per_type) / len(error_map.types) if error_map.types else 0.0
    return Validation(cases={**per_type, "": pooled}, pooled_share=share)


def untested(candidates: Sequence[SyntheticExample]) -> RefinedSet:
    """Keep all candidates of a round that has no validation case to test them on, and say so in their reason."""
    scored = tuple(Scored(example=c, score=0.0, kept=True, reason="no validation case") for c in candidates)
    return RefinedSet(scored=scored, pooled_share=1.0)


def solution_losses(
    target: TargetModel,
    checkpoint: Checkpoint,
    problems: Sequence[SyntheticExample | PoolProblem],
    batch_size: int,
    folder: Path | None = None,
) -> list[float]:
    """Return the checkpoint's mean loss per solution token (nats) of every problem; ``folder`` keeps batches."""
    from sei.lit.one_step import mean_losses

    if not problems:
        return []
    with target.open(checkpoint) as opened, journal(folder) as kept:
        return mean_losses(opened, [(p.question, p.solution) for p in problems], batch_size, kept)


def by_type(candidates: Sequence[SyntheticExample]) -> dict[str, list[int]]:
    """Return the places of the candidates of every error type, in the order in which types first appear."""
    groups: dict[str, list[int]] = {}
    for i, c in enumerate(candidates):
        groups.setdefault(c.error_type, []).append(i)
    return groups


def kept_of_type(members: int, keep: float) -> int:
    """Return how many candidates of a type are in its top fraction: at least one."""
    return max(1, round(members * keep))


def decide(
    candidates: Sequence[SyntheticExample], scores: Sequence[float], keep: float, at_least: AtLeast = None
) -> tuple[Scored, ...]:
    """Keep the top fraction of every error type (at least one each); ties go to the earlier candidate.

    Scores of different types rest on different validation cases and are not comparable with each other. With
    ``at_least`` what scores below it is dropped besides, even if nothing of a type is left.

    Raises:
        NumericError: where a score is not a finite number.
    """
    for c, score in zip(candidates, scores, strict=True):
        if not math.isfinite(score):
            raise NumericError(
                f"the refinement score of candidate {c.id!r} (error type {c.error_type!r}) is {score}, and only finite "
                "scores can be ranked. Remedy: look at the checkpoint that scored it; its losses are not finite either."
            )
    top: set[int] = set()
    for members in by_type(candidates).values():
        ranked = sorted(members, key=lambda i: (-scores[i], i))
        top |= set(ranked[: kept_of_type(len(members), keep)])
    reason = f"top {keep:.0%} of its type"

    def judge(i: int) -> tuple[bool, str]:
        if i not in top:
            return False, f"not {reason}"
        if at_least is not None and scores[i] < at_least:
            return False, f"score below {at_least:g}"
        return True, reason

    verdicts = [judge(i) for i in range(len(candidates))]
    return tuple(
        Scored(example=c, score=s, kept=kept, reason=why)
        for c, s, (kept, why) in zip(candidates, scores, verdicts, strict=True)
    )
