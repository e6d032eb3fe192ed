"""What parts exchange: data sets, requests and replies, groupings, verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sei.errors import DataError
from sei.records import (
    BadCase,
    CurvePoint,
    HeldOutProblem,
    PoolProblem,
    Problem,
    Rejection,
    TrainingExample,
    Usage,
    Verdict,
)

ToGrade = tuple[Problem, str, bool]  # the problem, an output, and whether the output is complete


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """What a data source returns: the training pool, all held-out problems (dev and test), and warm-up pairs.

    ``warm_up`` teaches the answer format to models that do not know it: training pairs outside pool and dev. Verdicts,
    replay and counts are joined by id, so an id may appear only once in the whole data set.

    Raises:
        DataError: naming repeated ids and their places.
    """

    pool: tuple[PoolProblem, ...]
    held_out: tuple[HeldOutProblem, ...]
    warm_up: tuple[TrainingExample, ...] = ()

    def __post_init__(self) -> None:
        """Refuse repeated or empty ids."""
        where: dict[str, list[str]] = {}
        for part, items in (("pool", self.pool), ("warm-up", self.warm_up), ("", self.held_out)):
            for x in items:
                where.setdefault(x.id, []).append(f"{part or getattr(x, 'set', '')}: {x.question[:60]!r}")
        shared = {i: places for i, places in where.items() if len(places) > 1 or not str(i).strip()}
        if shared:
            first, places = next(iter(shared.items()))
            raise DataError(
                f"the data set has {len(shared)} ids that are repeated or empty, such as {first!r} "
                f"({'; '.join(places[:3])}). Rule: records are joined by id, so an id may appear only once in pool, "
                "warm-up and held-out sets together. Remedy: give every problem its own id when loading it "
                "(sei.data.ids.tell_apart does)."
            )

    def evaluated(self, which: Literal["all", "dev"]) -> tuple[HeldOutProblem, ...]:
        """Return all held-out problems, or those of dev sets alone."""
        return tuple(p for p in self.held_out if which == "all" or p.role == "dev")


@dataclass(frozen=True, kw_only=True)
class Output:
    """An answer made elsewhere. ``finished`` is false if it was cut at a length cap."""

    text: str
    finished: bool = True


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One problem as an instructor wrote it, before screening. ``sources``: ids of the exemplars used.

    ``options``: the lettered choices of a multiple-choice problem; its ``answer`` is then a letter.
    """

    question: str
    solution: str
    answer: str
    sources: tuple[str, ...] = ()
    flaw: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Exemplar:
    """What synthesis shows the instructor: question and worked solution (section 3.2), and nothing more.

    A multiple-choice problem also shows its ``options`` and its ``answer``, the letter of the right one.
    """

    id: str
    question: str
    solution: str
    options: tuple[str, ...] = ()
    answer: str = ""


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One of several sampled answers to a problem: number ``sample`` from 0, drawn with ``seed``."""

    problem: PoolProblem | HeldOutProblem
    sample: int
    seed: int


Task = Literal["error_type", "combine", "similar", "error", "contrast", "rephrase", "self_verification", "fobar",
               "evolve_upward", "evolve_downward"]  # fmt: skip
"""What a synthesis request asks for: problems of an error type (the method), the same error in other problems'
settings (``combine``), or the task of a baseline."""
EMBEDDED_TASKS: frozenset[Task] = frozenset({"error_type", "similar", "error"})
"""The tasks of every instructor that writes new problems from exemplars; others list theirs in ``TASKS``."""


Claim = Literal["named", "unnamed", "random"]


@dataclass(frozen=True, kw_only=True)
class SynthesisRequest:
    """One request for ``n`` new problems of an error type. ``index`` tells requests of a type apart.

    Tasks of the baselines start from one problem and have no types: ``error_type`` is then that problem's id and is
    never shown. ``details``: further texts for such a task, by name. ``expected``: the final answer if known
    beforehand; it is not shown, and a draft with another answer is refused. ``contexts``: problems that give a
    ``combine`` task new settings for the mistake. ``claim``: what the request says of its exemplars: that one ``named``
    mistake was made on them, that ``unnamed`` ones were, or nothing (``random``).
    """

    error_type: str
    exemplars: tuple[Exemplar, ...]
    n: int
    index: int
    seed: int
    task: Task = "error_type"
    details: tuple[tuple[str, str], ...] = ()
    expected: str = ""
    contexts: tuple[Exemplar, ...] = ()
    claim: Claim = "named"

    @property
    def like(self) -> tuple[str, ...]:
        """Return the options of an exemplar as the pattern for new problems; empty without choices."""
        if self.task in ("self_verification", "fobar"):  # their answer is a number that the options do not hold
            return ()
        return next((e.options for e in self.exemplars if e.options), ())

    @property
    def choices(self) -> bool:
        """Return whether every new problem must be multiple choice, because all exemplars are."""
        return bool(self.like) and all(e.options for e in self.exemplars)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The reply to one synthesis request: drafts, and typed refusals of what could not be used.

    ``whole``: the rejection is that of the reply, of which no problem could be read.
    """

    drafts: tuple[Draft, ...]
    rejections: tuple[Rejection, ...] = ()
    whole: bool = False
    usage: Usage = field(default_factory=lambda: Usage(requests=1))


@dataclass(frozen=True, kw_only=True)
class Stepped:
    """A bad case with its output split into ``steps``. Joined by line breaks, they are the output.

    Steps are counted from 1. A step may have several lines.
    """

    bad_case: BadCase
    steps: tuple[str, ...]

    def at_line(self, line: int) -> int:
        """Return the step, counted from 1, that holds a line of the output, counted from 0."""
        end = 0
        for number, step in enumerate(self.steps, 1):
            end += step.count("\n") + 1
            if line < end:
                return number
        return len(self.steps)


@dataclass(frozen=True, kw_only=True)
class Located:
    """The first wrong step according to an instructor, counted from 1; ``None`` with a typed refusal."""

    step: int | None = None
    rejection: Rejection | None = None
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True)
class Worked:
    """The final answer that an instructor found for a question, or a typed refusal."""

    answer: str = ""
    rejection: Rejection | None = None
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """A clusterer's result: one label per keyphrase (0..k-1; -1 for no type) and its criterion curve.

    ``names``: one per label if the clusterer names its types; otherwise the medoid names a type. ``unnamed``: the types
    are no kinds of mistakes, and no name says what they have in common.
    """

    labels: tuple[int, ...]
    curve: tuple[CurvePoint, ...] = ()
    names: tuple[str, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    usage: Usage = field(default_factory=Usage)
    unnamed: bool = False


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A grader's verdicts on one output: flexible, strict, and the answer that flexible extraction found.

    ``fault``: an error of the grader itself; such a verdict does not count.
    """

    verdict: Verdict
    strict_verdict: Verdict
    extracted: str
    fault: str = ""
