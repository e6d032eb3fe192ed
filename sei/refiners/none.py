"""No refinement: the ablation."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from sei.parts import part
from sei.records import RefinedSet, RefineInput, Scored


@part
class NoRefinement:
    """Keeps every candidate."""

    identity: ClassVar[str] = "refiner/none"
    version: ClassVar[int] = 1

    def __call__(self, given: RefineInput, *, seed: int, folder: Path | None = None) -> RefinedSet:
        """Keep all candidates."""
        return RefinedSet(scored=tuple(Scored(example=c, score=0.0, kept=True, reason="all") for c in given.candidates))
