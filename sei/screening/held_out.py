"""Collects the questions that training text must not come near."""

from __future__ import annotations

from collections.abc import Sequence

from sei.exchange import DataSet
from sei.records import ErrorMap, PoolProblem, RefinedSet


def held_out_texts(data: DataSet, error_map: ErrorMap) -> dict[str, list[str]]:
    """Return the questions that training text must not come near: test, dev, and this round's validation."""
    return {
        "test": [p.question for p in data.held_out if p.role != "dev"],
        "dev": [p.question for p in data.held_out if p.role == "dev"],
        "validation": [b.problem.question for t in error_map.types for b in t.validation],
    }


def questions(pool: Sequence[PoolProblem]) -> list[str]:
    """Return the questions of the pool, which show the usual wording."""
    return [p.question for p in pool]


def earlier_texts(history: Sequence[RefinedSet]) -> list[str]:
    """Return the synthetic questions of earlier rounds, kept or not, since repeating them teaches nothing."""
    return [s.example.question for r in history for s in r.scored]
