"""Evol-Instruct: problems of the pool, made harder or easier."""

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

    Kept: problems of the whole pool, right or wrong, are evolved upwards (one more condition, something general
    made particular, or more steps) or downwards (an easier version, or an easier problem of another topic), in a
    direction drawn anew each time; a later evolution starts from the one before, ``turns`` deep, then anew.
    Left out: the reward models of instructions and of steps with the reinforcement learning on them, the re-written
    solutions of the first fine-tune, the number of evolutions (cut to the budget).
    Nothing is known of an evolved problem's answer: ``instructor.verify`` and ``instructor.agreement`` check it
    as they do for every other synthesizer that asks.

    Raises:
        ConfigError: with an instructor that cannot evolve problems, such as the embedded ones.
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
        """Return the one problem that a request asks for."""
        return 1

    def request(
        self, start: Start, made: Sequence[SyntheticExample], index: int, n: int, seed: int
    ) -> SynthesisRequest:
        """Return the request for the next evolution of a problem, or of what was kept of it last."""
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
            RoleError: when a problem is none of the pool.
            TooManyBadRecordsError: when round 1 kept nothing.
        """
        starts = pool_starts(error_map, pool)
        known = [s.problem.question for s in starts]
        return write_from_each(self, starts, known, screen, round, seed, rouge_l=self.rouge_l)

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return the requests that fill the budget, a start each."""
        return estimated(self, outlook)
