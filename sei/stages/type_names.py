"""Stable names for error types across rounds, although their medoid phrases change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sei.records import ErrorType

Vectors = NDArray[np.float32]

LEAST = 0.6
"""The least likeness at which a type counts as the continuation of an earlier one."""


def stable_names(types: Sequence[ErrorType], earlier: Sequence[ErrorType], vectors: Sequence[Vectors]) -> list[str]:
    """Return for every type the stable name of the earlier type that it continues, or a new name.

    Likeness (0 to 1) is the larger of two numbers: the cosine of the centroids, and the share of the smaller type's bad
    cases that the other type also has. Types with a likeness below ``LEAST`` are not paired. Types are paired one to
    one to maximise the sum of likeness x bad cases of the type (the assignment problem, Kuhn 1955), so that most cases
    keep their name.

    Args:
        types: the types of this round.
        earlier: the types of all earlier rounds, each stable name once, as last seen.
        vectors: unit rows of the members of every type, then of every earlier type, from one embedding.
    """
    taken = {e.label for e in earlier}
    names = [""] * len(types)
    if types and earlier:
        from scipy.optimize import linear_sum_assignment

        likeness = _likeness(types, earlier, vectors)
        worth = np.where(likeness >= LEAST, likeness, 0.0) * np.array([[len(t.members)] for t in types])
        for i, j in zip(*linear_sum_assignment(-worth), strict=True):
            if worth[i, j] > 0:
                names[i] = earlier[j].label
    for i, t in enumerate(types):
        if not names[i]:
            names[i] = _unused(t.name, taken)
            taken.add(names[i])
    return names


def _likeness(
    types: Sequence[ErrorType], earlier: Sequence[ErrorType], vectors: Sequence[Vectors]
) -> NDArray[np.float64]:
    centroids = np.array([rows.mean(axis=0) for rows in vectors])
    centroids /= np.maximum(np.linalg.norm(centroids, axis=1, keepdims=True), 1e-9)
    cosines = centroids[: len(types)] @ centroids[len(types) :].T
    cases = [{k.bad_case.problem.id for k in t.members} for t in (*types, *earlier)]
    now, before = cases[: len(types)], cases[len(types) :]
    shared = np.array([[len(a & b) / max(1, min(len(a), len(b))) for b in before] for a in now])
    return np.asarray(np.maximum(cosines, shared), dtype=np.float64)


def _unused(name: str, taken: set[str]) -> str:
    """Return the name, with a number if another type already has it."""
    n, found = 1, name
    while found in taken:
        n += 1
        found = f"{name} [{n}]"
    return found


def last_seen(earlier: Sequence[ErrorType], now: Sequence[ErrorType]) -> tuple[ErrorType, ...]:
    """Return the last seen type of every stable name, in order of first appearance."""
    return tuple({t.label: t for t in (*earlier, *now)}.values())
