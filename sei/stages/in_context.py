"""Refine as in the paper (section 3.3): the candidate as the one in-context demonstration of a frozen model."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from sei.models.target import TargetModel
from sei.parts import part
from sei.ports import Grader
from sei.prompts import asked
from sei.records import Checkpoint, ErrorMap, PoolProblem, RefinedSet, SyntheticExample
from sei.stages.attempt import Engine
from sei.stages.refine import AtLeast, Keep, decide, validation_sets


@part
class OneShotContext:
    """The model answers validation questions with the candidate shown before each of them.

    Questions are ``bad`` validation cases of the candidate's error type (types with fewer than
    ``min_validation``: of the pooled ones) and ``good`` ones, which the model solved without help. Score =
    mean of the exact-match rates on both (0 to 1); where there are no good ones, the rate on the bad ones.
    All prompts of all candidates go through the engine together, in batches of like length.
    """

    version: ClassVar[int] = 2
    target: TargetModel
    engine: Engine
    grader: Grader
    keep: Keep = 0.2
    at_least: AtLeast = None
    bad: Annotated[int, Field(ge=1)] = 10
    good: Annotated[int, Field(ge=0)] = 10
    min_validation: Annotated[int, Field(ge=1)] = 5

    def __call__(
        self,
        checkpoint: Checkpoint,
        error_map: ErrorMap,
        candidates: tuple[SyntheticExample, ...],
        good: tuple[PoolProblem, ...],
        *,
        seed: int,
    ) -> RefinedSet:
        """Score every candidate by what the frozen model solves with it in view."""
        per_type, pooled, share = validation_sets(error_map, self.min_validation, self.bad, seed)
        solved = random.Random(f"good/{seed}").sample(list(good), min(self.good, len(good)))
        questions = [
            ([b.problem for b in per_type.get(c.error_type, pooled)], solved) for c in candidates
        ]  # the same questions for all candidates of a type
        with self.engine.open(self.target, checkpoint) as opened:
            prompts = [
                text
                for c, (bad, right) in zip(candidates, questions, strict=True)
                for text in opened.prompts(
                    [asked(p.question, p.options) for p in (*bad, *right)], (c.question, c.solution)
                )
            ]
            outputs = {at: text for at, text, *_ in self.engine.answer(opened, prompts, frozenset(), "refinement")}
        scores, at = [], 0
        for bad, right in questions:
            rates = [
                self._rate(group, [outputs[i] for i in range(start, start + len(group))])
                for start, group in ((at, bad), (at + len(bad), right))
                if group
            ]
            scores.append(sum(rates) / max(1, len(rates)))
            at += len(bad) + len(right)
        return RefinedSet(scored=decide(candidates, scores, self.keep, self.at_least), pooled_share=share)

    def _rate(self, problems: Sequence[PoolProblem], outputs: Sequence[str]) -> float:
        verdicts = [self.grader.grade(p, o).verdict for p, o in zip(problems, outputs, strict=True)]
        return verdicts.count("right") / len(verdicts)
