"""No clustering: the ablation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sei.clusterers.number_of_types import Vectors
from sei.exchange import Grouping
from sei.parts import part


@part
class NoClustering:
    """The no-clustering ablation: one unnamed type contains every bad case."""

    identity: ClassVar[str] = "clusterer/none"
    version: ClassVar[int] = 2
    unnamed: ClassVar[bool] = True

    def group(self, phrases: Sequence[str], vectors: Vectors, seed: int) -> Grouping:
        """Put everything into one type."""
        return Grouping(labels=(0,) * len(vectors), unnamed=True)
