"""Attempt: the target model answers problems (section 3.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from sei.exchange import Draw
from sei.models.target import TargetModel
from sei.opened import Engine, Sampled, Sampling, Serving
from sei.parts import part
from sei.prompts import asked
from sei.records import Attempt, Checkpoint, HeldOutProblem, PoolProblem
from sei.returned import answered


@part
class Attempts:
    """Answers of one checkpoint, stored row by row: one greedy answer per problem, or several sampled ones."""

    identity: ClassVar[str] = "stage/attempt"
    version: ClassVar[int] = 2
    row_type: ClassVar[Any] = Attempt
    target: TargetModel
    engine: Engine

    @property
    def samples(self) -> int:
        """Return the number of answers per problem."""
        return self.engine.samples if isinstance(self.engine, Sampled) else 1

    @property
    def temperature(self) -> float:
        """Return the sampling temperature, 0 for greedy answers."""
        return self.engine.temperature if isinstance(self.engine, Sampled) else 0.0

    def preflight(self) -> None:
        """Refuse an engine that cannot serve the target model."""
        if isinstance(self.engine, Serving):
            self.engine.require_served(self.target)

    def __call__(
        self, checkpoint: Checkpoint, *, items: Sequence[PoolProblem | HeldOutProblem | Draw], done: frozenset[int]
    ) -> Iterator[tuple[int, Attempt]]:
        """Yield (index, attempt) for every problem or draw that is not in ``done``."""
        own = tuple(x.seed for x in items if isinstance(x, Draw))
        sampling = Sampling(self.temperature, 0, own) if own else None
        problems = [x.problem if isinstance(x, Draw) else x for x in items]
        numbers = [x.sample if isinstance(x, Draw) else 0 for x in items]
        with self.engine.open(self.target, checkpoint) as opened:
            prompts = opened.prompts([asked(p.question, p.options) for p in problems])
            for i, text, finished, fault in answered(self.engine, opened, prompts, done, "attempts", sampling):
                yield i, Attempt(problem=problems[i], output=text, finished=finished, fault=fault, sample=numbers[i])
