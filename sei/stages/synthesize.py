"""Synthesize: write new problems per error type by self-instruct (section 3.2), then screen and count them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import Field

from sei.exchange import Claim, Exemplar, Reply, SynthesisRequest
from sei.outlook import Estimate, Outlook
from sei.parts import part
from sei.ports import Instructor, Screen
from sei.records import (
    BadCase,
    ErrorMap,
    PoolProblem,
    Synthesis,
    SyntheticExample,
    require_pool,
)
from sei.stages.harvest import Harvest, Sieve, in_waves

Source = tuple[str, tuple[Exemplar, ...], int]  # name, exemplars to draw from, quota


@part
class Budget:
    """The number of ``candidates`` after screening, and how to ask for them.

    ``scale`` multiplies ``candidates``. Types share them in proportion to size ** (1 - ``balance``): 0 is proportional
    as in the paper, 1 gives rare types as many as common ones. ``floor``: the fewest candidates per type.
    ``per_request``: problems per request. ``bad`` and ``generated``: exemplars per request, bad cases of the type and
    problems already made for it (at first all are bad cases). ``rouge_l``: drafts above this ROUGE-L to a known or new
    question are dropped. ``max_requests``: asking stops at this multiple of the requests needed without losses.
    ``requests_at_once``: requests of one type that are sent together. More keep a remote instructor busy, but each sees
    fewer of the problems already made.
    """

    identity: ClassVar[str] = "synthesizer/budget"
    version: ClassVar[int] = 1
    candidates: Annotated[int, Field(ge=1)] = 400
    scale: Annotated[float, Field(gt=0, le=100)] = 1
    floor: Annotated[int, Field(ge=0)] = 0
    balance: Annotated[float, Field(ge=0, le=1)] = 0.0
    per_request: Annotated[int, Field(ge=1, le=100)] = 20
    bad: Annotated[int, Field(ge=1, le=50)] = 5
    generated: Annotated[int, Field(ge=0, le=50)] = 3
    rouge_l: Annotated[float, Field(gt=0, le=1)] = 0.7
    max_requests: Annotated[float, Field(ge=1)] = 20.0
    requests_at_once: Annotated[int, Field(ge=1, le=10_000)] = 1

    @property
    def total(self) -> int:
        """The number of candidates after screening, per round."""
        return round(self.candidates * self.scale)

    def share_out(self, sizes: Sequence[int]) -> list[int]:
        """Divide the budget by type size with no type below the floor. The largest remainders are rounded up."""
        if not sizes or not sum(sizes):
            return [0] * len(sizes)
        floor = min(self.floor, self.total // len(sizes))
        rest = self.total - floor * len(sizes)
        weights = [s ** (1 - self.balance) if s else 0.0 for s in sizes]
        exact = [rest * w / sum(weights) for w in weights]
        out = [floor + int(x) for x in exact]
        by_remainder = sorted(range(len(sizes)), key=lambda i: (int(exact[i]) - exact[i], i))
        for i in by_remainder[: self.total - sum(out)]:
            out[i] += 1
        return out


def exemplars(problems: Sequence[PoolProblem]) -> tuple[Exemplar, ...]:
    """Return the exemplars made from pool problems.

    Raises:
        RoleError: for problems of another role.
    """
    require_pool(tuple(problems), "synthesize")
    return tuple(map(exemplar, problems))


def exemplar(x: PoolProblem | SyntheticExample) -> Exemplar:
    """Return the exemplar made from one problem."""
    answer = x.answer if x.options else ""
    return Exemplar(id=x.id, question=x.question, solution=x.solution, options=x.options, answer=answer)


def _questions(cases: Sequence[BadCase]) -> list[str]:
    return [c.problem.question for c in cases]


def synthesize(
    instructor: Instructor,
    budget: Budget,
    sources: Sequence[Source],
    known: Sequence[str],
    screen: Screen,
    round: int,
    seed: int,
    contexts: tuple[Sequence[Exemplar], int] = ((), 0),
    claim: Claim = "named",
) -> Synthesis:
    """Ask in waves until every quota is met. The rest of a type that is given up goes to another type.

    ``contexts``: problems, and how many of them to add to every request. With contexts the task is ``combine``.
    ``claim``: what every request says of its exemplars.
    """
    harvest = Harvest([name for name, _, _ in sources], Sieve(known, screen, budget.rouge_l), round)
    quotas = _Quotas(budget, sources, harvest, seed, contexts, claim)
    total = sum(quotas.quota.values())
    in_waves(instructor, total, quotas.wave, quotas.take)
    remedy = "a larger pool, budget.max_requests, or near_duplicate nearer to 1"
    return harvest.synthesis(wanted=bool(sources and total), remedy=remedy)


def claim_of(error_map: ErrorMap) -> Claim:
    """Return what requests may say of the exemplars of these types."""
    return "unnamed" if any(t.unnamed for t in error_map.types) else "named"


def estimated(
    instructor: Instructor, budget: Budget, outlook: Outlook, contexts: int = 0, claim: Claim | None = None
) -> Estimate:
    """Estimate the requests of ``synthesize`` with ``contexts`` contexts per request, and its ``claim``."""
    claim = claim or ("unnamed" if outlook.unnamed else "named")
    n, many = budget.per_request, budget.bad + budget.generated
    samples = [
        SynthesisRequest(
            error_type=outlook.phrase,
            exemplars=exemplars(shown[:many]),
            n=n,
            index=i,
            seed=0,
            task="combine" if contexts else "error_type",
            contexts=exemplars(shown[many:]),
            claim=claim,
        )
        for i, shown in enumerate(outlook.drawn(many + contexts))
    ]
    asked = budget.total / (n * outlook.keep)
    if not outlook.keep_observed:
        asked += outlook.types / 2  # a type's last request asks for more than it needs
    return outlook.synthesis(instructor, samples, asked, n, budget.total)


_DRY = (3, 20)  # a type is given up after 3 empty replies while others still yield, after at most 20 otherwise


class _Quotas:
    """The quotas of all error types during synthesis."""

    def __init__(
        self,
        budget: Budget,
        sources: Sequence[Source],
        harvest: Harvest,
        seed: int,
        contexts: tuple[Sequence[Exemplar], int],
        claim: Claim,
    ) -> None:
        self.budget, self.sources, self.contexts, self.claim = budget, sources, contexts, claim
        self.harvest, self.seed = harvest, seed
        self.quota = {name: q for name, _, q in sources}
        # if no type yields: enough requests to show all exemplars once, as a few bad replies say little of a large type
        shown = budget.bad + budget.generated
        self._patience = {name: min(-(-len(given) // shown), _DRY[1]) for name, given, _ in sources if given}
        self._limit = budget.max_requests * max(1, budget.total / budget.per_request)
        self._rng = random.Random(f"synthesize/{seed}/{harvest.round}")

    def wave(self) -> list[tuple[str, SynthesisRequest]]:
        """Return the next requests, for types that lack candidates and still yield. An empty list ends the round."""
        self._pass_on()
        if self.harvest.kept >= sum(self.quota.values()) or self.harvest.asked.total() >= self._limit:
            return []
        return [
            (name, self._in_contexts(self._request(name, exemplars)))
            for name, exemplars, _ in self.sources
            if (short := self._room(name)) > 0 and not self._is_dry(name) and exemplars
            for _ in range(min(self.budget.requests_at_once, -(-short // self.budget.per_request)))
        ]

    def take(self, name: str, _: SynthesisRequest, reply: Reply) -> int:
        """Keep the drafts that pass the sieve and fit the type's quota, and return their number."""
        return self.harvest.take(name, name, reply, self._room(name), self.harvest.sieve.reason)

    def _room(self, name: str) -> int:
        return self.quota[name] - len(self.harvest.made[name])

    def _pass_on(self) -> None:
        """Move the rest of the quota of given-up types to the type with the largest quota that still yields."""
        alive = [n for n in self.quota if not self._is_dry(n)]
        for name in self.quota:
            short = self._room(name)
            if self._is_dry(name) and short > 0 and alive:
                self.quota[name] -= short
                self.quota[max(alive, key=lambda n: self.quota[n])] += short

    def _is_dry(self, name: str) -> bool:
        dry = self.harvest.dry
        if dry[name] < _DRY[0]:
            return False
        others_give = any(dry[n] < _DRY[0] for n in self._patience)
        return others_give or dry[name] >= self._patience.get(name, 0)

    def _request(self, name: str, exemplars: Sequence[Exemplar]) -> SynthesisRequest:
        budget, made = self.budget, self.harvest.made[name]
        generated = budget.generated if len(made) >= budget.generated else 0
        bad = budget.bad + budget.generated - generated
        chosen = self._rng.sample(list(exemplars), min(bad, len(exemplars)))
        own = self._rng.sample(made, generated)
        chosen += map(exemplar, own)
        self.harvest.asked[name] += 1
        index = self.harvest.asked[name]
        return SynthesisRequest(
            error_type=name,
            exemplars=tuple(chosen),
            n=budget.per_request,
            index=index,
            seed=self.seed,
            claim=self.claim,
        )

    def _in_contexts(self, request: SynthesisRequest) -> SynthesisRequest:
        """Return the request with drawn contexts. None of them is one of its exemplars."""
        shown = {e.id for e in request.exemplars}
        free = [c for c in self.contexts[0] if c.id not in shown]
        if not free or not self.contexts[1]:
            return request
        drawn = self._rng.sample(free, min(self.contexts[1], len(free)))
        return replace(request, task="combine", contexts=tuple(drawn))
