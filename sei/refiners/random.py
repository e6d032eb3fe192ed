"""The control of equal size: a random fraction is kept."""

from __future__ import annotations

import random
from typing import ClassVar

from sei.parts import part
from sei.scorer import Candidates
from sei.store.journal import Journal


@part
class RandomRefinement:
    """Scores by chance, from 0 to 1."""

    identity: ClassVar[str] = "refiner/random"
    version: ClassVar[int] = 1

    def scores(self, given: Candidates, kept: Journal) -> list[float]:
        """Draw a score per candidate."""
        rng = random.Random(f"refine/{given.seed}")
        return [rng.random() for _ in given.examples]
