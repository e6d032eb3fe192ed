"""k-means on principal components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

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
class KMeans:
    """K-means on the first principal components. The number of types is chosen as in ``Ward``.

    Equal vectors are merged first and weighted by their counts. ``restarts`` is scikit-learn's ``n_init``.
    """

    identity: ClassVar[str] = "clusterer/kmeans"
    version: ClassVar[int] = 2
    dimensions: Annotated[int, Field(ge=2)] = 8
    min_types: Annotated[int, Field(ge=3)] = 3
    max_types: Annotated[int, Field(ge=3)] = 30
    min_mean_size: Annotated[float, Field(ge=1)] = 4.0
    nulls: Annotated[int, Field(ge=1)] = 5
    restarts: Annotated[int, Field(ge=1)] = 5

    def __post_init__(self) -> None:
        """Refuse ``min_types`` above ``max_types``."""
        require_limits(self.min_types, self.max_types)

    def group(self, phrases: Sequence[str], vectors: Vectors, seed: int) -> Grouping:
        """Group unit vectors (n, d). Too few vectors for ``min_types`` types become one type.

        A few phrases that all occur often become one type each (``number_of_types.each_its_own``).
        """
        from sklearn.cluster import KMeans as Fitted

        def fit(rows: Vectors, weights: NDArray[np.float64], numbers: Sequence[int]) -> dict[int, Labels]:
            cuts = {}
            for k in numbers:
                found = Fitted(k, n_init=self.restarts, random_state=seed).fit_predict(rows, sample_weight=weights)
                cuts[k] = np.asarray(np.unique(found, return_inverse=True)[1], dtype=np.int64)  # consecutive labels
            return cuts

        distinct, back, counts = merged(vectors)
        if (own := each_its_own(back, counts, self.max_types, self.min_mean_size)) is not None:
            return Grouping(labels=tuple(own.tolist()))
        most = most_types(len(distinct), len(vectors), self.max_types, self.min_mean_size)
        if most < self.min_types:
            return Grouping(labels=(0,) * len(vectors))
        raw = components(distinct, self.dimensions)
        k, curve = number_of_types(raw, counts, fit, range(self.min_types, most + 1), self.nulls, seed)
        labels = fit(unit(raw), counts, [k])[k]
        return Grouping(labels=tuple(int(x) for x in labels[back]), curve=curve)
