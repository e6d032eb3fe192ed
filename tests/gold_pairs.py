"""A synthesizer for tests, ``plugins=[tests]``: pool problems with their own solutions, two a round.

So a run of several rounds needs no teacher that writes usable problems.
"""

from __future__ import annotations

from sei.outlook import Estimate, Outlook
from sei.parts import part
from sei.ports import Screen
from sei.records import ErrorMap, PoolProblem, Synthesis, SyntheticExample


@part
class GoldPairs:
    """Two problems of the pool, others in every round."""

    def __call__(
        self, error_map: ErrorMap, pool: tuple[PoolProblem, ...], screen: Screen, round: int, *, seed: int
    ) -> Synthesis:
        name = error_map.types[0].name
        made = [
            SyntheticExample(
                id=f"gold-{p.id}",
                question=p.question,
                solution=p.solution,
                answer=p.answer,
                error_type=name,
                round=round,
            )
            for p in pool[2 * round : 2 * round + 2]
        ]
        return Synthesis(candidates=tuple(made))

    def estimate(self, outlook: Outlook) -> Estimate:
        return Estimate()
