"""Self-instruct for every error type (section 3.2)."""

from __future__ import annotations

from typing import ClassVar

from sei.outlook import Estimate, Outlook
from sei.parts import part
from sei.ports import Instructor, Screen
from sei.records import (
    ErrorMap,
    PoolProblem,
    Synthesis,
)
from sei.stages.synthesize import Budget, _questions, claim_of, estimated, exemplars, synthesize


@part
class SelfInstruct:
    """Writes problems per error type. Exemplars are bad cases of the type and problems already made for it."""

    identity: ClassVar[str] = "synthesizer/self_instruct"
    version: ClassVar[int] = 4
    instructor: Instructor
    budget: Budget

    def __call__(
        self, error_map: ErrorMap, pool: tuple[PoolProblem, ...], screen: Screen, round: int, *, seed: int
    ) -> Synthesis:
        """Return the candidates of a round. Problems that break the contract are counted as rejections."""
        quotas = self.budget.share_out([len(t.members) for t in error_map.types])
        sources = [
            (t.name, exemplars([b.problem for b in t.exemplars]), q)
            for t, q in zip(error_map.types, quotas, strict=True)
        ]
        cases = [b for t in error_map.types for b in (*t.exemplars, *t.validation)]
        claim = claim_of(error_map)
        return synthesize(self.instructor, self.budget, sources, _questions(cases), screen, round, seed, claim=claim)

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return the requests that fill the budget."""
        return estimated(self.instructor, self.budget, outlook)
