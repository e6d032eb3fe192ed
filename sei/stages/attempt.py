"""Attempt: the target model answers problems (section 3.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from sei.models.target import TargetModel
from sei.opened import Engine, Serving
from sei.parts import part
from sei.prompts import asked
from sei.records import Attempt, Checkpoint, HeldOutProblem, PoolProblem
from sei.returned import answered


@part
class Attempts:
    """Greedy answers of one checkpoint, kept row by row."""

    identity: ClassVar[str] = "stage/attempt"
    version: ClassVar[int] = 2
    row_type: ClassVar[Any] = Attempt
    target: TargetModel
    engine: Engine

    def preflight(self) -> None:
        """Refuse an engine that cannot serve the target model."""
        if isinstance(self.engine, Serving):
            self.engine.require_served(self.target)

    def __call__(
        self, checkpoint: Checkpoint, *, items: Sequence[PoolProblem | HeldOutProblem], done: frozenset[int]
    ) -> Iterator[tuple[int, Attempt]]:
        """Yield (index, attempt) for every problem that is not done."""
        with self.engine.open(self.target, checkpoint) as opened:
            prompts = opened.prompts([asked(p.question, p.options) for p in items])
            for index, text, finished, fault in answered(self.engine, opened, prompts, done, "attempts"):
                yield index, Attempt(problem=items[index], output=text, finished=finished, fault=fault)
