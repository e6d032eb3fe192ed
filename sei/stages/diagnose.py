"""Diagnose: the instructor names the error of each bad case in a keyphrase (section 3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from sei.errors import TooManyBadRecordsError
from sei.outlook import Estimate, Outlook
from sei.parts import part
from sei.ports import Instructor
from sei.records import BadCase, Diagnosis, Keyphrase, refusals, require_pool
from sei.returned import diagnosed


@part
class Diagnose:
    """One diagnosis per bad case, stored row by row, so that nothing is asked twice."""

    identity: ClassVar[str] = "stage/diagnose"
    version: ClassVar[int] = 1
    row_type: ClassVar[Any] = Diagnosis
    instructor: Instructor

    def __call__(self, *, items: Sequence[BadCase], done: frozenset[int]) -> Iterator[tuple[int, Diagnosis]]:
        """Yield (index, diagnosis) for every bad case that is not in ``done``.

        Raises:
            RoleError: if a dev or test problem is among the cases.
        """
        require_pool(tuple(c.problem for c in items), "diagnose")
        missing = [i for i in range(len(items)) if i not in done]
        yield from zip(missing, diagnosed(self.instructor, [items[i] for i in missing]), strict=True)

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return one request per bad case."""
        return outlook.diagnosis(self.instructor, outlook.bad)


class RefusedDiagnosesError(TooManyBadRecordsError):
    """Too many diagnoses were refused. ``diagnoses`` are all those of round ``number``, to be saved for inspection."""

    def __init__(self, message: str, diagnoses: tuple[Diagnosis, ...], number: int) -> None:
        super().__init__(message)
        self.diagnoses, self.number = diagnoses, number


def keyphrases(diagnoses: tuple[Diagnosis, ...], max_fail_share: float, number: int) -> tuple[Keyphrase, ...]:
    """Return the keyphrases of all diagnoses of round ``number`` that have one.

    Raises:
        RefusedDiagnosesError: if a share of more than ``max_fail_share`` was refused.
    """
    found = tuple(d.keyphrase for d in diagnoses if d.keyphrase is not None)
    refused = [d.rejection for d in diagnoses if d.rejection is not None]
    if diagnoses and len(refused) / len(diagnoses) > max_fail_share:
        raise RefusedDiagnosesError(
            f"{len(refused)} of {len(diagnoses)} diagnoses were refused, more than "
            f"method.max_fail_share={max_fail_share} ({refusals(refused)}). Remedy: fix the causes named here "
            f"(all refusals are in round_{number}/diagnoses.jsonl of the run folder), or raise method.max_fail_share.",
            diagnoses,
            number,
        )
    return found
