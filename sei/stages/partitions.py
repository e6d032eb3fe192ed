"""Clusterers on reduced vectors: ward, kmeans, hdbscan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sei.parts import part
from sei.ports import Grouping
from sei.stages.grouping import Labels, Vectors, components, merged, most_types, number_of_types, unit
from sei.stages.micro import merge_many


@part
class Ward:
    """Ward's hierarchical clustering on the first principal components, for free phrases.

    The number of types is the one whose silhouette is furthest above that of data without groups
    (``sei.stages.grouping.number_of_types``), from ``min_types`` to ``max_types``, as far as types keep
    ``min_mean_size`` members on average. Equal vectors are merged first and count once in the tree.
    Above ``exact_up_to`` distinct vectors k-means makes micro-clusters first, and memory is linear.
    """

    identity: ClassVar[str] = "clusterer/ward"
    version: ClassVar[int] = 1
    dimensions: Annotated[int, Field(ge=2)] = 8
    min_types: Annotated[int, Field(ge=3)] = 3
    max_types: Annotated[int, Field(ge=3)] = 30
    min_mean_size: Annotated[float, Field(ge=1)] = 4.0
    nulls: Annotated[int, Field(ge=1)] = 5
    exact_up_to: Annotated[int, Field(ge=2000)] = 4000

    def group(self, phrases: Sequence[str], vectors: Vectors, seed: int) -> Grouping:
        """Group unit vectors (n, d); fewer than ``min_types`` distinct ones, or too few in all, are one type."""
        distinct, back, counts = merged(vectors)
        most = most_types(len(distinct), len(vectors), self.max_types, self.min_mean_size)
        if most < self.min_types:
            return Grouping(labels=(0,) * len(vectors))
        raw = components(distinct, self.dimensions)
        k, curve = number_of_types(raw, counts, ward_cuts, range(self.min_types, most + 1), self.nulls, seed)
        rows = unit(raw)
        if len(rows) > self.exact_up_to:
            labels = merge_many(rows, np.ones(len(rows)), "ward", [k], seed)[k]
        else:
            labels = ward_cuts(rows, counts, [k])[k]
        return Grouping(labels=tuple(int(x) for x in labels[back]), curve=curve)


def ward_cuts(rows: Vectors, _: NDArray[np.float64], numbers: Sequence[int]) -> dict[int, Labels]:
    """Build Ward's tree of rows (n, d) once and cut it into each of ``numbers`` types; weights count for nothing.

    scikit-learn gives the same labels, up to their order, but builds the tree anew for every number.
    """
    from scipy.cluster.hierarchy import ward
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(rows)
    merges = ward(rows)[:, :2].astype(np.int64)  # the i-th, of nodes with numbers below n + i, makes node n + i
    cuts = {}
    for k in numbers:
        made = n - k
        edges = (np.repeat(np.arange(n, n + made), 2), merges[:made].ravel())
        forest = coo_array((np.ones(2 * made), edges), shape=(n + made, n + made))
        cuts[k] = np.asarray(connected_components(forest, directed=False)[1][:n], dtype=np.int64)
    return cuts


@part
class KMeans:
    """K-means on the first principal components; the number of types as in ``Ward``.

    Equal vectors are merged first and weigh as often as they occur. ``restarts`` are scikit-learn's ``n_init``.
    """

    identity: ClassVar[str] = "clusterer/kmeans"
    version: ClassVar[int] = 1
    dimensions: Annotated[int, Field(ge=2)] = 8
    min_types: Annotated[int, Field(ge=3)] = 3
    max_types: Annotated[int, Field(ge=3)] = 30
    min_mean_size: Annotated[float, Field(ge=1)] = 4.0
    nulls: Annotated[int, Field(ge=1)] = 5
    restarts: Annotated[int, Field(ge=1)] = 5

    def group(self, phrases: Sequence[str], vectors: Vectors, seed: int) -> Grouping:
        """Group unit vectors (n, d); fewer than ``min_types`` distinct ones, or too few in all, are one type."""
        from sklearn.cluster import KMeans as Fitted

        def fit(rows: Vectors, weights: NDArray[np.float64], numbers: Sequence[int]) -> dict[int, Labels]:
            cuts = {}
            for k in numbers:
                found = Fitted(k, n_init=self.restarts, random_state=seed).fit_predict(rows, sample_weight=weights)
                cuts[k] = np.asarray(np.unique(found, return_inverse=True)[1], dtype=np.int64)  # no gap in numbers
            return cuts

        distinct, back, counts = merged(vectors)
        most = most_types(len(distinct), len(vectors), self.max_types, self.min_mean_size)
        if most < self.min_types:
            return Grouping(labels=(0,) * len(vectors))
        raw = components(distinct, self.dimensions)
        k, curve = number_of_types(raw, counts, fit, range(self.min_types, most + 1), self.nulls, seed)
        labels = fit(unit(raw), counts, [k])[k]
        return Grouping(labels=tuple(int(x) for x in labels[back]), curve=curve)


@part
class HDBSCAN:
    """Density-based clustering on the first principal components; what lies between the types is noise.

    A type has ``min_size`` distinct phrases, or ``min_share`` of them where that is more. Noise goes to the
    type with the nearest centroid (``nearest``), so that every bad case is used, or to no type (``drop``,
    label -1: the bad case is counted as refused). Where no dense place is found, all phrases are one type
    under either policy. There is no number of types to choose, and no curve.
    """

    identity: ClassVar[str] = "clusterer/hdbscan"
    version: ClassVar[int] = 1
    dimensions: Annotated[int, Field(ge=2)] = 8
    min_size: Annotated[int, Field(ge=2)] = 5
    min_share: Annotated[float, Field(ge=0, lt=0.5)] = 0.01
    neighbours: Annotated[int, Field(ge=1)] = 3
    selection: Literal["leaf", "eom"] = "eom"
    noise: Literal["nearest", "drop"] = "nearest"

    def group(self, phrases: Sequence[str], vectors: Vectors, seed: int) -> Grouping:
        """Group unit vectors (n, d); label -1 is noise where ``noise`` is ``drop``."""
        from sklearn import cluster

        distinct, back, _ = merged(vectors)
        size = max(self.min_size, round(self.min_share * len(distinct)))
        if len(distinct) < 2 * max(size, self.neighbours):  # two types of the least size would not fit
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
