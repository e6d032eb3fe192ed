"""Agglomerative clustering with average linkage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from sei.clusterers.micro_clusters import merge_many
from sei.clusterers.number_of_types import Labels, Vectors, each_its_own, merged, require_limits, silhouette
from sei.exchange import Grouping
from sei.parts import part
from sei.records import CurvePoint

Options = tuple[list[CurvePoint], dict[int, Labels]]


@part
class Agglomerative:
    """Average-linkage clustering on cosine distance. The number of types is chosen without labels.

    Every number of types from ``min_types`` to ``max_types`` is tried, as long as types have ``min_mean_size`` members
    on average. Of the numbers with a mean silhouette within ``tolerance`` of the best, the smallest wins. This avoids
    an accidental choice of two types or of one type per phrase. Equal vectors are merged first. Memory is quadratic up
    to ``exact_up_to`` phrases. For more phrases k-means first makes micro-clusters, which are merged with their weights
    (``sei.clusterers.micro_clusters``), and memory is linear.
    """

    identity: ClassVar[str] = "clusterer/agglomerative"
    version: ClassVar[int] = 2
    min_types: Annotated[int, Field(ge=3)] = 3
    max_types: Annotated[int, Field(ge=3)] = 30
    min_mean_size: Annotated[float, Field(ge=1)] = 4.0
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.02
    exact_up_to: Annotated[int, Field(ge=2000)] = 4000

    def __post_init__(self) -> None:
        """Refuse ``min_types`` above ``max_types``."""
        require_limits(self.min_types, self.max_types)

    def group(self, phrases: Sequence[str], vectors: Vectors, seed: int) -> Grouping:
        """Group unit vectors (n, d). Too few vectors for ``min_types`` types become one type.

        A few phrases that all occur often become one type each (``number_of_types.each_its_own``).
        """
        distinct, back, counts = merged(vectors)
        if (own := each_its_own(back, counts, self.max_types, self.min_mean_size)) is not None:
            return Grouping(labels=tuple(own.tolist()))
        most = min(self.max_types, len(distinct) - 1, int(len(vectors) / self.min_mean_size))
        if most < self.min_types:
            return Grouping(labels=(0,) * len(vectors))
        if len(vectors) > self.exact_up_to:
            curve, options = self._many(vectors, range(self.min_types, most + 1), seed)
        else:
            curve, options = self._few(distinct, back, range(self.min_types, most + 1), seed)
        best = max(c.score for c in curve)
        chosen = next(c.num_types for c in curve if c.score >= best - self.tolerance)
        return Grouping(labels=tuple(int(x) for x in options[chosen]), curve=tuple(curve))

    def _few(self, distinct: Vectors, back: Labels, numbers: range, seed: int) -> Options:
        from sklearn.cluster import AgglomerativeClustering
        from sklearn.metrics import silhouette_score

        distances = np.clip(1.0 - distinct @ distinct.T, 0.0, 2.0)
        np.fill_diagonal(distances, 0.0)
        full = distances[np.ix_(back, back)]
        curve, options = [], {}
        for k in numbers:
            model = AgglomerativeClustering(n_clusters=k, metric="precomputed", linkage="average")
            options[k] = model.fit_predict(distances)[back]
            score = silhouette_score(full, options[k], metric="precomputed", random_state=seed)
            curve.append(CurvePoint(num_types=k, score=round(float(score), 4)))
        return curve, options

    def _many(self, vectors: Vectors, numbers: range, seed: int) -> Options:
        distinct, back, counts = merged(vectors)
        cuts = merge_many(distinct, np.ones(len(distinct)), "average", numbers, seed)
        scores = {k: round(silhouette(distinct, counts, cuts[k]), 4) for k in numbers}
        return [CurvePoint(num_types=k, score=s) for k, s in scores.items()], {k: cuts[k][back] for k in numbers}
