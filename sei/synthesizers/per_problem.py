"""Shared by baselines that write from one problem at a time. The method itself writes from an error type."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

from sei.errors import ConfigError
from sei.exchange import EMBEDDED_TASKS, Draft, Reply, SynthesisRequest, Task
from sei.outlook import Estimate, Outlook
from sei.ports import Grader, Instructor, Screen
from sei.records import (
    BadCase,
    ErrorMap,
    PoolProblem,
    Problem,
    Synthesis,
    SyntheticExample,
    require_pool,
)
from sei.stages.harvest import Harvest, Sieve, in_waves
from sei.stages.synthesize import Budget

_DRY = 3  # a start is given up after this many requests in a row without a kept problem


@dataclass(frozen=True, kw_only=True)
class Start:
    """A problem to write new ones from. ``error_type`` groups the candidates for refinement only.

    ``output`` is the wrong attempt if the problem is a bad case.
    """

    problem: PoolProblem
    error_type: str
    output: str = ""


@runtime_checkable
class PerProblem(Protocol):
    """A synthesizer that writes from one problem at a time."""

    @property
    def instructor(self) -> Instructor:
        """The instructor to ask."""
        ...

    @property
    def budget(self) -> Budget:
        """The number of candidates wanted."""
        ...

    def each(self, starts: int) -> int:
        """Return how many problems one request asks for, given the number of starts."""
        ...

    def request(
        self, start: Start, made: Sequence[SyntheticExample], index: int, n: int, seed: int
    ) -> SynthesisRequest:
        """Return request number ``index`` for a start. ``made`` are the problems kept from it so far."""
        ...


def require_tasks(instructor: Instructor, tasks: Sequence[Task], option: str, instead: str) -> None:
    """Refuse an instructor that cannot do the tasks of a synthesizer.

    Raises:
        ConfigError: names the option, the missing tasks and the alternatives.
    """
    missing = [t for t in tasks if t not in getattr(instructor, "TASKS", EMBEDDED_TASKS)]
    if missing:
        raise ConfigError(
            f"{option} asks its instructor for {', '.join(missing)}, but instructor is {type(instructor).__name__}, "
            f"which cannot do that. Rule: rewriting and comparing problems takes a language model. Remedy: "
            f"instructor=gpt4o, instructor=openai_compatible, or {instead}."
        )


def bad_starts(error_map: ErrorMap) -> list[Start]:
    """Return the bad cases of the exemplar part. Validation cases are never starts."""
    found = [Start(problem=c.problem, error_type=t.name, output=c.output) for t in error_map.types for c in t.exemplars]
    require_pool(tuple(s.problem for s in found), "synthesize")
    return found


def pool_starts(error_map: ErrorMap, pool: Sequence[PoolProblem]) -> list[Start]:
    """Return the whole pool, solved or not, without this round's validation cases."""
    require_pool(tuple(pool), "synthesize")
    validation = {b.problem.id for t in error_map.types for b in t.validation}
    return [Start(problem=p, error_type="pool") for p in pool if p.id not in validation]


def questions(error_map: ErrorMap) -> list[str]:
    """Return the questions of all bad cases, for comparison with new problems."""
    cases: list[BadCase] = [b for t in error_map.types for b in (*t.exemplars, *t.validation)]
    return [c.problem.question for c in cases]


class _Starts:
    """Chooses which starts to ask next: those with the fewest problems first."""

    def __init__(
        self, writer: PerProblem, starts: Sequence[Start], harvest: Harvest, most: int | None, seed: int
    ) -> None:
        self.writer, self.starts, self.harvest, self.most, self.seed = writer, starts, harvest, most, seed
        self.of = {s.problem.id: s for s in starts}
        self.total, self.n = writer.budget.total, writer.each(len(starts))
        self._limit = writer.budget.max_requests * max(1, self.total / self.n)
        self._rng = random.Random(f"from one/{seed}/{harvest.round}")

    def wave(self) -> list[tuple[str, SynthesisRequest]]:
        """Return the next requests, with ties between starts broken at random. An empty list ends the round."""
        missing = self.total - self.harvest.kept
        if missing <= 0 or self.harvest.asked.total() >= self._limit:
            return []
        made = self.harvest.made
        still = [o for o in self.of if self.harvest.dry[o] < _DRY and (self.most is None or len(made[o]) < self.most)]
        by_lot = self._rng.sample(still, len(still))
        return [(o, self._request(o)) for o in sorted(by_lot, key=lambda o: len(made[o]))[: -(-missing // self.n)]]

    def room(self, owner: str) -> int:
        """Return how many more problems of a start may be kept."""
        left = self.total - self.harvest.kept
        return left if self.most is None else min(left, self.most - len(self.harvest.made[owner]))

    def _request(self, owner: str) -> SynthesisRequest:
        self.harvest.asked[owner] += 1
        index = self.harvest.asked[owner]
        return self.writer.request(self.of[owner], self.harvest.made[owner], index, self.n, self.seed)


def write_from_each(
    writer: PerProblem,
    starts: Sequence[Start],
    known: Sequence[str],
    screen: Screen,
    round: int,
    seed: int,
    *,
    rouge_l: float,
    most: int | None = None,
    grader: Grader | None = None,
) -> Synthesis:
    """Ask for problems from each start in waves until the budget is filled or all starts are given up.

    A draft with a ROUGE-L above ``rouge_l`` to a ``known`` question or another draft is dropped. At most ``most``
    problems per start are kept (``None``: as many as the budget needs). ``grader`` compares answers with expected ones.

    Raises:
        TooManyBadRecordsError: if round 1 had starts and kept nothing.
    """
    sieve = Sieve(known, screen, rouge_l)
    harvest = Harvest([s.problem.id for s in starts], sieve, round)
    asked = _Starts(writer, starts, harvest, most, seed)

    def take(owner: str, request: SynthesisRequest, reply: Reply) -> int:
        reason = partial(_reason, request=request, sieve=sieve, grader=grader)
        return harvest.take(owner, asked.of[owner].error_type, reply, asked.room(owner), reason)

    in_waves(writer.instructor, asked.total, asked.wave, take)
    remedy = "a larger pool, synthesizer.rouge_l or near_duplicate nearer to 1"
    return harvest.synthesis(wanted=bool(starts), remedy=remedy)


def estimated(writer: PerProblem, outlook: Outlook) -> Estimate:
    """Estimate the requests of ``write_from_each``, with bad cases as sample starts."""
    n = writer.each(round(outlook.exemplars))
    starts = [Start(problem=c.problem, error_type=outlook.phrase, output=c.output) for c in outlook.cases]
    samples = [writer.request(s, (), i, n, 0) for i, s in enumerate(starts)]
    total = writer.budget.total
    return outlook.synthesis(writer.instructor, samples, total / (n * outlook.keep), n, total)


def _reason(draft: Draft, request: SynthesisRequest, sieve: Sieve, grader: Grader | None) -> str | None:
    if request.expected and grader is not None:
        posed = Problem(id="draft", question=draft.question, answer=request.expected, options=draft.options)
        if grader.grade(posed, f"#### {draft.answer}").verdict != "right":
            return "answer_changed"
    return sieve.reason(draft)
