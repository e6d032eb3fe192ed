"""What parts hand to each other: data sets, requests and replies, groupings, verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sei.errors import DataError
from sei.records import (
    BadCase,
    CurvePoint,
    HeldOutProblem,
    PoolProblem,
    Rejection,
    TrainingExample,
    Usage,
    Verdict,
)


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """What a data source gives: the training pool, all held-out problems (dev and test), and warm-up pairs.

    ``warm_up`` is for models that do not yet answer in the format: training pairs outside pool and dev.
    Verdicts, replay and counts are joined by id, so that no id may stand twice, in whatever part.

    Raises:
        DataError: naming the ids that stand more than once, and where.
    """

    pool: tuple[PoolProblem, ...]
    held_out: tuple[HeldOutProblem, ...]
    warm_up: tuple[TrainingExample, ...] = ()

    def __post_init__(self) -> None:
        """Refuse ids that do not tell problems apart, whoever loaded them."""
        where: dict[str, list[str]] = {}
        for part, items in (("pool", self.pool), ("warm-up", self.warm_up), ("", self.held_out)):
            for x in items:
                where.setdefault(x.id, []).append(f"{part or getattr(x, 'set', '')}: {x.question[:60]!r}")
        shared = {i: places for i, places in where.items() if len(places) > 1 or not str(i).strip()}
        if shared:
            first, places = next(iter(shared.items()))
            raise DataError(
                f"the data set gives {len(shared)} ids that do not tell its problems apart, such as {first!r} "
                f"({'; '.join(places[:3])}). Rule: records are joined by id, and no id may stand twice in pool, "
                "warm-up and held-out sets together. Remedy: give every problem an id of its own where it is loaded "
                "(sei.data.ids.tell_apart does)."
            )


@dataclass(frozen=True, kw_only=True)
class Output:
    """An answer that was made elsewhere. ``finished`` is false where it was cut at a length cap."""

    text: str
    finished: bool = True


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One problem as an instructor wrote it, before screening. ``sources`` are ids of exemplars used.

    ``options``: the lettered choices of a multiple-choice problem, whose ``answer`` is a letter.
    """

    question: str
    solution: str
    answer: str
    sources: tuple[str, ...] = ()
    flaw: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Exemplar:
    """What synthesis shows the instructor: question and worked solution (section 3.2), nothing else.

    A multiple-choice problem shows its ``options`` and the letter of the right one, its ``answer``, as well.
    """

    id: str
    question: str
    solution: str
    options: tuple[str, ...] = ()
    answer: str = ""


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One of several sampled answers that a problem is to get: number ``sample`` from 0, drawn with ``seed``."""

    problem: PoolProblem | HeldOutProblem
    sample: int
    seed: int


Task = Literal["error_type", "combine", "similar", "error", "contrast", "rephrase", "self_verification", "fobar",
               "evolve_upward", "evolve_downward"]  # fmt: skip
"""What a synthesis request asks for: problems of an error type (the method), the same in the settings of other
problems (``combine``), or what a baseline asks instead."""
EMBEDDED_TASKS: frozenset[Task] = frozenset({"error_type", "similar", "error"})
"""What any instructor can do that writes new problems from exemplars; others say so in ``TASKS``."""


@dataclass(frozen=True, kw_only=True)
class SynthesisRequest:
    """One request for ``n`` new problems of an error type. ``index`` makes requests of a type distinct.

    Tasks of the baselines start from one problem and know no types: ``error_type`` then is that problem's id and
    is never shown. ``details`` are further texts that such a task shows, by name. ``expected`` is the final answer
    where it is known beforehand: it is not shown, and a draft with another one is refused. ``contexts`` are problems
    whose settings a ``combine`` task carries the mistake into.
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

    @property
    def like(self) -> tuple[str, ...]:
        """Return the options of an exemplar, which those of new problems are lettered like; empty for no choices."""
        if self.task in ("self_verification", "fobar"):  # they ask for a number that the options do not hold
            return ()
        return next((e.options for e in self.exemplars if e.options), ())

    @property
    def choices(self) -> bool:
        """Return whether every new problem must be multiple choice, as all exemplars are."""
        return bool(self.like) and all(e.options for e in self.exemplars)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back for one synthesis request: drafts, and typed refusals of what could not be used."""

    drafts: tuple[Draft, ...]
    rejections: tuple[Rejection, ...] = ()
    usage: Usage = field(default_factory=lambda: Usage(requests=1))


@dataclass(frozen=True, kw_only=True)
class Stepped:
    """A bad case whose output is taken apart into ``steps``: the output is these steps, one after another, a line each.

    Steps count from 1. A step may hold several lines.
    """

    bad_case: BadCase
    steps: tuple[str, ...]

    def at_line(self, line: int) -> int:
        """Return the step, counted from 1, in which a line of the output stands; lines count from 0."""
        end = 0
        for number, step in enumerate(self.steps, 1):
            end += step.count("\n") + 1
            if line < end:
                return number
        return len(self.steps)


@dataclass(frozen=True, kw_only=True)
class Located:
    """The first wrong step as an instructor names it, counted from 1; ``None`` with a typed refusal."""

    step: int | None = None
    rejection: Rejection | None = None
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True)
class Worked:
    """The final answer of a question that an instructor has solved, or a typed refusal."""

    answer: str = ""
    rejection: Rejection | None = None
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """A clusterer's answer: one label per keyphrase (0..k-1; -1: it fits no type) and its criterion curve.

    ``names``: one per label, where the clusterer names its types; otherwise they are named by their medoid.
    """

    labels: tuple[int, ...]
    curve: tuple[CurvePoint, ...] = ()
    names: tuple[str, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A grader's verdicts on one output: flexible, strict, what the flexible extraction found.

    ``fault`` is a fault of the grader itself; such a verdict does not count.
    """

    verdict: Verdict
    strict_verdict: Verdict
    extracted: str
    fault: str = ""
