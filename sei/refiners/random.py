"""The control of equal size: keeps a random fraction."""

from __future__ import annotations

import random
from typing import ClassVar

from sei.parts import part
from sei.scorer import Candidates
from sei.store.journal import Journal


@part
class RandomRefinement:
    """Random scores from 0 to 1."""

    identity: ClassVar[str] = "refiner/random"
    version: ClassVar[int] = 1

    def scores(self, given: Candidates, kept: Journal) -> list[float]:
        """Draw a score per candidate."""
        rng = random.Random(f"refine/{given.seed}")
        return [rng.random() for _ in given.examples]
