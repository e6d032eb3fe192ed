"""Density-based clustering (HDBSCAN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from sei.clusterers.number_of_types import Vectors, components, each_its_own, merged, unit
from sei.exchange import Grouping
from sei.parts import part

MOST = 30  # at most this many distinct phrases make a short list


@part
class HDBSCAN:
    """Density-based clustering on the first principal components. Phrases between the types are noise.

    A type has at least ``min_size`` distinct phrases or a share ``min_share`` of them, whichever is more. Noise goes to
    the type with the nearest centroid (``nearest``), so that every bad case is used, or to no type (``drop``: label -1,
    and the bad case is counted as a rejection). If no dense region is found, all phrases become one type under either
    policy. The number of types follows from the density, so there is no curve.
    """

    identity: ClassVar[str] = "clusterer/hdbscan"
    version: ClassVar[int] = 2
    dimensions: Annotated[int, Field(ge=2)] = 8
    min_size: Annotated[int, Field(ge=2)] = 5
    min_share: Annotated[float, Field(ge=0, lt=0.5)] = 0.01
    neighbours: Annotated[int, Field(ge=1)] = 3
    selection: Literal["leaf", "eom"] = "eom"
    noise: Literal["nearest", "drop"] = "nearest"

    def group(self, phrases: Sequence[str], vectors: Vectors, seed: int) -> Grouping:
        """Group unit vectors (n, d). With ``noise=drop`` label -1 is noise.

        A few phrases that all occur often become one type each (``number_of_types.each_its_own``).
        """
        from sklearn import cluster

        distinct, back, counts = merged(vectors)
        if (own := each_its_own(back, counts, MOST, self.min_size)) is not None:
            return Grouping(labels=tuple(own.tolist()))
        size = max(self.min_size, round(self.min_share * len(distinct)))
        if len(distinct) < 2 * max(size, self.neighbours):  # too few for two types of the smallest size
            return Grouping(labels=(0,) * len(vectors))
        rows = unit(components(distinct, self.dimensions))
        model = cluster.HDBSCAN(
            min_cluster_size=size, min_samples=self.neighbours, cluster_selection_method=self.selection, copy=True
        )
        labels = model.fit_predict(rows)
        k = int(labels.max()) + 1
        if k == 0:
            return Grouping(labels=(0,) * len(vectors))
        if self.noise == "nearest":
            centroids = unit(np.array([rows[labels == c].mean(axis=0) for c in range(k)]))
            labels = np.where(labels < 0, (rows @ centroids.T).argmax(axis=1), labels)
        return Grouping(labels=tuple(int(x) for x in labels[back]))
