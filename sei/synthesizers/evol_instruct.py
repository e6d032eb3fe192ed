"""Evol-Instruct: makes problems of the pool harder or easier."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from sei.exchange import SynthesisRequest, Task
from sei.outlook import Estimate, Outlook
from sei.parts import part
from sei.ports import Instructor, Screen
from sei.prompts import prompt_digest
from sei.records import ErrorMap, PoolProblem, Synthesis, SyntheticExample
from sei.stages.synthesize import Budget, exemplar, exemplars
from sei.synthesizers.learning_from_error import Near
from sei.synthesizers.per_problem import Start, estimated, pool_starts, require_tasks, write_from_each

_EVOLUTIONS: tuple[Task, ...] = ("evolve_upward", "evolve_downward")


@part
class EvolInstruct:
    """Evol-Instruct for mathematics as in WizardMath (Luo et al. 2023): harder and easier problems.

    Kept from the paper: problems of the whole pool, solved or not, are evolved upwards (one more condition, something
    general made specific, or more steps) or downwards (an easier version, or an easier problem on another topic). Each
    direction is drawn at random. An evolution starts from the previous one; after ``turns`` it starts again from the
    pool problem.
    Left out: the reward models for instructions and steps, the reinforcement learning on them, and the rewritten
    solutions of the first fine-tune. The number of evolutions is cut to the budget.
    The answer of an evolved problem is not known. ``instructor.verify`` and ``instructor.agreement`` check it, as for
    every synthesizer that asks an instructor.

    Raises:
        ConfigError: if the instructor cannot evolve problems. The embedded ones cannot.
    """

    identity: ClassVar[str] = "synthesizer/evol_instruct"
    version: ClassVar[int] = 1
    instructor: Instructor
    budget: Budget
    turns: Annotated[int, Field(ge=1, le=20)] = 8
    rouge_l: Near = 0.95

    def __post_init__(self) -> None:
        """Refuse an instructor that cannot evolve problems."""
        require_tasks(self.instructor, _EVOLUTIONS, "synthesizer=evol_instruct", "synthesizer=random")

    def reads(self) -> dict[str, str]:
        """Return digests of the prompt templates."""
        return {f"{t}.v1": prompt_digest(f"{t}.v1") for t in _EVOLUTIONS}

    def each(self, starts: int) -> int:
        """Return 1: a request asks for one problem."""
        return 1

    def request(
        self, start: Start, made: Sequence[SyntheticExample], index: int, n: int, seed: int
    ) -> SynthesisRequest:
        """Return the request for the next evolution of a problem, or of its last kept evolution."""
        (shown,) = exemplars([start.problem])
        if len(made) % self.turns:
            shown = exemplar(made[-1])
        task = random.Random(f"evolve/{seed}/{start.problem.id}/{index}").choice(_EVOLUTIONS)
        return SynthesisRequest(error_type=start.problem.id, exemplars=(shown,), n=n, index=index, seed=seed, task=task)

    def __call__(
        self, error_map: ErrorMap, pool: tuple[PoolProblem, ...], screen: Screen, round: int, *, seed: int
    ) -> Synthesis:
        """Return the candidates of a round.

        Raises:
            RoleError: if a problem is not of the pool.
            TooManyBadRecordsError: if round 1 kept nothing.
        """
        starts = pool_starts(error_map, pool)
        known = [s.problem.question for s in starts]
        return write_from_each(self, starts, known, screen, round, seed, rouge_l=self.rouge_l)

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return the requests that fill the budget, one per starting problem."""
        return estimated(self, outlook)
