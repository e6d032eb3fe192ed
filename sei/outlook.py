"""What a part would ask an instructor and generate with the target model, estimated before a run costs anything.

``estimate=true`` gives the same outlook to every part of the method with an ``estimate``, and sums the results.
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
        """Return its kind, as named in the ledger."""
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
    """An instructor with prices."""

    @property
    def priced(self) -> bool:
        """Say whether the prices are known."""
        ...

    def usd(self, input_tokens: int, output_tokens: int) -> float:
        """Return the dollars for these tokens."""
        ...


@runtime_checkable
class Remote(Paid, Priced, Protocol):
    """An instructor that costs something and can show its requests without sending them."""

    @property
    def agreement(self) -> bool:
        """Say whether every problem that it writes is solved once more as a check."""
        ...

    def keyphrase_request(self, case: BadCase) -> Shown:
        """Return the request for the keyphrase of a bad case."""
        ...

    def synthesis_request(self, r: SynthesisRequest) -> Shown:
        """Return the request for new problems."""
        ...

    def solve_request(self, question: str) -> Shown:
        """Return the request whose answer must agree with a new problem's answer."""
        ...

    def correction_request(self, case: BadCase) -> Shown:
        """Return the request for a correct solution to a bad case's question."""
        ...


@dataclass(frozen=True, kw_only=True)
class Asks:
    """Requests of one kind in one round: their number, some samples, and the instructor.

    ``items``: problems or phrases per request. ``label``: the name in the output, if it differs from ``kind``.
    ``output_tokens``: reply length per item, used if ``assume.output_tokens`` does not have the kind.
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

    ``generates``: answers of the target model at most, by purpose. ``candidates``: what a synthesizer passes to
    refinement; ``None`` if unknown or not a synthesizer. ``unknown``: a text that says what cannot be estimated and
    why.
    """

    asks: tuple[Asks, ...] = ()
    generates: Mapping[str, float] = field(default_factory=dict)
    candidates: float | None = None
    unknown: str = ""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What is known or assumed about a round.

    ``pool``: problems in the pool. ``bad``: bad cases, of which synthesis sees ``exemplars``. ``cases``: a sample of
    them, or pool problems in their place. ``phrase``: a keyphrase of usual length. ``distinct``: share of distinct
    keyphrases. ``error_types``: their number. ``keep``: share of the requested problems that is kept;
    ``keep_observed``: whether an earlier run showed it. ``written``: share of the requested problems that comes back.
    ``candidates``: of synthesis, for later parts. ``rng``: the source of further draws. ``unnamed``: whether the types
    are unnamed.
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
    unnamed: bool = False

    @property
    def types(self) -> float:
        """Return the number of error types, at most one per bad case."""
        return min(max(1.0, self.bad), self.error_types)

    @property
    def problems(self) -> list[PoolProblem]:
        """Return the problems of the sample."""
        return [c.problem for c in self.cases]

    def drawn(self, n: int) -> list[list[PoolProblem]]:
        """Return ``n`` problems drawn together for every case of the sample; the same ones at every call."""
        rng, problems = copy.copy(self.rng), self.problems
        return [rng.sample(problems, min(n, len(problems))) for _ in problems]

    def diagnosis(self, instructor: object, requests: float) -> Estimate:
        """Estimate the ``requests`` that diagnose bad cases."""

        def asks(i: Remote) -> tuple[Asks, ...]:
            shown = [i.keyphrase_request(c) for c in self.cases]
            return (Asks(kind="keyphrase", requests=requests, samples=shown, instructor=i),)

        return _asking(instructor, asks)

    def synthesis(
        self, instructor: object, samples: Sequence[SynthesisRequest], requests: float, each: int, candidates: float
    ) -> Estimate:
        """Estimate synthesis with ``each`` problems a request, including the instructor's own checks.

        ``candidates``: how many problems synthesis passes on.
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
        """Estimate the ``requests`` that correct bad cases."""

        def asks(i: Remote) -> tuple[Asks, ...]:
            shown = [i.correction_request(c) for c in self.cases]
            return (Asks(kind="correction", requests=requests, samples=shown, instructor=i),)

        return _asking(instructor, asks, requests)


@runtime_checkable
class Estimated(Protocol):
    """Any part that asks an instructor or makes the target model generate, and can estimate how much.

    A part with an ``estimate`` also answers for the parts that it holds. The output names a part that asks but has none
    as not estimated; the same holds for any clusterer, stage or scorer of your own. A part that asks nothing returns
    ``Estimate()``.
    """

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return what the part would do in one round. Must be quick, send nothing and load nothing."""
        ...


def costs(held: Any) -> bool:
    """Say whether a part, or one that it holds, may cost something. Every instructor of your own may."""
    return any(isinstance(p, Paid) or (isinstance(p, Instructor) and is_own(p)) for p in parts_in(held))


def is_own(held: Any) -> bool:
    """Say whether a part belongs to the user, from a package under ``plugins``."""
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
