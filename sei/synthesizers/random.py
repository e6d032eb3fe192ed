"""The control: synthesis from random exemplars, solved or not."""

from __future__ import annotations

from typing import ClassVar

from sei.outlook import Estimate, Outlook
from sei.parts import part
from sei.ports import Instructor, Screen
from sei.records import (
    ErrorMap,
    PoolProblem,
    Synthesis,
    require_pool,
)
from sei.stages.synthesize import Budget, _questions, estimated, exemplars, synthesize


@part
class RandomSynthesis:
    """The control: exemplars are drawn from the whole pool, solved or not, without validation cases."""

    identity: ClassVar[str] = "synthesizer/random"
    version: ClassVar[int] = 5
    instructor: Instructor
    budget: Budget

    def __call__(
        self, error_map: ErrorMap, pool: tuple[PoolProblem, ...], screen: Screen, round: int, *, seed: int
    ) -> Synthesis:
        """Return as many candidates as self-instruct would, from random exemplars."""
        require_pool(pool, "synthesize")
        cases = [b for t in error_map.types for b in (*t.exemplars, *t.validation)]
        validation = {b.problem.id for t in error_map.types for b in t.validation}
        free = [p for p in pool if p.id not in validation]
        sources = [("random", exemplars(free), self.budget.total)]
        shown = [*_questions(cases), *(p.question for p in free)]  # new problems must not repeat what they were shown
        return synthesize(self.instructor, self.budget, sources, shown, screen, round, seed, claim="random")

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return the requests that fill the budget."""
        return estimated(self.instructor, self.budget, outlook, claim="random")
