"""What a part would ask of an instructor and of the target model, told before a run costs anything.

``estimate=true`` gives every part of the method that has an ``estimate`` the same outlook, and adds up what they say.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from sei.exchange import SynthesisRequest
from sei.parts import is_part, parts_in
from sei.ports import Instructor, Paid
from sei.prompts import asked
from sei.records import BadCase, PoolProblem


@runtime_checkable
class Shown(Protocol):
    """A request as it would be sent."""

    @property
    def kind(self) -> str:
        """Return what it is for, as the ledger has it."""
        ...

    @property
    def messages(self) -> tuple[tuple[str, str], ...]:
        """Return (role, text) pairs."""
        ...

    @property
    def chars(self) -> int:
        """Return the characters of its messages."""
        ...


@runtime_checkable
class Priced(Protocol):
    """Who is asked, and what that costs."""

    @property
    def priced(self) -> bool:
        """Say whether prices are known."""
        ...

    def usd(self, input_tokens: int, output_tokens: int) -> float:
        """Return the dollars that tokens cost."""
        ...


@runtime_checkable
class Remote(Paid, Priced, Protocol):
    """An instructor that costs something and shows what it would send."""

    @property
    def agreement(self) -> bool:
        """Say whether every problem that it writes is solved once more."""
        ...

    def keyphrase_request(self, case: BadCase) -> Shown:
        """Return the request for the keyphrase of a bad case."""
        ...

    def synthesis_request(self, r: SynthesisRequest) -> Shown:
        """Return the request for new problems."""
        ...

    def solve_request(self, question: str) -> Shown:
        """Return the request that a new problem's answer must agree with."""
        ...

    def correction_request(self, case: BadCase) -> Shown:
        """Return the request for a right solution of a bad case's question."""
        ...


@dataclass(frozen=True, kw_only=True)
class Asks:
    """Requests of one kind in one round: how many, some of them as they would be sent, and who is asked.

    ``items``: problems or phrases that one request asks for. ``label``: another name in the output than ``kind``.
    ``output_tokens``: of the reply, an item, where ``assume.output_tokens`` does not know the kind.
    """

    kind: str
    requests: float
    samples: Sequence[Shown]
    instructor: Priced
    items: float = 1.0
    label: str = ""
    output_tokens: float | None = None

    @property
    def name(self) -> str:
        """Return the name in the output."""
        return self.label or self.kind

    @property
    def chars(self) -> float:
        """Return the mean length of a request."""
        return sum(r.chars for r in self.samples) / max(1, len(self.samples))


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a part would do in one round.

    ``generates``: answers of the target model at most, by what they are for. ``candidates``: what a synthesizer hands
    on to refinement; ``None``: not known, or no synthesizer. ``unknown``: in words, what could not be told and why.
    """

    asks: tuple[Asks, ...] = ()
    generates: Mapping[str, float] = field(default_factory=dict)
    candidates: float | None = None
    unknown: str = ""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What is known or assumed of a round.

    ``pool``: problems in the pool. ``bad``: bad cases, of which synthesis sees ``exemplars``. ``cases``: a sample of
    them, or pool problems in their place. ``phrase``: a keyphrase of usual length. ``distinct``: share of keyphrases
    that differ. ``error_types``: of a round. ``keep``: share of the problems asked for that is kept, ``keep_observed``
    in an earlier run. ``written``: share of the problems asked for that comes back. ``candidates``: of synthesis; for
    parts that come after it. ``rng`` is where drawing goes on.
    """

    pool: int
    bad: float
    exemplars: float
    cases: tuple[BadCase, ...]
    phrase: str
    distinct: float
    error_types: float
    keep: float
    keep_observed: bool
    written: float
    rng: random.Random
    candidates: float | None = None

    @property
    def types(self) -> float:
        """Return how many error types there can be: no more than bad cases."""
        return min(max(1.0, self.bad), self.error_types)

    @property
    def problems(self) -> list[PoolProblem]:
        """Return the problems of the sample."""
        return [c.problem for c in self.cases]

    def drawn(self, n: int) -> list[list[PoolProblem]]:
        """Return ``n`` problems drawn together, once for every case of the sample; the same at every call."""
        rng, problems = copy.copy(self.rng), self.problems
        return [rng.sample(problems, min(n, len(problems))) for _ in problems]

    def diagnosis(self, instructor: object, requests: float) -> Estimate:
        """Return what an instructor is asked that diagnoses so many bad cases."""

        def asks(i: Remote) -> tuple[Asks, ...]:
            shown = [i.keyphrase_request(c) for c in self.cases]
            return (Asks(kind="keyphrase", requests=requests, samples=shown, instructor=i),)

        return _asking(instructor, asks)

    def synthesis(
        self, instructor: object, samples: Sequence[SynthesisRequest], requests: float, each: int, candidates: float
    ) -> Estimate:
        """Return what an instructor is asked that writes ``each`` problems a request, its own checks among it.

        ``candidates``: how many of them synthesis hands on.
        """

        def asks(i: Remote) -> tuple[Asks, ...]:
            shown = [i.synthesis_request(r) for r in samples]
            written = Asks(kind="problems", requests=requests, samples=shown, instructor=i, items=each)
            if not i.agreement:
                return (written,)
            solved = [i.solve_request(asked(p.question, p.options)) for p in self.problems]
            checks = requests * each * self.written
            return (written, Asks(kind="agreement", requests=checks, samples=solved, instructor=i))

        return _asking(instructor, asks, candidates)

    def correction(self, instructor: object, requests: float) -> Estimate:
        """Return what an instructor is asked that corrects so many bad cases."""

        def asks(i: Remote) -> tuple[Asks, ...]:
            shown = [i.correction_request(c) for c in self.cases]
            return (Asks(kind="correction", requests=requests, samples=shown, instructor=i),)

        return _asking(instructor, asks, requests)


@runtime_checkable
class Estimated(Protocol):
    """Any part that asks an instructor, or makes the target model generate, and tells beforehand how much.

    A part that has an ``estimate`` answers for the parts that it holds. One that asks and has none is named in the
    output as not estimated, and so is any clusterer, stage or scorer of one's own; one that asks nothing returns
    ``Estimate()``.
    """

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return what the part would do in one round. It must be quick, and send and load nothing."""
        ...


def costs(held: Any) -> bool:
    """Say whether a part, or one that it holds, costs something, or may: of an instructor of one's own nobody knows."""
    return any(isinstance(p, Paid) or (isinstance(p, Instructor) and is_own(p)) for p in parts_in(held))


def is_own(held: Any) -> bool:
    """Say whether a part is one of the user's own, from a package under ``plugins``."""
    return is_part(held) and type(held).__module__.partition(".")[0] != "sei"


def _asking(
    instructor: object, asks: Callable[[Remote], tuple[Asks, ...]], candidates: float | None = None
) -> Estimate:
    if isinstance(instructor, Remote):
        return Estimate(asks=asks(instructor), candidates=candidates)
    if costs(instructor):
        lacks = f"its instructor {type(instructor).__name__} does not show what it would send (sei.outlook.Remote)"
        return Estimate(unknown=lacks, candidates=candidates)
    return Estimate(candidates=candidates)
