"""The interface of refiners: a score for every candidate. ``sei.stages.refine`` decides which are kept."""

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

    ``cases``: by name of each type with enough of its own; the round's pooled cases are under "". ``pooled_share``: the
    share of types that use the pooled cases. No case was an exemplar of any type, so synthesis has not seen it.
    """

    cases: dict[str, list[BadCase]]
    pooled_share: float = 0.0

    @property
    def empty(self) -> bool:
        """Whether the round has no validation cases at all."""
        return not self.cases.get("")

    def name(self, candidate: SyntheticExample) -> str:
        """Return the key of a candidate's cases."""
        return candidate.error_type if candidate.error_type in self.cases else ""

    def pairs(self, candidate: SyntheticExample) -> list[tuple[str, str]]:
        """Return (question, reference solution) pairs of a candidate's cases."""
        return [pair_of(b.problem) for b in self.cases[self.name(candidate)]]


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """The input of a scorer: the candidates, the model, and the questions to test them on.

    ``validation``: empty for a scorer that needs none (see ``Tested``). ``good``: solved problems for refinement.
    ``keep``: the fraction of every type to keep. ``seed``: that of the stage and round.
    """

    checkpoint: Checkpoint
    examples: tuple[SyntheticExample, ...]
    validation: Validation
    good: tuple[PoolProblem, ...]
    keep: float
    seed: int


def pair_of(x: SyntheticExample | PoolProblem) -> tuple[str, str]:
    """Return the question as the model sees it, options included, and the solution."""
    return asked(x.question, x.options), x.solution


@runtime_checkable
class Scorer(Protocol):
    """Scores every candidate. Higher is better; scores of different error types are never compared."""

    def scores(self, given: Candidates, kept: Journal) -> Sequence[float]:
        """Return a finite number per candidate, in order; ``kept`` holds the values of an interrupted run."""
        ...


@runtime_checkable
class Tested(Protocol):
    """A scorer that tests candidates on validation cases, and its limits per type."""

    @property
    def min_validation(self) -> int:
        """Return how many cases a type needs; types with fewer use the pooled cases."""
        ...

    @property
    def max_validation(self) -> int:
        """Return the maximum number of cases."""
        ...


def by_type(candidates: Sequence[SyntheticExample]) -> dict[str, list[int]]:
    """Return the indices of the candidates by error type, types in order of first appearance."""
    groups: dict[str, list[int]] = {}
    for i, c in enumerate(candidates):
        groups.setdefault(c.error_type, []).append(i)
    return groups


def kept_of_type(members: int, keep: float) -> int:
    """Return how many candidates of a type are in its top fraction: at least one."""
    return max(1, round(members * keep))
