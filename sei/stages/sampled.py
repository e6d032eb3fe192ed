"""Several sampled answers a problem: who is asked how often, and what avg@k, maj@k and pass@k are."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from math import comb
from typing import Any

from sei.exchange import Draw
from sei.opened import Sampled
from sei.records import Graded, HeldOutProblem, PoolProblem


def draws(stage: Any, problems: Sequence[PoolProblem | HeldOutProblem], seed: int) -> tuple[Any, ...]:
    """Return what an attempt stage is given: the problems, or ``samples`` draws of each where it samples.

    Draw i of a problem is known by (seed, problem, i): eight answers begin with the four of an earlier run.
    """
    if not isinstance(stage, Sampled) or stage.temperature == 0:
        return tuple(problems)
    return tuple(Draw(problem=p, sample=i, seed=_seed(seed, p.id, i)) for p in problems for i in range(stage.samples))


def _seed(seed: int, name: str, i: int) -> int:
    return int(hashlib.sha256(f"{seed}/{name}/{i}".encode()).hexdigest()[:8], 16) % 2**31


def by_problem(graded: Sequence[Graded]) -> dict[str, list[Graded]]:
    """Return the answers to every problem by its id, in order; faults of the grader are left out."""
    out: dict[str, list[Graded]] = {}
    for g in graded:
        if not g.fault:
            out.setdefault(g.attempt.problem.id, []).append(g)
    return out


def majority(answers: Sequence[Graded]) -> bool:
    """Say whether the answer given most often is right (maj@k): right ones are one answer, unreadable ones none.

    Of answers given equally often the one that came first counts.
    """
    votes = Counter(
        "" if g.verdict == "right" else f"wrong {g.extracted}" for g in answers if g.verdict != "unreadable"
    )
    return bool(votes) and votes.most_common(1)[0][0] == ""


def pass_at(right: int, n: int, k: int) -> float:
    """Return the unbiased chance that one of ``k`` answers is right, ``right`` of ``n`` being so (Chen et al. 2021)."""
    return 1.0 - comb(n - right, k) / comb(n, k)


def rights(answers: Sequence[Graded]) -> int:
    """Return how many answers are right."""
    return sum(g.verdict == "right" for g in answers)


def is_bad(answers: Sequence[Graded], wrong_in: float) -> bool:
    """Say whether a problem is a bad case: at least that share of its answers is wrong in a readable way."""
    wrong = sum(g.verdict == "wrong" for g in answers)
    return wrong > 0 and wrong >= wrong_in * len(answers)
