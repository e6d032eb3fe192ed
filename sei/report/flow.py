"""Error types from round to round: what becomes of the bad cases of each type."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sei.records import RoundRecord

SOLVED, UNREADABLE, UNNAMED = "solved", "unreadable", "no keyphrase"
NOT_TYPES = (SOLVED, UNREADABLE, UNNAMED)


@dataclass(frozen=True, kw_only=True)
class TypeFlow:
    """What became of one error type's problems in the next round, by their error type there or verdict."""

    round: int
    error_type: str
    size: int
    goes_to: dict[str, int]

    @property
    def solved(self) -> float:
        """Return the share that the next round's checkpoint solves."""
        return self.goes_to.get(SOLVED, 0) / self.size


@dataclass(frozen=True, kw_only=True)
class Places:
    """The place of every pool problem (by id) at the start of a round: its error type, or why it has none."""

    round: int
    of: dict[str, str]


def places(record: RoundRecord) -> Places:
    """Return the places of the pool problems at the start of a round."""
    typed = {k.bad_case.problem.id: t.label for t in record.error_map.types for k in t.members}
    other = {"right": SOLVED, "wrong": UNNAMED, "unreadable": UNREADABLE}
    of = {g.attempt.problem.id: typed.get(g.attempt.problem.id, other[g.verdict]) for g in record.graded}
    return Places(round=record.round, of=of)


def flows(records: Sequence[RoundRecord]) -> tuple[TypeFlow, ...]:
    """Return the flow of every error type (and of problems without one) between consecutive rounds, largest first."""
    out: list[TypeFlow] = []
    for before, after in itertools.pairwise(records):
        was, now = places(before).of, places(after).of
        for name, size in Counter(was.values()).most_common():
            to = Counter(now[i] for i, place in was.items() if place == name)
            out.append(TypeFlow(round=before.round, error_type=name, size=size, goes_to=dict(to.most_common())))
    return tuple(out)


def grouped(column: dict[str, str], most: int) -> dict[str, str]:
    """Return the same places with all but the largest types renamed ``other types``."""
    sizes = Counter(place for place in column.values() if place not in NOT_TYPES)
    named = {name for name, _ in sizes.most_common(most)} | set(NOT_TYPES)
    return {i: place if place in named else "other types" for i, place in column.items()}
