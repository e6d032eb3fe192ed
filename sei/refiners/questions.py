"""The questions that test a candidate: bad cases of its error type, and solved problems."""

from __future__ import annotations

import random

from sei.records import PoolProblem
from sei.scorer import Candidates

Questions = tuple[list[PoolProblem], list[PoolProblem]]  # bad, good


def questions_of(given: Candidates, most_good: int) -> dict[str, Questions]:
    """Return (bad, good) questions by error type. Types with too few cases use the entry "".

    The good questions, at most ``most_good``, are the same for all candidates.
    """
    solved = random.Random(f"good/{given.seed}").sample(list(given.good), min(most_good, len(given.good)))
    return {name: ([b.problem for b in cases], solved) for name, cases in given.validation.cases.items()}


def weights_of(questions: Questions) -> list[float]:
    """Return a weight per question, so that both groups count equally. A single group gets the whole weight."""
    groups = [g for g in questions if g]
    return [1 / (len(groups) * len(g)) for g in groups for _ in g]
