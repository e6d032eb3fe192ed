"""Attempts that were made elsewhere: the outputs of a file in the place of a target model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar

from sei.exchange import Draw, Output
from sei.parts import IMMATERIAL, part
from sei.records import Attempt, Checkpoint, HeldOutProblem, PoolProblem
from sei.store import digest


@part
class GivenAttempts:
    """Answers each problem with the output that a file holds for it; no model is opened.

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
        """Return what stands for the unknown weights that gave these outputs."""
        return Checkpoint(digest=digest("given", self.outputs))

    def __call__(
        self, checkpoint: Checkpoint, *, items: Sequence[PoolProblem | HeldOutProblem | Draw], done: frozenset[int]
    ) -> Iterator[tuple[int, Attempt]]:
        """Yield (index, attempt) for every problem that is not done."""
        for index, item in enumerate(items):
            problem = item.problem if isinstance(item, Draw) else item
            if index not in done:
                given = self.outputs[problem.id]
                yield index, Attempt(problem=problem, output=given.text, finished=given.finished)
