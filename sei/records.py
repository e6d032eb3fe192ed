"""Records: what flows between stages. Frozen values, each one a JSONL row.

A record carries what it refers to, so that a file explains itself. Roles are types: a stage that
may see only pool problems asks for ``PoolProblem`` and refuses any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from sei.errors import RoleError

Verdict = Literal["right", "wrong", "unreadable"]
"""``unreadable``: no answer could be extracted; a format failure is not a reasoning error."""

Role = Literal["in_domain", "out_of_domain", "dev"]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A question with its gold answer and worked reference solution.

    ``answer`` is the final answer alone; ``solution`` the worked text that ends in it (may be empty
    where a data set has none). ``options`` are the choices as the data set letters them, if it has any.
    """

    id: str
    question: str
    answer: str
    solution: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PoolProblem(Problem):
    """A training problem: the only kind that may become a bad case."""

    kind: Literal["pool"] = "pool"


@dataclass(frozen=True, kw_only=True)
class HeldOutProblem(Problem):
    """A dev or test problem. ``group`` (hidden skill or subject) and ``level`` are for breaking scores down only."""

    set: str
    role: Role
    group: str = ""
    level: str = ""
    kind: Literal["held_out"] = "held_out"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Weights of the target model: a folder and the digest of what is in it.

    ``kind``: ``base`` (as configured, ``folder`` empty), ``full`` (all weights) or ``adapter``: ``folder``
    holds the merged weights, ``adapter`` the LoRA alone, trained on top of ``onto``; training may go on in it.
    """

    IDENTITY: ClassVar[tuple[str, ...]] = ("digest", "kind")  # where it lies does not matter
    digest: str
    kind: Literal["base", "full", "adapter"] = "base"
    folder: str = ""
    adapter: str = ""
    onto: Checkpoint | None = None

    def merged(self) -> Checkpoint:
        """Return the same weights as a starting point of their own: nothing goes on in its adapter."""
        if self.kind != "adapter":
            return self
        return Checkpoint(digest=self.digest, kind="full", folder=self.folder)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One complete output of the target model. ``finished`` is false when it was cut at the length cap.

    ``fault``: why there is no output; such an attempt counts nowhere and is made again next time. ``sample``: its
    number, from 0, where a problem gets several.
    """

    UNLESS_EMPTY: ClassVar[tuple[str, ...]] = ("sample",)
    problem: PoolProblem | HeldOutProblem
    output: str
    finished: bool
    fault: str = ""
    sample: int = 0


@dataclass(frozen=True, kw_only=True)
class Graded:
    """An attempt with its verdicts.

    ``verdict`` rests on flexible extraction (the last stated answer), ``strict_verdict`` on the
    format that was asked for. ``fault`` is a fault of the grader: such a row has no verdict that counts.
    """

    attempt: Attempt
    verdict: Verdict
    strict_verdict: Verdict
    extracted: str = ""
    fault: str = ""


@dataclass(frozen=True, kw_only=True)
class BadCase:
    """A pool problem that the target model answered wrongly in a complete, readable output (section 3.1)."""

    problem: PoolProblem
    output: str
    extracted: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What an instructor saw at the first diverging step: the second view beside the phrase.

    ``operation`` / ``written_operation`` are operators or ``none``; values and unit are as printed.
    """

    step: int
    relation: str
    operation: str = "none"
    written_operation: str = "none"
    expected: str = ""
    written: str = ""
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """Something refused, with its reason, kept for inspection. ``subject`` names the item, ``detail`` quotes it."""

    stage: str
    reason: str
    subject: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What answers of an instructor needed: requests, tokens in and out, dollars; whoever paid for them when."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            requests=self.requests + other.requests,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            usd=self.usd + other.usd,
        )


@dataclass(frozen=True, kw_only=True)
class Keyphrase:
    """A short phrase that names the error of a bad case (section 3.2), with the finding behind it."""

    bad_case: BadCase
    phrase: str
    finding: Finding | None = None


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """The instructor's answer for one bad case: a keyphrase, or a typed refusal."""

    bad_case: BadCase
    keyphrase: Keyphrase | None = None
    rejection: Rejection | None = None
    usage: Usage = field(default_factory=lambda: Usage(requests=1))

    @property
    def fault(self) -> str:
        """Return why nobody has looked at the case; such a row is not kept, and the next run asks again."""
        reason = self.rejection.reason if self.rejection is not None else ""
        return reason if reason in ("bad_request", "unavailable") else ""


@dataclass(frozen=True, kw_only=True)
class ErrorType:
    """A cluster of keyphrases. ``exemplars`` are seen by synthesis alone, ``validation`` by refinement alone.

    ``stable`` is the name under which it can be followed over rounds: that of the earlier type it continues.
    """

    name: str
    members: tuple[Keyphrase, ...]
    exemplars: tuple[BadCase, ...]
    validation: tuple[BadCase, ...]
    stable: str = ""

    @property
    def label(self) -> str:
        """Return the stable name, or the name where it has none."""
        return self.stable or self.name


@dataclass(frozen=True, kw_only=True)
class MapPoint:
    """One bad case on the 2-D cluster map."""

    problem_id: str
    phrase: str
    error_type: str
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """The criterion at one candidate number of types."""

    num_types: int
    score: float


@dataclass(frozen=True, kw_only=True)
class ErrorMap:
    """Error types of a round with the curve they were chosen from and a 2-D map.

    ``rejections`` are bad cases that fit no type, or that a review dropped; ``usage`` is what naming the types cost.
    """

    types: tuple[ErrorType, ...]
    curve: tuple[CurvePoint, ...] = ()
    points: tuple[MapPoint, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True)
class OpinionPair:
    """Two instructors on one bad case: their phrases, the error types these lead to, and the phrases' cosine."""

    problem_id: str
    first: str
    second: str
    first_type: str
    second_type: str
    similarity: float


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """How far a second instructor agrees on ``n`` sampled bad cases, of which it ``refused`` some.

    ``kappa`` is Cohen's on error types (``None``: not defined), ``same_type`` the plain share, ``similarity``
    the mean cosine of both phrases of a case, ``chance`` that of different cases.
    """

    n: int = 0
    refused: int = 0
    similarity: float = 0.0
    chance: float = 0.0
    same_type: float = 0.0
    kappa: float | None = None
    pairs: tuple[OpinionPair, ...] = ()
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True)
class SyntheticExample:
    """A new problem with its worked solution, made for an error type from exemplars.

    ``flaw`` is known to the embedded instructor alone and read by analysis only: what it got wrong
    on purpose, or empty. ``options`` are the lettered choices of a multiple-choice problem, ``answer`` then a letter.
    """

    UNLESS_EMPTY: ClassVar[tuple[str, ...]] = ("options",)
    id: str
    question: str
    solution: str
    answer: str
    error_type: str
    source_ids: tuple[str, ...] = ()
    round: int = 1
    flaw: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """All candidates of a round after screening, and everything that was dropped, with its reason."""

    candidates: tuple[SyntheticExample, ...]
    rejections: tuple[Rejection, ...] = ()
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A refiner's score, decision and reason for one candidate; higher scores are better."""

    example: SyntheticExample
    score: float
    kept: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class RefinedSet:
    """The kept candidates of a round (``kept``) with the decision on each (``scored``).

    ``pooled_share`` is the share of types too small for a validation part of their own.
    """

    scored: tuple[Scored, ...]
    pooled_share: float = 0.0

    @property
    def kept(self) -> tuple[SyntheticExample, ...]:
        """Return the examples that training may use."""
        return tuple(s.example for s in self.scored if s.kept)

    @property
    def tied(self) -> int:
        """Return how many were kept before a dropped one of their type with the same score, by their order alone."""
        dropped = {(s.example.error_type, s.score) for s in self.scored if not s.kept}
        return sum((s.example.error_type, s.score) in dropped for s in self.scored if s.kept)


@dataclass(frozen=True, kw_only=True)
class TrainingExample:
    """One supervised pair. ``source`` is ``synthetic``, ``replay`` or ``warm_up``.

    ``question`` holds the options of a multiple-choice problem as the model sees them; ``options`` repeats them for
    whoever grades an answer to it.
    """

    UNLESS_EMPTY: ClassVar[tuple[str, ...]] = ("options",)
    id: str
    question: str
    solution: str
    source: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StepLog:
    """Training curve: loss and supervised tokens of one optimizer step."""

    step: int
    loss: float
    tokens: int


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The checkpoint a fine-tune made, its curve and its budget in optimizer steps and supervised tokens."""

    checkpoint: Checkpoint
    curve: tuple[StepLog, ...]
    steps: int
    tokens: int
    examples: int


@dataclass(frozen=True, kw_only=True)
class Score:
    """Accuracy on one set. ``accuracy`` = correct / n, unreadable ones in n, grader faults out of n.

    ``cut``: answers that were cut at the length cap, readable or not. ``macro`` is the mean over hidden groups;
    ``ci95`` is the Wilson interval of ``accuracy``.

    With ``samples`` answers a problem, ``n`` and ``correct`` count answers, ``accuracy`` is avg@k and ``ci95`` is
    clustered by problem; ``majority`` is maj@k, and ``pass_at`` gives (k, pass@k).
    """

    role: Role
    n: int
    correct: int
    unreadable: int
    grader_errors: int
    accuracy: float
    accuracy_strict: float
    macro: float | None
    ci95: tuple[float, float]
    cut: int = 0
    samples: int = 1
    majority: float | None = None
    pass_at: tuple[tuple[int, float], ...] = ()

    @property
    def unreadable_share(self) -> float:
        """Return the share of answers that state no result that can be read."""
        return self.unreadable / self.n if self.n else 0.0


@dataclass(frozen=True, kw_only=True)
class RefineInput:
    """What refinement is given: the model, the error types, the candidates, and solved problems that it may use."""

    checkpoint: Checkpoint
    error_map: ErrorMap
    candidates: tuple[SyntheticExample, ...]
    good: tuple[PoolProblem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Solved:
    """Right attempts of the pool in two disjoint parts: refine may see ``good``, training may replay ``replay``."""

    good: tuple[PoolProblem, ...] = ()
    replay: tuple[PoolProblem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RoundRecord:
    """Everything one round made; tracker, summary and report are rebuilt from it.

    ``withheld`` is what training may not see this round, such as earlier examples near validation cases. ``seconds``
    and ``devices`` say by stage how long making its results took, and on what.
    """

    round: int
    graded: tuple[Graded, ...]
    diagnoses: tuple[Diagnosis, ...]
    error_map: ErrorMap
    synthesis: Synthesis
    refined: RefinedSet
    training: tuple[TrainingExample, ...]
    trained: Trained
    evaluation: tuple[Graded, ...]
    scores: dict[str, Score]
    withheld: tuple[Rejection, ...] = ()
    opinion: Opinion = field(default_factory=Opinion)
    seconds: dict[str, float] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)


def require_pool(problems: tuple[Problem, ...], stage: str) -> None:
    """Refuse anything but pool problems.

    Raises:
        RoleError: names the stage and the first problem of another role.
    """
    for p in problems:
        if not isinstance(p, PoolProblem):
            raise RoleError(
                f"{stage} was given problem {p.id!r} of role {getattr(p, 'role', type(p).__name__)!r}; it may see pool "
                "problems only. Remedy: keep dev and test problems out of its input."
            )


def refusals(rejections: Sequence[Rejection]) -> str:
    """Return reasons with how often each occurred and, in its words, the first of each that has any."""
    reasons = Counter(r.reason for r in rejections)
    out = []
    for reason, n in reasons.most_common():
        words = next((" ".join(r.detail.split()) for r in rejections if r.reason == reason and r.detail), "")
        out.append(f"{reason}: {n}" + (f", such as: {words[:300]}" if words else ""))
    return "; ".join(out)
