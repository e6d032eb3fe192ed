"""Prefers candidates that are least like each other within an error type."""

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

    The first candidate is the one nearest to its type's mean. Score: 1 minus the similarity to the nearest candidate
    chosen before. The top fraction therefore covers the whole type.
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
    """Return each unit vector's distance (0 to 2) to the nearest vector chosen before it; the first one gets 2."""
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
