"""Records: the data that flow between stages. They are frozen; each is one JSONL row.

A record contains what it refers to, so a file explains itself. Roles are types: a stage for pool problems takes
``PoolProblem`` and refuses all others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from sei.errors import RoleError

Verdict = Literal["right", "wrong", "unreadable"]
"""``unreadable``: no answer could be extracted; a format error is not a reasoning error."""

Role = Literal["in_domain", "out_of_domain", "dev"]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A question with its gold answer and worked reference solution.

    ``answer``: the final answer alone. ``solution``: the worked text that ends in it (may be empty if the data set has
    none). ``options``: the choices as lettered by the data set, if any.
    """

    id: str
    question: str
    answer: str
    solution: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PoolProblem(Problem):
    """A training problem; only these may become bad cases."""

    kind: Literal["pool"] = "pool"


@dataclass(frozen=True, kw_only=True)
class HeldOutProblem(Problem):
    """A dev or test problem. ``group`` (hidden skill or subject) and ``level`` only break down scores."""

    set: str
    role: Role
    group: str = ""
    level: str = ""
    kind: Literal["held_out"] = "held_out"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Weights of the target model: a folder and the digest of its content.

    ``kind``: ``base`` (as configured, ``folder`` empty), ``full`` (all weights) or ``adapter``. An adapter checkpoint
    has the merged weights in ``folder`` and the LoRA alone in ``adapter``; the LoRA was trained on top of ``onto``, and
    training may continue in it.
    """

    IDENTITY: ClassVar[tuple[str, ...]] = ("digest", "kind")  # the folder is no part of the identity
    digest: str
    kind: Literal["base", "full", "adapter"] = "base"
    folder: str = ""
    adapter: str = ""
    onto: Checkpoint | None = None

    def merged(self) -> Checkpoint:
        """Return the same weights without the adapter, so that training does not continue in it."""
        if self.kind != "adapter":
            return self
        return Checkpoint(digest=self.digest, kind="full", folder=self.folder)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One complete output of the target model. ``finished`` is false if it was cut at the length cap.

    ``fault``: why there is no output; such an attempt is not counted and is made again next time. ``sample``: its
    number, from 0, if a problem gets several.
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

    ``verdict`` uses flexible extraction (the last stated answer), ``strict_verdict`` the requested format. ``fault``:
    an error of the grader; the verdict of such a row does not count.
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
    """What an instructor found at the first wrong step; it complements the phrase.

    ``operation`` / ``written_operation``: operators or ``none``. Values and unit: as printed.
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
    """A refused item with its reason, kept for inspection. ``subject`` names the item, ``detail`` quotes it."""

    stage: str
    reason: str
    subject: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What an instructor's answers needed: requests, tokens in and out, dollars. Cached answers count as well."""

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
    """A short phrase that names the error of a bad case (section 3.2), and the finding behind it."""

    bad_case: BadCase
    phrase: str
    finding: Finding | None = None


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """The instructor's result for one bad case: a keyphrase, or a typed refusal."""

    bad_case: BadCase
    keyphrase: Keyphrase | None = None
    rejection: Rejection | None = None
    usage: Usage = field(default_factory=lambda: Usage(requests=1))

    @property
    def fault(self) -> str:
        """Return why the case was not examined. Such a row is not kept, and the next run asks again."""
        reason = self.rejection.reason if self.rejection is not None else ""
        return reason if reason in ("bad_request", "unavailable") else ""


@dataclass(frozen=True, kw_only=True)
class ErrorType:
    """A cluster of keyphrases. Only synthesis sees ``exemplars``, only refinement sees ``validation``.

    ``stable``: its name over all rounds, taken from the earlier type that it continues. ``unnamed``: it holds mistakes
    of all kinds, and its name says nothing of them.
    """

    UNLESS_EMPTY: ClassVar[tuple[str, ...]] = ("unnamed",)
    name: str
    members: tuple[Keyphrase, ...]
    exemplars: tuple[BadCase, ...]
    validation: tuple[BadCase, ...]
    stable: str = ""
    unnamed: bool = False

    @property
    def label(self) -> str:
        """Return the stable name, or the name if there is none."""
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
    """The criterion for one candidate number of types."""

    num_types: int
    score: float


@dataclass(frozen=True, kw_only=True)
class ErrorMap:
    """The error types of a round, with the curve behind their number and a 2-D map.

    ``rejections``: bad cases that fit no type or were dropped by a review. ``usage``: the cost of naming the types.
    """

    types: tuple[ErrorType, ...]
    curve: tuple[CurvePoint, ...] = ()
    points: tuple[MapPoint, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True)
class OpinionPair:
    """Two instructors on one bad case: their phrases, the resulting error types, and the cosine of the phrases."""

    problem_id: str
    first: str
    second: str
    first_type: str
    second_type: str
    similarity: float


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """The agreement of a second instructor on ``n`` sampled bad cases; it ``refused`` some of them.

    ``kappa``: Cohen's kappa on error types (``None`` if undefined). ``same_type``: the share with equal types.
    ``similarity``: the mean cosine of both phrases of a case; ``chance``: the same for different cases.
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
    """A new problem with its worked solution, made from exemplars of an error type.

    ``flaw``: the error that the embedded instructor made on purpose, or empty; only analysis reads it. ``options``: the
    lettered choices of a multiple-choice problem; its ``answer`` is then a letter.
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
    """All candidates of a round after screening, and everything dropped, with the reasons."""

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
    """The kept candidates of a round (``kept``) and the decision on every candidate (``scored``).

    ``pooled_share``: the share of types too small for their own validation cases.
    """

    scored: tuple[Scored, ...]
    pooled_share: float = 0.0

    @property
    def kept(self) -> tuple[SyntheticExample, ...]:
        """Return the examples for training."""
        return tuple(s.example for s in self.scored if s.kept)

    @property
    def tied(self) -> int:
        """Return how many were kept only by their order: a dropped example of their type has the same score."""
        dropped = {(s.example.error_type, s.score) for s in self.scored if not s.kept}
        return sum((s.example.error_type, s.score) in dropped for s in self.scored if s.kept)


@dataclass(frozen=True, kw_only=True)
class TrainingExample:
    """One supervised pair. ``source`` is ``synthetic``, ``replay`` or ``warm_up``.

    ``question`` contains the options of a multiple-choice problem as the model sees them; ``options`` repeats them for
    grading.
    """

    UNLESS_EMPTY: ClassVar[tuple[str, ...]] = ("options",)
    id: str
    question: str
    solution: str
    source: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """How fast an optimizer step was. It differs from run to run.

    ``tokens_per_second``: prompt and solution tokens of all devices, without padding. ``padding``: its share of all
    positions. ``peak_gib``: the most memory so far, of tensors on a GPU, or of the process on a CPU. ``mfu``: the share
    of the GPU's bfloat16 peak, where that is known.
    """

    seconds: float
    tokens_per_second: float
    padding: float
    peak_gib: float
    mfu: float | None = None


@dataclass(frozen=True, kw_only=True)
class StepLog:
    """One point of the training curve: loss and supervised tokens of an optimizer step.

    Two steps are equal whatever their ``throughput``. Older records have none.
    """

    IDENTITY: ClassVar[tuple[str, ...]] = ("step", "loss", "tokens")
    step: int
    loss: float
    tokens: int
    throughput: Throughput | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The checkpoint of a fine-tune, its training curve, and its budget in optimizer steps and supervised tokens."""

    checkpoint: Checkpoint
    curve: tuple[StepLog, ...]
    steps: int
    tokens: int
    examples: int


@dataclass(frozen=True, kw_only=True)
class Score:
    """Accuracy on one set: ``accuracy`` = correct / n. Unreadable answers are in n, grader faults are not.

    ``cut``: answers cut at the length cap, readable or not. ``macro``: the mean over hidden groups. ``ci95``: the
    Wilson interval of ``accuracy``.

    With ``samples`` answers per problem, ``n`` and ``correct`` count answers, ``accuracy`` is avg@k and ``ci95`` is
    clustered by problem. ``majority`` is maj@k; ``pass_at`` has pairs (k, pass@k).
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
        """Return the share of answers without a readable result."""
        return self.unreadable / self.n if self.n else 0.0


@dataclass(frozen=True, kw_only=True)
class RefineInput:
    """The input of refinement: the model, the error types, the candidates, and solved problems for it to use."""

    checkpoint: Checkpoint
    error_map: ErrorMap
    candidates: tuple[SyntheticExample, ...]
    good: tuple[PoolProblem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Solved:
    """Correctly solved pool problems in two disjoint parts: ``good`` for refinement, ``replay`` for training."""

    good: tuple[PoolProblem, ...] = ()
    replay: tuple[PoolProblem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BothAnswers:
    """The answers to one problem by a served LoRA, and by the weights that it was merged into."""

    problem_id: str
    served: str
    merged: str
    served_verdict: Verdict
    merged_verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class RoundRecord:
    """Everything one round made. Tracker, summary and report are rebuilt from it.

    ``withheld``: examples that training may not use this round, such as earlier ones near validation cases. ``seconds``
    and ``devices``: by stage, how long its results took and on which device. ``served_vs_merged``: some answers beside
    those of merged weights (``sei.merged``), at the end of a run.
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
    served_vs_merged: tuple[BothAnswers, ...] = ()


def require_pool(problems: tuple[Problem, ...], stage: str) -> None:
    """Refuse anything but pool problems.

    Raises:
        RoleError: naming the stage and the first problem of another role.
    """
    for p in problems:
        if not isinstance(p, PoolProblem):
            raise RoleError(
                f"{stage} was given problem {p.id!r} of role {getattr(p, 'role', type(p).__name__)!r}; it may see "
                "pool problems only. Remedy: keep dev and test problems out of its input."
            )


def refusals(rejections: Sequence[Rejection]) -> str:
    """Return the reasons with their counts, and the first detail of each if there is one."""
    reasons = Counter(r.reason for r in rejections)
    out = []
    for reason, n in reasons.most_common():
        words = next((" ".join(r.detail.split()) for r in rejections if r.reason == reason and r.detail), "")
        out.append(f"{reason}: {n}" + (f", such as: {words[:300]}" if words else ""))
    return "; ".join(out)
