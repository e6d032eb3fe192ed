"""Ports: the Protocols of all parts. There are no base classes; any class with the same methods fits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sei.exchange import (
    EMBEDDED_TASKS,
    DataSet,
    Draft,
    Draw,
    Exemplar,
    Grouping,
    Located,
    Outcome,
    Reply,
    Stepped,
    SynthesisRequest,
    Task,
    ToGrade,
    Worked,
)
from sei.records import (
    Attempt,
    BadCase,
    Checkpoint,
    Diagnosis,
    ErrorMap,
    HeldOutProblem,
    Opinion,
    PoolProblem,
    Problem,
    RefinedSet,
    RefineInput,
    RoundRecord,
    Score,
    Synthesis,
    Trained,
    TrainingExample,
)

__all__ = [  # includes argument and return types, so that your own part can import all of them from here
    "EMBEDDED_TASKS",
    "AttemptStage",
    "Clusterer",
    "DataSet",
    "DataSource",
    "Draft",
    "Draw",
    "Embedder",
    "Exemplar",
    "FinetuneStage",
    "Grader",
    "GradingMany",
    "Grouping",
    "Instructor",
    "Located",
    "Locating",
    "Outcome",
    "Paid",
    "Preflight",
    "Reading",
    "RefineStage",
    "Reply",
    "Screen",
    "SecondOpinionStage",
    "Skipping",
    "Solving",
    "Stepped",
    "SynthesisRequest",
    "SynthesizeStage",
    "Task",
    "Tracing",
    "TrackedRun",
    "Tracker",
    "Worked",
]


@runtime_checkable
class Grader(Protocol):
    """Decides whether an output answers its problem correctly. Only the grader knows the kind of task."""

    def grade(self, problem: Problem, output: str, *, finished: bool = True) -> Outcome:
        """Grade one output; ``finished`` is false if it was cut at the length cap."""
        ...

    def check_gold(self, problems: tuple[Problem, ...]) -> list[str]:
        """Return the ids of problems whose own gold answer or reference solution the grader refuses."""
        ...


@runtime_checkable
class GradingMany(Protocol):
    """A grader that is faster with many outputs at once than one by one."""

    def grade_all(self, rows: Iterable[ToGrade]) -> Iterator[Outcome]:
        """Yield the outcome of ``grade`` for every row, in order."""
        ...


@runtime_checkable
class Skipping(Protocol):
    """A grader with an option to leave out problems whose own gold answers it refuses."""

    @property
    def skip_bad_gold(self) -> bool:
        """Return whether to leave them out."""
        ...


@runtime_checkable
class DataSource(Protocol):
    """Provides problems in their roles."""

    def load(self) -> DataSet:
        """Read or generate all problems. Raises DataError naming file and line."""
        ...


@runtime_checkable
class Instructor(Protocol):
    """The teacher: diagnoses errors and writes new problems.

    An instructor with more than ``EMBEDDED_TASKS`` lists all its tasks in the class variable ``TASKS``.
    """

    def diagnose(self, cases: Sequence[BadCase]) -> Iterator[Diagnosis]:
        """Yield one diagnosis per bad case, in order."""
        ...

    def write(self, requests: Sequence[SynthesisRequest]) -> Iterator[Reply]:
        """Yield one reply per request, in order."""
        ...

    def correct(self, cases: Sequence[BadCase]) -> Iterator[Reply]:
        """Yield one reply per bad case, in order: the same question with a correct solution, or a refusal."""
        ...


@runtime_checkable
class Locating(Protocol):
    """An instructor that can find the first wrong step; only the teacher card needs it."""

    def first_wrong_steps(self, cases: Sequence[Stepped]) -> Iterator[Located]:
        """Yield the first wrong step of every case, in order, or a typed refusal."""
        ...


@runtime_checkable
class Solving(Protocol):
    """An instructor that can solve a question from its text; only the teacher card needs it."""

    def solve(self, questions: Sequence[str]) -> Iterator[Worked]:
        """Yield the final answer of every question, in order, or a typed refusal."""
        ...


@runtime_checkable
class Paid(Protocol):
    """An instructor that costs something."""

    def spent(self) -> dict[str, Any]:
        """Return what this process sent, found in the cache, retried, dropped and paid."""
        ...


@runtime_checkable
class Preflight(Protocol):
    """Any part that can detect, before a run costs anything, that the run cannot succeed.

    Called once for every such part in the config, before data are loaded. Must be quick and send nothing.
    """

    def preflight(self) -> None:
        """Return if all is well. Raises ConfigError or DiskError naming the setting, its value and the remedy."""
        ...


@runtime_checkable
class Placed(Protocol):
    """An engine that knows on how many devices it makes answers."""

    @property
    def devices(self) -> int | None:
        """Return their number, or ``None`` if another program decides."""
        ...


@runtime_checkable
class Reading(Protocol):
    """Any part whose results depend on files or texts besides its settings."""

    def reads(self) -> dict[str, str]:
        """Return their digests by name. Raises ConfigError or DataError naming the file that cannot be read."""
        ...


@runtime_checkable
class Tracing(Protocol):
    """An instructor that works by rules, which cover only some worked solutions."""

    def traces(self, problem: PoolProblem) -> bool:
        """Say whether it can name an error in an attempt at this problem and write similar problems."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Turns phrases into unit vectors."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (len(texts), dimensions) unit vectors."""
        ...


@runtime_checkable
class Clusterer(Protocol):
    """Groups keyphrases into error types."""

    def group(self, phrases: Sequence[str], vectors: NDArray[np.float32], seed: int) -> Grouping:
        """Return a label per phrase. ``vectors`` (n, d) are their unit vectors; n may be 1."""
        ...


@runtime_checkable
class Screen(Protocol):
    """Keeps synthetic questions apart from held-out and validation text."""

    def reason(self, question: str) -> str | None:
        """Return why a question must be dropped, or ``None`` to keep it."""
        ...

    def reasons(self, questions: Sequence[str]) -> list[str | None]:
        """Return the reason for each of many questions."""
        ...


@runtime_checkable
class AttemptStage(Protocol):
    """Runs the target model on problems."""

    row_type: ClassVar[Any]

    def __call__(
        self,
        checkpoint: Checkpoint,
        *,
        items: Sequence[PoolProblem | HeldOutProblem | Draw],
        done: frozenset[int],
    ) -> Iterable[tuple[int, Attempt]]:
        """Yield (index, attempt) for every problem, or draw of one (``engine.samples``), not in ``done``."""
        ...


@runtime_checkable
class SecondOpinionStage(Protocol):
    """Gets another instructor's diagnosis of a sample of bad cases."""

    def __call__(self, diagnoses: tuple[Diagnosis, ...], error_map: ErrorMap, *, seed: int) -> Opinion:
        """Return both diagnoses and their agreement."""
        ...


@runtime_checkable
class SynthesizeStage(Protocol):
    """Writes candidates for every error type.

    The store offers these keywords: ``checkpoint`` (the current one), ``replay`` (the solved pool problems that
    training may replay, never those of refinement) and ``folder`` (where interrupted work is kept). A synthesizer may
    leave out keywords that it does not need; those that it takes are part of its key.
    """

    def __call__(
        self,
        error_map: ErrorMap,
        pool: tuple[PoolProblem, ...],
        screen: Screen,
        round: int,
        *,
        seed: int,
        checkpoint: Checkpoint,
        replay: tuple[PoolProblem, ...],
        folder: Path | None = None,
    ) -> Synthesis:
        """Return all candidates that passed screening, and everything that was dropped."""
        ...


@runtime_checkable
class RefineStage(Protocol):
    """Keeps the candidates that help in one-shot learning."""

    def __call__(self, given: RefineInput, *, seed: int, folder: Path | None = None) -> RefinedSet:
        """Return a score, decision and reason per candidate."""
        ...


@runtime_checkable
class FinetuneStage(Protocol):
    """Fine-tunes the target model."""

    def __call__(
        self, start: Checkpoint, examples: tuple[TrainingExample, ...], *, seed: int, folder: Path = ...
    ) -> Trained:
        """Return the checkpoint, its training curve and its budget."""
        ...


class TrackedRun(Protocol):
    """An open run in an experiment tracker. Everything is logged from records alone."""

    def baseline(self, scores: dict[str, Score]) -> None:
        """Log the scores of the base model as round 0."""
        ...

    def round(self, record: RoundRecord, report: dict[str, Any], folder: Path) -> None:
        """Log one round: its record, its part of the summary, and its folder of pictures."""
        ...

    def model(self, folder: Path, scores: dict[str, Score], rounds: tuple[int, ...]) -> None:
        """Log the best model on dev and the rounds whose data trained it. The base has no weights in the folder."""
        ...

    def finish(self, summary: dict[str, Any], exit_code: int) -> None:
        """Close the run, also after a failure."""
        ...


@runtime_checkable
class Tracker(Protocol):
    """An experiment tracker."""

    def start(self, name: str, config: dict[str, Any], folder: Path, *, group: str, run_id: str) -> TrackedRun:
        """Open a run and return it; ``group`` is the sweep, empty for a single run."""
        ...
