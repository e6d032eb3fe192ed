"""Hierarchical clustering of many rows: k-means makes micro-clusters, which are merged with their weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sei.clusterers.number_of_types import Labels, Vectors

MICRO = 2000
"""The number of micro-clusters. Their distance matrix takes 32 MB."""


def merge_many(
    rows: Vectors, weights: NDArray[np.float64], linkage: Literal["average", "ward"], numbers: Sequence[int], seed: int
) -> dict[int, Labels]:
    """Cluster weighted unit rows (n, d) into each of ``numbers`` types. Memory is linear in n.

    Up to ``MICRO`` rows the result is exact. ``average`` uses cosine distance, ``ward`` squared Euclidean distance.
    Returns labels (n,) by number of types.
    """
    from sklearn.cluster import MiniBatchKMeans

    home = np.arange(len(rows), dtype=np.int64)
    if len(rows) > MICRO:
        model = MiniBatchKMeans(MICRO, batch_size=4096, n_init=1, init="random", max_iter=10, random_state=seed)
        found = model.fit_predict(rows, sample_weight=weights)
        home = np.asarray(np.unique(found, return_inverse=True)[1], dtype=np.int64)
    count = int(home.max()) + 1
    sums = np.zeros((count, rows.shape[1]))
    np.add.at(sums, home, rows * weights[:, None])
    mass = np.bincount(home, weights=weights, minlength=count).astype(np.float64)
    cuts = _merge(sums / mass[:, None], mass, linkage, set(numbers))
    return {k: cut[home] for k, cut in cuts.items()}


def _merge(
    means: NDArray[np.float64], mass: NDArray[np.float64], linkage: Literal["average", "ward"], numbers: set[int]
) -> dict[int, Labels]:
    """Merge the two nearest groups until the smallest number is reached. scikit-learn and SciPy accept no weights here.

    Both distances follow from means and weights alone. The mean cosine distance between two groups of unit vectors is
    1 - mean · mean. Ward's distance is the increase of the sum of squares.
    """

    def apart(i: int) -> NDArray[np.float64]:
        if linkage == "average":
            return np.asarray(1.0 - means @ means[i])
        squared = ((means - means[i]) ** 2).sum(axis=1)
        return np.asarray(squared * mass * mass[i] / (mass + mass[i]))

    count = len(means)
    owner = np.arange(count)
    gaps = np.array([apart(i) for i in range(count)])
    np.fill_diagonal(gaps, np.inf)
    cuts = {}
    for left in range(count, min(numbers) - 1, -1):
        if left in numbers:
            cuts[left] = np.asarray(np.unique(owner, return_inverse=True)[1], dtype=np.int64)
        if left == min(numbers):
            break
        i, j = divmod(int(gaps.argmin()), count)
        means[i] = (means[i] * mass[i] + means[j] * mass[j]) / (mass[i] + mass[j])
        mass[i] += mass[j]
        owner[owner == j] = i
        gone = np.isinf(gaps[i])
        gaps[j, :] = gaps[:, j] = np.inf
        fresh = np.where(gone, np.inf, apart(i))
        fresh[j] = np.inf
        gaps[i, :] = gaps[:, i] = fresh
    return cuts
