"""Attempt: the target model answers problems (section 3.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol, runtime_checkable

from sei.models.target import TargetModel
from sei.opened import OpenModel, Sampling
from sei.parts import part
from sei.prompts import asked
from sei.records import Attempt, Checkpoint, HeldOutProblem, PoolProblem


@runtime_checkable
class Engine(Protocol):
    """Generates answers with a model that it opens."""

    def open(self, target: TargetModel, checkpoint: Checkpoint) -> AbstractContextManager[OpenModel]:
        """Return a context in which a checkpoint can be asked."""
        ...

    def answer(
        self,
        opened: OpenModel,
        texts: Sequence[str],
        done: frozenset[int],
        what: str,
        sampling: Sampling | None = None,
    ) -> Iterator[Any]:
        """Yield (index, output, finished, fault) per rendered prompt that is not done; greedy without ``sampling``."""
        ...


@runtime_checkable
class Limited(Protocol):
    """An engine that says how far it generates, so that what generates without it can do likewise."""

    def limits(self) -> tuple[int, tuple[str, ...]]:
        """Return the cap on new tokens and the strings that end an answer."""
        ...


@runtime_checkable
class Serving(Protocol):
    """An engine whose program may not read every model."""

    def require_served(self, target: TargetModel) -> None:
        """Refuse a model that it cannot read."""
        ...


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
            for index, text, finished, fault in self.engine.answer(opened, prompts, done, "attempts"):
                yield index, Attempt(problem=items[index], output=text, finished=finished, fault=fault)
