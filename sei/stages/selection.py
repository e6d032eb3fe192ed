"""Further refiners: first-order gradients, difficulty, diversity, and one refiner after another.

The gradient is a cheaper form of the one-step test. Difficulty match and diversity are named as future work by the
method's authors; the chain composes any of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from sei.models.target import TargetModel
from sei.parts import part
from sei.ports import Embedder, RefineStage
from sei.progress import progress
from sei.records import Checkpoint, ErrorMap, PoolProblem, RefinedSet, Scored, SyntheticExample
from sei.stages.refine import AtLeast, Keep, by_type, decide, solution_losses, untested, validation_sets
from sei.store.journal import journal


@part
class Gradient:
    """The cosine between a candidate's gradient and that of its error type's validation cases.

    To first order, what one training step on the candidate does for these cases, whatever its length (as in LESS,
    Xia et al. 2024). One backward pass a candidate, and no step is made. Score: -1 to 1. Types with fewer than
    ``min_validation`` cases are scored on the pooled ones. ``weights``: whose gradient, all weights' or a fresh LoRA
    adapter's.
    """

    identity: ClassVar[str] = "refiner/gradient"
    version: ClassVar[int] = 2
    target: TargetModel
    keep: Keep = 0.5
    at_least: AtLeast = None
    min_validation: Annotated[int, Field(ge=1)] = 5
    max_validation: Annotated[int, Field(ge=1)] = 16
    weights: Literal["all", "lora"] = "lora"

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
        """Score every candidate by its gradient's cosine with its type's."""
        from sei.lit.one_step import Gradients

        validation = validation_sets(error_map, self.min_validation, self.max_validation, seed)
        if validation.empty:
            return untested(candidates)
        scores: list[float] = []
        with (
            self.target.open(checkpoint) as opened,
            progress("refinement", len(candidates)) as advance,
            journal(folder) as kept,
        ):
            gradients = Gradients(opened, lora=self.weights == "lora", seed=seed)
            for i, c in enumerate(candidates):
                name, pairs, sample = validation.name(c), validation.pairs(c), (c.question, c.solution)
                scores.append(kept.once(f"cosine/{i}", partial(gradients.cosine, name, pairs, sample)))
                advance(1)
        scored = decide(candidates, scores, self.keep, self.at_least)
        return RefinedSet(scored=scored, pooled_share=validation.pooled_share)


@part
class Difficulty:
    """Candidates about as hard for the target model as the bad cases of their error type.

    Difficulty is the mean loss per solution token (nats). The window of a type lies between the quantiles ``low`` and
    ``high`` of its validation cases' losses. Score: the distance to the nearer edge, positive inside and negative
    outside. Of every type the top fraction ``keep`` stays (those nearest the middle of the window), less what is
    outside.
    """

    identity: ClassVar[str] = "refiner/difficulty"
    version: ClassVar[int] = 3
    target: TargetModel
    low: Annotated[float, Field(ge=0, lt=1)] = 0.1
    high: Annotated[float, Field(gt=0, le=1)] = 0.9
    keep: Keep = 1.0
    min_validation: Annotated[int, Field(ge=1)] = 5
    max_validation: Annotated[int, Field(ge=1)] = 64
    batch_size: Annotated[int, Field(ge=1)] = 32

    def __post_init__(self) -> None:
        """Refuse an empty window."""
        if self.low >= self.high:
            raise ValueError(f"low={self.low} must be below high={self.high}: they bound a window of quantiles")

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
        """Score every candidate by how far its loss is from its type's window."""
        validation = validation_sets(error_map, self.min_validation, self.max_validation, seed)
        if validation.empty:
            return untested(candidates)
        cases = [b.problem for group in validation.cases.values() for b in group]
        losses = solution_losses(self.target, checkpoint, [*candidates, *cases], self.batch_size, folder)
        mine, theirs = losses[: len(candidates)], iter(losses[len(candidates) :])
        windows = {
            name: np.quantile([next(theirs) for _ in group], [self.low, self.high]).tolist()
            for name, group in validation.cases.items()
        }
        scores = []
        for c, loss in zip(candidates, mine, strict=True):
            low, high = windows[validation.name(c)]
            scores.append(min(loss - low, high - loss))
        return RefinedSet(scored=decide(candidates, scores, self.keep, 0.0), pooled_share=validation.pooled_share)


@part
class Diversity:
    """Candidates of every error type that are least like each other.

    Greedy farthest-first order by cosine of the questions' embeddings (Gonzalez 1985): the first is the one nearest
    to its type's mean. Score: 1 less the similarity to the nearest one chosen before, so the top fraction covers all of
    the type.
    """

    identity: ClassVar[str] = "refiner/diversity"
    version: ClassVar[int] = 1
    embedder: Embedder
    keep: Keep = 0.5
    at_least: AtLeast = None

    def __call__(
        self,
        checkpoint: Checkpoint,
        error_map: ErrorMap,
        candidates: tuple[SyntheticExample, ...],
        good: tuple[PoolProblem, ...],
        *,
        seed: int,
    ) -> RefinedSet:
        """Score every candidate by its distance to those chosen before it."""
        scores = [0.0] * len(candidates)
        vectors = self.embedder.embed([c.question for c in candidates]) if candidates else np.zeros((0, 1), np.float32)
        for members in by_type(candidates).values():
            for i, score in zip(members, _farthest_first(vectors[members]), strict=True):
                scores[i] = score
        return RefinedSet(scored=decide(candidates, scores, self.keep, self.at_least))


def _farthest_first(vectors: np.ndarray) -> list[float]:
    """Return for every unit vector its distance (0 to 2) to those chosen before it; the first one's is 2."""
    scores = np.full(len(vectors), 2.0)
    nearest = np.full(len(vectors), np.inf)
    at = int(np.argmax(vectors @ vectors.mean(axis=0)))
    chosen = np.zeros(len(vectors), dtype=bool)
    for _ in range(len(vectors)):
        chosen[at] = True
        if np.isfinite(nearest[at]):
            scores[at] = nearest[at]
        nearest = np.minimum(nearest, 1.0 - vectors @ vectors[at])
        at = int(np.argmax(np.where(chosen, -np.inf, nearest)))
    return [float(s) for s in scores]


def _takes_folder(refiner: RefineStage) -> bool:
    return "folder" in inspect.signature(type(refiner).__call__).parameters


@part
class Chain:
    """One refiner after another: each sees only what those before it kept.

    A candidate's score, decision and reason are those of the last refiner that looked at it.
    """

    identity: ClassVar[str] = "refiner/chain"
    version: ClassVar[int] = 1
    steps: Annotated[dict[str, RefineStage], Field(min_length=1)]

    def reads(self) -> dict[str, str]:
        """Return the order of the steps, which the store's key would not see otherwise."""
        return {"order": ", ".join(self.steps)}

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
        """Return the decision on every candidate, in their order."""
        decided: dict[int, Scored] = {}
        left: Sequence[int] = range(len(candidates))
        share = 0.0
        for name, step in self.steps.items():
            those = tuple(candidates[i] for i in left)
            more = {"folder": folder / name} if folder is not None and _takes_folder(step) else {}
            refined = step(checkpoint, error_map, those, good, seed=seed, **more)
            decided |= {i: replace(s, reason=f"{name}: {s.reason}") for i, s in zip(left, refined.scored, strict=True)}
            left = [i for i in left if decided[i].kept]
            share = max(share, refined.pooled_share)
        return RefinedSet(scored=tuple(decided[i] for i in range(len(candidates))), pooled_share=share)
