"""Diagnose: the instructor names the error of each bad case in a keyphrase (section 3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from sei.parts import part
from sei.ports import Instructor
from sei.records import BadCase, Diagnosis, require_pool


@part
class Diagnose:
    """One diagnosis per bad case, kept row by row, so that nothing is asked for twice."""

    identity: ClassVar[str] = "stage/diagnose"
    version: ClassVar[int] = 1
    row_type: ClassVar[Any] = Diagnosis
    instructor: Instructor

    def __call__(self, *, items: Sequence[BadCase], done: frozenset[int]) -> Iterator[tuple[int, Diagnosis]]:
        """Yield (index, diagnosis) for every bad case that is not done.

        Raises:
            RoleError: when a dev or test problem is among the cases.
        """
        require_pool(tuple(c.problem for c in items), "diagnose")
        missing = [i for i in range(len(items)) if i not in done]
        yield from zip(missing, self.instructor.diagnose([items[i] for i in missing]), strict=True)
