"""Candidates of every error type that are least like each other."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sei.parts import part
from sei.ports import Embedder
from sei.returned import embedded
from sei.scorer import Candidates, by_type
from sei.store.journal import Journal


@part
class Diversity:
    """Greedy farthest-first order by cosine of the questions' embeddings (Gonzalez 1985).

    The first is the one nearest to its type's mean. Score: 1 less the similarity to the nearest one chosen before, so
    the top fraction covers all of the type.
    """

    identity: ClassVar[str] = "refiner/diversity"
    version: ClassVar[int] = 1
    embedder: Embedder

    def scores(self, given: Candidates, kept: Journal) -> list[float]:
        """Score every candidate by its distance to those chosen before it."""
        out = [0.0] * len(given.examples)
        if not out:
            return out
        vectors = embedded(self.embedder, [c.question for c in given.examples])
        for members in by_type(given.examples).values():
            for i, score in zip(members, _farthest_first(vectors[members]), strict=True):
                out[i] = score
        return out


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
