"""Ward linkage on principal components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sei.clusterers.micro_clusters import merge_many
from sei.clusterers.number_of_types import (
    Labels,
    Vectors,
    components,
    each_its_own,
    merged,
    most_types,
    number_of_types,
    require_limits,
    unit,
)
from sei.exchange import Grouping
from sei.parts import part


@part
class Ward:
    """Ward's hierarchical clustering on the first principal components, for freely worded phrases.

    The number of types is the one with the silhouette furthest above that of data without groups
    (``sei.clusterers.number_of_types.number_of_types``). It lies between ``min_types`` and ``max_types``, with at least
    ``min_mean_size`` members per type on average. Equal vectors are merged first and count once in the tree. Above
    ``exact_up_to`` distinct vectors k-means makes micro-clusters first, and memory is linear.
    """

    identity: ClassVar[str] = "clusterer/ward"
    version: ClassVar[int] = 1
    dimensions: Annotated[int, Field(ge=2)] = 8
    min_types: Annotated[int, Field(ge=3)] = 3
    max_types: Annotated[int, Field(ge=3)] = 30
    min_mean_size: Annotated[float, Field(ge=1)] = 4.0
    nulls: Annotated[int, Field(ge=1)] = 5
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
    """Build Ward's tree of rows (n, d) once and cut it into each of ``numbers`` types. Weights are ignored.

    scikit-learn gives the same labels, up to their order, but rebuilds the tree for every number.
    """
    from scipy.cluster.hierarchy import ward
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(rows)
    merges = ward(rows)[:, :2].astype(np.int64)  # merge i joins two nodes below n + i into node n + i
    cuts = {}
    for k in numbers:
        made = n - k
        edges = (np.repeat(np.arange(n, n + made), 2), merges[:made].ravel())
        forest = coo_array((np.ones(2 * made), edges), shape=(n + made, n + made))
        cuts[k] = np.asarray(connected_components(forest, directed=False)[1][:n], dtype=np.int64)
    return cuts
