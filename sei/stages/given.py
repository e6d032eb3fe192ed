"""Attempts made elsewhere: outputs from a file replace the target model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar

from sei.exchange import Draw, Output
from sei.parts import IMMATERIAL, part
from sei.records import Attempt, Checkpoint, HeldOutProblem, PoolProblem
from sei.store import digest


@part
class GivenAttempts:
    """Answers each problem with its output from a file. No model is opened.

    ``outputs``: the output of every problem, by its id.
    """

    identity: ClassVar[str] = "stage/given_attempts"
    version: ClassVar[int] = 1
    row_type: ClassVar[Any] = Attempt
    outputs: Annotated[dict[str, Output], IMMATERIAL]  # in the key by ``reads``

    def reads(self) -> dict[str, str]:
        """Return the digest of all outputs."""
        return {"outputs": digest(self.outputs)}

    @property
    def checkpoint(self) -> Checkpoint:
        """Return a checkpoint that represents the unknown weights behind these outputs."""
        return Checkpoint(digest=digest("given", self.outputs))

    def __call__(
        self, checkpoint: Checkpoint, *, items: Sequence[PoolProblem | HeldOutProblem | Draw], done: frozenset[int]
    ) -> Iterator[tuple[int, Attempt]]:
        """Yield (index, attempt) for every problem that is not in ``done``."""
        for index, item in enumerate(items):
            problem = item.problem if isinstance(item, Draw) else item
            if index not in done:
                given = self.outputs[problem.id]
                yield index, Attempt(problem=problem, output=given.text, finished=given.finished)
