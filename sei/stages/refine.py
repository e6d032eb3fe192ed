"""Refine: keep the candidates that help (section 3.3).

A scorer gives every candidate a number (``sei/refiners``). This stage does the rest. It chooses the validation cases,
keeps everything if there are none, and otherwise keeps the top fraction of every error type.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from sei.errors import ConfigError, NumericError
from sei.lit.scoring import share_out
from sei.lit.trainer import TrainerSettings
from sei.parts import IMMATERIAL, part
from sei.records import ErrorMap, PoolProblem, RefinedSet, RefineInput, Scored, SyntheticExample
from sei.scorer import Candidates, Scorer, Tested, Validation, by_type, kept_of_type
from sei.store.journal import journal

Keep = Annotated[float, Field(gt=0, le=1)]


@part
class Refine:
    """Keep the best-scored fraction ``keep`` of every error type.

    ``at_least``: the lowest score of a kept candidate; ``None``: no limit.
    """

    identity: ClassVar[str] = "stage/refine"
    version: ClassVar[int] = 1
    scorer: Scorer
    keep: Keep = 0.5
    at_least: float | None = None
    trainer: Annotated[TrainerSettings | None, IMMATERIAL] = None  # the devices that share out the scores

    def __call__(self, given: RefineInput, *, seed: int, folder: Path | None = None) -> RefinedSet:
        """Score all candidates and decide. Scores are saved in ``folder`` as they are made.

        Raises:
            ConfigError: if the number of scores differs from the number of candidates.
            NumericError: if a score is not a finite number.
            DeviceError: if a process of several that make the scores ends.
        """
        validation = Validation(cases={})
        if isinstance(self.scorer, Tested):
            least, most = self.scorer.min_validation, self.scorer.max_validation
            validation = validation_sets(_scored_on(self.scorer, given.error_map), least, most, seed)
            if validation.empty:
                return untested(given.candidates)
        shown = Candidates(
            checkpoint=given.checkpoint,
            examples=given.candidates,
            validation=validation,
            good=tuple(p for p in given.good if p.solution.strip() or not reads_solutions(self.scorer)),
            keep=self.keep,
            seed=seed,
        )
        with journal(folder) as kept:
            if self.trainer is not None:
                share_out(self.scorer, shown, kept, self.trainer, folder)
            scores = self.scorer.scores(shown, kept)
        if len(scores) != len(given.candidates):
            raise ConfigError(
                f"refiner {type(self.scorer).__name__} gave {len(scores)} scores for {len(given.candidates)} "
                "candidates. Rule: one number per candidate, in their order. Remedy: correct its `scores` method."
            )
        scored = decide(given.candidates, scores, self.keep, self.at_least)
        return RefinedSet(scored=scored, pooled_share=validation.pooled_share)


def reads_solutions(scorer: object) -> bool:
    """Say whether a scorer compares with worked solutions, not with final answers alone."""
    return bool(getattr(scorer, "reads_solutions", True))


def require_solutions(scorer: object, pool: Sequence[PoolProblem]) -> None:
    """Refuse a scorer that tests candidates on worked solutions if no problem of the pool has one.

    Raises:
        ConfigError: names the scorer and the alternatives.
    """
    if pool and isinstance(scorer, Tested) and reads_solutions(scorer) and not any(p.solution.strip() for p in pool):
        raise ConfigError(
            f"refiner {type(scorer).__name__}: none of the {len(pool)} pool problems has a worked solution. Rule: it "
            "measures what a candidate does for the solutions of validation cases. Remedy: refiner=one_shot_context, "
            "which needs final answers alone, or refiner=none."
        )


def _scored_on(scorer: Scorer, error_map: ErrorMap) -> ErrorMap:
    """Return the error types with the validation cases that a scorer can use."""
    if not reads_solutions(scorer) or all(b.problem.solution.strip() for t in error_map.types for b in t.validation):
        return error_map
    types = (
        replace(t, validation=tuple(b for b in t.validation if b.problem.solution.strip())) for t in error_map.types
    )
    return replace(error_map, types=tuple(types))


def validation_sets(error_map: ErrorMap, minimum: int, maximum: int, seed: int) -> Validation:
    """Draw up to ``maximum`` validation cases of every type with at least ``minimum``, and as many pooled ones."""
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
    """Keep all candidates of a round without validation cases and give that as the reason."""
    scored = tuple(Scored(example=c, score=0.0, kept=True, reason="no validation case") for c in candidates)
    return RefinedSet(scored=scored, pooled_share=1.0)


def decide(
    candidates: Sequence[SyntheticExample], scores: Sequence[float], keep: float, at_least: float | None = None
) -> tuple[Scored, ...]:
    """Keep the top fraction of every error type, at least one candidate each. Ties go to the earlier candidate.

    Scores of different types use different validation cases and are not comparable. Candidates that score below
    ``at_least`` are dropped as well, even if a type then has none left.

    Raises:
        NumericError: if a score is not a finite number.
    """
    for c, score in zip(candidates, scores, strict=True):
        if not math.isfinite(score):
            raise NumericError(
                f"the refinement score of candidate {c.id!r} (error type {c.error_type!r}) is {score}. Rule: scores "
                "must be finite. Remedy: check the checkpoint that scored it; its losses are not finite either."
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
