"""What a refiner is given and gives: a number for every candidate. Who is kept is decided by ``sei.stages.refine``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sei.prompts import asked
from sei.records import BadCase, Checkpoint, PoolProblem, SyntheticExample
from sei.store.journal import Journal


@dataclass(frozen=True, kw_only=True)
class Validation:
    """The bad cases that candidates of a type are scored on.

    ``cases``: by the name of a type with enough of its own, and the round's pooled ones under "". ``pooled_share``: of
    types that use the pooled ones. No case was an exemplar of any type: synthesis has not seen it.
    """

    cases: dict[str, list[BadCase]]
    pooled_share: float = 0.0

    @property
    def empty(self) -> bool:
        """Whether no type of the round has a validation case."""
        return not self.cases.get("")

    def name(self, candidate: SyntheticExample) -> str:
        """Return the name under which a candidate's cases stand."""
        return candidate.error_type if candidate.error_type in self.cases else ""

    def pairs(self, candidate: SyntheticExample) -> list[tuple[str, str]]:
        """Return (question, reference solution) of a candidate's cases."""
        return [pair_of(b.problem) for b in self.cases[self.name(candidate)]]


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """What a scorer sees: the candidates, the model, and the questions that they are tried on.

    ``validation`` has no cases for a scorer that asks for none (``Tested``). ``good``: solved problems that refinement
    may use. ``keep``: the fraction of every type that will be kept. ``seed``: of the stage and round.
    """

    checkpoint: Checkpoint
    examples: tuple[SyntheticExample, ...]
    validation: Validation
    good: tuple[PoolProblem, ...]
    keep: float
    seed: int


def pair_of(x: SyntheticExample | PoolProblem) -> tuple[str, str]:
    """Return the question as the model sees it, its options included, and the solution."""
    return asked(x.question, x.options), x.solution


@runtime_checkable
class Scorer(Protocol):
    """Gives every candidate a score; higher is better, and scores of different error types are never compared."""

    def scores(self, given: Candidates, kept: Journal) -> Sequence[float]:
        """Return a finite number per candidate, in order; ``kept`` holds values that an interrupted run made."""
        ...


@runtime_checkable
class Tested(Protocol):
    """A scorer that tries candidates on validation cases: at most so many of a type, pooled ones below the minimum."""

    @property
    def min_validation(self) -> int:
        """Return how many cases a type needs to be scored on its own."""
        ...

    @property
    def max_validation(self) -> int:
        """Return how many cases are used at most."""
        ...


def by_type(candidates: Sequence[SyntheticExample]) -> dict[str, list[int]]:
    """Return the places of the candidates of every error type, in the order in which types first appear."""
    groups: dict[str, list[int]] = {}
    for i, c in enumerate(candidates):
        groups.setdefault(c.error_type, []).append(i)
    return groups


def kept_of_type(members: int, keep: float) -> int:
    """Return how many candidates of a type are in its top fraction: at least one."""
    return max(1, round(members * keep))
