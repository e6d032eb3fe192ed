"""What baselines share that write new problems from one problem at a time, where the method starts from a type."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from sei.errors import ConfigError, TooManyBadRecordsError
from sei.outlook import Estimate, Outlook
from sei.ports import EMBEDDED_TASKS, Draft, Grader, Instructor, Reply, Screen, SynthesisRequest, Task
from sei.progress import progress
from sei.records import (
    BadCase,
    ErrorMap,
    PoolProblem,
    Problem,
    Rejection,
    Synthesis,
    SyntheticExample,
    Usage,
    require_pool,
)
from sei.stages.synthesize import Budget, Sieve, example

_DRY = 3  # requests in a row without a kept problem after which nothing more is asked of a start


@dataclass(frozen=True, kw_only=True)
class Start:
    """One problem that new ones are written from. ``error_type`` files the candidates for refinement only.

    ``output`` is the wrong attempt, where the problem is a bad case.
    """

    problem: PoolProblem
    error_type: str
    output: str = ""


@runtime_checkable
class FromOne(Protocol):
    """A synthesizer that writes from one problem at a time."""

    @property
    def instructor(self) -> Instructor:
        """Who is asked."""
        ...

    @property
    def budget(self) -> Budget:
        """How many candidates are wanted."""
        ...

    def each(self, starts: int) -> int:
        """Return how many problems one request asks for, where there are so many starts."""
        ...

    def request(
        self, start: Start, made: Sequence[SyntheticExample], index: int, n: int, seed: int
    ) -> SynthesisRequest:
        """Return the request number ``index`` for a start; ``made`` is what was kept of it so far."""
        ...


def require_tasks(instructor: Instructor, tasks: Sequence[Task], option: str, instead: str) -> None:
    """Refuse an instructor that cannot do what a synthesizer asks.

    Raises:
        ConfigError: naming the option, the tasks that are missing and what to choose instead.
    """
    missing = [t for t in tasks if t not in getattr(instructor, "TASKS", EMBEDDED_TASKS)]
    if missing:
        raise ConfigError(
            f"{option} asks its instructor for {', '.join(missing)}, but instructor is {type(instructor).__name__}, "
            f"which cannot do that. Rule: rewriting and comparing problems takes a language model. Remedy: "
            f"instructor=gpt4o, instructor=openai_compatible, or {instead}."
        )


def bad_starts(error_map: ErrorMap) -> list[Start]:
    """Return the exemplar part of all bad cases; validation cases are never started from."""
    found = [Start(problem=c.problem, error_type=t.name, output=c.output) for t in error_map.types for c in t.exemplars]
    require_pool(tuple(s.problem for s in found), "synthesize")
    return found


def pool_starts(error_map: ErrorMap, pool: Sequence[PoolProblem]) -> list[Start]:
    """Return the whole pool whatever the verdict, less this round's validation cases."""
    require_pool(tuple(pool), "synthesize")
    validation = {b.problem.id for t in error_map.types for b in t.validation}
    return [Start(problem=p, error_type="pool") for p in pool if p.id not in validation]


def questions(error_map: ErrorMap) -> list[str]:
    """Return the questions of all bad cases, with which new problems are compared."""
    cases: list[BadCase] = [b for t in error_map.types for b in (*t.exemplars, *t.validation)]
    return [c.problem.question for c in cases]


@dataclass(kw_only=True)
class _Asked:
    """What is known of the starts while they are asked: kept problems, requests, requests in vain, refusals."""

    starts: Sequence[Start]
    total: int
    most: int | None
    round: int
    rng: random.Random
    rejections: list[Rejection] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    kept: int = 0

    def __post_init__(self) -> None:
        self.made: dict[str, list[SyntheticExample]] = {s.problem.id: [] for s in self.starts}
        self.requests: Counter[str] = Counter()
        self.dry: Counter[str] = Counter()

    def wave(self, n: int) -> list[Start]:
        """Return the starts to ask next for ``n`` each: those with the fewest problems, by lot where they tie."""
        still = [
            s
            for s in self.starts
            if self.dry[s.problem.id] < _DRY and (self.most is None or len(self.made[s.problem.id]) < self.most)
        ]
        by_lot = self.rng.sample(still, len(still))
        return sorted(by_lot, key=lambda s: len(self.made[s.problem.id]))[: -(-(self.total - self.kept) // n)]

    def ask(self, writer: FromOne, start: Start, n: int, seed: int) -> SynthesisRequest:
        self.requests[start.problem.id] += 1
        return writer.request(start, self.made[start.problem.id], self.requests[start.problem.id], n, seed)

    def take(self, start: Start, request: SynthesisRequest, reply: Reply, sieve: Sieve, grader: Grader | None) -> None:
        """Keep what fits and count the rest under its reason."""
        name, made = start.problem.id, self.made[start.problem.id]
        before = len(made)
        self.rejections += reply.rejections
        self.usage += reply.usage
        for draft in reply.drafts:
            full = self.kept >= self.total or len(made) == self.most
            reason = "over_quota" if full else _reason(draft, request, sieve, grader)
            if reason is None:
                made.append(example(draft, start.error_type, self.round))
                self.kept += 1
                continue
            detail = "" if full else draft.question[:300]
            self.rejections.append(Rejection(stage="synthesize", reason=reason, subject=name, detail=detail))
        self.dry[name] = 0 if len(made) > before else self.dry[name] + 1


def write_from_each(
    writer: FromOne,
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
    """Ask for problems from each start in waves until the budget is filled or no start gives more.

    ``rouge_l`` is where a draft is too near to a ``known`` question or another draft; ``most`` problems are kept
    of a start (``None``: as many as the budget needs); ``grader`` compares answers with expected ones.

    Raises:
        TooManyBadRecordsError: when round 1 had starts and nothing was kept.
    """
    total, n = writer.budget.total, writer.each(len(starts))
    rng = random.Random(f"from one/{seed}/{round}")
    asked = _Asked(starts=starts, total=total, most=most, round=round, rng=rng)
    sieve = Sieve(known, screen, rouge_l)
    limit = writer.budget.max_requests * max(1, total / n)
    with progress("synthesis", total) as advance:
        while asked.kept < total and asked.requests.total() < limit and (wave := asked.wave(n)):
            before = asked.kept
            requests = [asked.ask(writer, s, n, seed) for s in wave]
            replies = list(writer.instructor.write(requests))
            sieve.look_at([d for r in replies for d in r.drafts])
            for start, request, reply in zip(wave, requests, replies, strict=True):
                asked.take(start, request, reply, sieve, grader)
            advance(asked.kept - before)
    candidates = tuple(x for made in asked.made.values() for x in made)
    if starts and not candidates and round == 1:  # in later rounds: nothing left to learn from
        reasons = Counter(r.reason for r in asked.rejections).most_common(3)
        raise TooManyBadRecordsError(
            f"synthesis kept nothing of {asked.requests.total()} requests; reasons: {reasons}. Remedy: a larger pool, "
            "synthesizer.rouge_l or near_duplicate nearer to 1."
        )
    return Synthesis(candidates=candidates, rejections=tuple(asked.rejections), usage=asked.usage)


def estimated(writer: FromOne, outlook: Outlook) -> Estimate:
    """Return what ``write_from_each`` would ask, bad cases standing for whatever is started from."""
    n = writer.each(round(outlook.exemplars))
    starts = [Start(problem=c.problem, error_type=outlook.phrase, output=c.output) for c in outlook.cases]
    samples = [writer.request(s, (), i, n, 0) for i, s in enumerate(starts)]
    total = writer.budget.total
    return outlook.synthesis(writer.instructor, samples, total / (n * outlook.keep), n, total)


def _reason(draft: Draft, request: SynthesisRequest, sieve: Sieve, grader: Grader | None) -> str | None:
    if request.expected and grader is not None:
        posed = Problem(id="draft", question=draft.question, answer=request.expected)
        if grader.grade(posed, f"#### {draft.answer}").verdict != "right":
            return "answer_changed"
    return sieve.reason(draft)
