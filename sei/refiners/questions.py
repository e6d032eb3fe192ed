"""The questions that a candidate is shown before: bad cases of its error type, and solved problems."""

from __future__ import annotations

import random

from sei.records import PoolProblem
from sei.scorer import Candidates

Questions = tuple[list[PoolProblem], list[PoolProblem]]  # bad, good


def questions_of(given: Candidates, most_good: int) -> dict[str, Questions]:
    """Return the (bad, good) questions of every error type with enough cases of its own, and of others under "".

    The good ones, at most ``most_good``, are the same for all candidates.
    """
    solved = random.Random(f"good/{given.seed}").sample(list(given.good), min(most_good, len(given.good)))
    return {name: ([b.problem for b in cases], solved) for name, cases in given.validation.cases.items()}


def weights_of(questions: Questions) -> list[float]:
    """Return the weight of every question such that both groups count alike, or the one there is for all."""
    groups = [g for g in questions if g]
    return [1 / (len(groups) * len(g)) for g in groups for _ in g]
