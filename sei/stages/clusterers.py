"""Clusterers: agglomerative (default), none (ablation), shuffled (placebo)."""

from __future__ import annotations

import random
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sei.parts import part
from sei.ports import Clusterer, Grouping
from sei.records import CurvePoint

Vectors = NDArray[np.float32]


@part
class Agglomerative:
    """Average-linkage clustering on cosine distance, the number of types chosen without labels.

    Every number of types from ``min_types`` to ``max_types`` is tried, as far as types keep
    ``min_mean_size`` members on average; among those whose mean silhouette is within ``tolerance`` of
    the best, the smallest number wins. So two types or one type per phrase never come out by accident.
    Equal vectors are merged first. Memory is quadratic in the number of distinct vectors.
    """

    version: ClassVar[int] = 1
    min_types: Annotated[int, Field(ge=3)] = 3
    max_types: Annotated[int, Field(ge=3)] = 30
    min_mean_size: Annotated[float, Field(ge=1)] = 4.0
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.02

    def group(self, vectors: Vectors, seed: int) -> Grouping:
        """Group unit vectors (n, d); fewer than ``min_types`` distinct ones, or too few in all, are one type."""
        from sklearn.cluster import AgglomerativeClustering
        from sklearn.metrics import silhouette_score

        distinct, back = np.unique(vectors.round(6), axis=0, return_inverse=True)
        most = min(self.max_types, len(distinct) - 1, int(len(vectors) / self.min_mean_size))
        if most < self.min_types:
            return Grouping(labels=(0,) * len(vectors))
        distances = np.clip(1.0 - distinct @ distinct.T, 0.0, 2.0)
        np.fill_diagonal(distances, 0.0)
        full = distances[np.ix_(back, back)]
        curve, options = [], {}
        for k in range(self.min_types, most + 1):
            model = AgglomerativeClustering(n_clusters=k, metric="precomputed", linkage="average")
            options[k] = model.fit_predict(distances)[back]
            score = silhouette_score(full, options[k], metric="precomputed", random_state=seed)
            curve.append(CurvePoint(num_types=k, score=round(float(score), 4)))
        best = max(c.score for c in curve)
        chosen = next(c.num_types for c in curve if c.score >= best - self.tolerance)
        return Grouping(labels=tuple(int(x) for x in options[chosen]), curve=tuple(curve))


@part
class NoClustering:
    """The no-clustering ablation: one type that holds every bad case."""

    version: ClassVar[int] = 1

    def group(self, vectors: Vectors, seed: int) -> Grouping:
        """Put everything into one type."""
        return Grouping(labels=(0,) * len(vectors))


@part
class Shuffled:
    """The placebo: the sizes of another clusterer's types, with members permuted at random."""

    version: ClassVar[int] = 1
    inner: Clusterer

    def group(self, vectors: Vectors, seed: int) -> Grouping:
        """Permute the labels of the inner clusterer."""
        grouping = self.inner.group(vectors, seed)
        labels = list(grouping.labels)
        random.Random(f"shuffled/{seed}").shuffle(labels)
        return Grouping(labels=tuple(labels), curve=grouping.curve)
