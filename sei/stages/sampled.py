"""Several sampled answers per problem: which draws are made, and how maj@k and pass@k are computed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from math import comb
from typing import Any

from sei.exchange import Draw
from sei.grading.choices import by_value, letter_of, options_of
from sei.grading.equality import equal
from sei.grading.quantity import quantity
from sei.grading.sandbox import LimitError, UnreadableError
from sei.grading.text import tidy
from sei.opened import Sampled
from sei.records import Graded, HeldOutProblem, PoolProblem

_SECONDS = 0.6  # for one comparison by computer algebra


def decoding(stage: object) -> tuple[int, float]:
    """Return a stage's answers to each problem and their temperature: 1 and 0 for greedy answers."""
    return (stage.samples, stage.temperature) if isinstance(stage, Sampled) else (1, 0.0)


def draws(stage: Any, problems: Sequence[PoolProblem | HeldOutProblem], seed: int) -> tuple[Any, ...]:
    """Return the input of an attempt stage: the problems, or ``samples`` draws of each if the stage samples.

    Draw i of a problem depends on (seed, problem, i) alone: the first four of eight answers equal those of a run with
    four.
    """
    if not isinstance(stage, Sampled) or stage.temperature == 0:
        return tuple(problems)
    return tuple(Draw(problem=p, sample=i, seed=seed_of(seed, p.id, i)) for p in problems for i in range(stage.samples))


def seed_of(seed: int, name: str, i: int) -> int:
    """Return the seed of draw ``i`` of a problem."""
    return int(hashlib.sha256(f"{seed}/{name}/{i}".encode()).hexdigest()[:8], 16) % 2**31


def by_problem(graded: Sequence[Graded]) -> dict[str, list[Graded]]:
    """Return the answers by problem id, in order, without faults of the grader."""
    out: dict[str, list[Graded]] = {}
    for g in graded:
        if not g.fault:
            out.setdefault(g.attempt.problem.id, []).append(g)
    return out


def majority(answers: Sequence[Graded]) -> bool:
    """Tell whether the most frequent answer is right (maj@k).

    Answers count as one if they name the same option or are equal for the grader; the gold answer has no part in this.
    Unreadable ones are ignored. On ties the earlier answer wins.
    """
    groups: list[tuple[str, int, bool]] = []  # the first answer, votes, whether one of them is right
    for g in answers:
        if g.verdict == "unreadable":
            continue
        vote, right = _vote(g.extracted, tuple(g.attempt.problem.options)), g.verdict == "right"
        at = next((i for i, (first, _, _) in enumerate(groups) if _same(first, vote)), len(groups))
        first, n, found = groups[at] if at < len(groups) else (vote, 0, False)
        groups[at : at + 1] = [(first, n + 1, found or right)]
    return bool(groups) and max(groups, key=lambda x: x[1])[2]


@lru_cache(maxsize=65_536)
def _vote(answer: str, options: tuple[str, ...]) -> str:
    """Return the letter of the option that an answer names, the value of a number, or else its text."""
    if options:
        texts = options_of(options)
        named = letter_of(answer) or by_value(answer, texts, _same)
        alone = {*re.findall(r"\b([A-J])\b", answer)} & texts.keys()
        if named in texts or len(alone) == 1:
            return named if named in texts else alone.pop()
    value = quantity(plain := tidy(answer))
    return plain.casefold() if value is None else f"{value}"


@lru_cache(maxsize=65_536)
def _same(a: str, b: str) -> bool:
    try:
        return a == b or equal(a, b, seconds=_SECONDS)
    except (UnreadableError, LimitError):
        return False


def pass_at(right: int, n: int, k: int) -> float:
    """Return the unbiased estimate of pass@k with ``right`` of ``n`` answers right (Chen et al. 2021)."""
    return 1.0 - comb(n - right, k) / comb(n, k)


def rights(answers: Sequence[Graded]) -> int:
    """Return the number of right answers."""
    return sum(g.verdict == "right" for g in answers)


def is_bad(answers: Sequence[Graded], wrong_in: float) -> bool:
    """Tell whether a problem is a bad case: at least a share ``wrong_in`` of its answers is readable and wrong."""
    wrong = sum(g.verdict == "wrong" for g in answers)
    return wrong > 0 and wrong >= wrong_in * len(answers)
