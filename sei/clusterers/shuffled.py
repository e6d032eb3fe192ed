"""The placebo: another clusterer's types with permuted members."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from sei.clusterers.number_of_types import Vectors
from sei.exchange import Grouping
from sei.parts import part
from sei.ports import Clusterer


@part
class Shuffled:
    """The placebo: the sizes of another clusterer's types, with members permuted at random.

    The other clusterer's rejections and usage are kept. Its names are dropped, because they do not describe the new
    members.
    """

    identity: ClassVar[str] = "clusterer/shuffled"
    version: ClassVar[int] = 2
    inner: Clusterer

    def group(self, phrases: Sequence[str], vectors: Vectors, seed: int) -> Grouping:
        """Permute the labels of the inner clusterer."""
        grouping = self.inner.group(phrases, vectors, seed)
        labels = list(grouping.labels)
        random.Random(f"shuffled/{seed}").shuffle(labels)
        return replace(grouping, labels=tuple(labels), names=())
