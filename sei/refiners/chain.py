"""Runs several refiners in sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from sei.parts import part
from sei.ports import RefineStage
from sei.records import RefinedSet, RefineInput, Scored


@part
class Chain:
    """Refiners in sequence: each sees only the candidates that the earlier ones kept.

    A candidate's score, decision and reason come from the last refiner that saw it.
    """

    identity: ClassVar[str] = "refiner/chain"
    version: ClassVar[int] = 1
    steps: Annotated[dict[str, RefineStage], Field(min_length=1)]

    def reads(self) -> dict[str, str]:
        """Return the order of the steps, which the store's key does not contain otherwise."""
        return {"order": ", ".join(self.steps)}

    def __call__(self, given: RefineInput, *, seed: int, folder: Path | None = None) -> RefinedSet:
        """Return the decision on every candidate, in the order of the candidates."""
        decided: dict[int, Scored] = {}
        left: Sequence[int] = range(len(given.candidates))
        share = 0.0
        for name, step in self.steps.items():
            those = replace(given, candidates=tuple(given.candidates[i] for i in left))
            refined = step(those, seed=seed, folder=folder / name if folder is not None else None)
            decided |= {i: replace(s, reason=f"{name}: {s.reason}") for i, s in zip(left, refined.scored, strict=True)}
            left = [i for i in left if decided[i].kept]
            share = max(share, refined.pooled_share)
        return RefinedSet(scored=tuple(decided[i] for i in range(len(given.candidates))), pooled_share=share)
