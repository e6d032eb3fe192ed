"""Ports: the Protocols that parts fulfil. No base classes; any class of the same shape will do."""

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

__all__ = [  # with what the methods below are given and give, so that a part of one's own imports it all from here
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
    "TrackedRun",
    "Tracker",
    "Worked",
]


@runtime_checkable
class Grader(Protocol):
    """Decides whether an output answers its problem rightly. Knows the kind of task; the stages do not."""

    def grade(self, problem: Problem, output: str, *, finished: bool = True) -> Outcome:
        """Grade one output; ``finished`` is false where it was cut at the length cap."""
        ...

    def check_gold(self, problems: tuple[Problem, ...]) -> list[str]:
        """Return the ids of problems whose own gold answer or reference solution is refused."""
        ...


@runtime_checkable
class Skipping(Protocol):
    """A grader that may be told to leave out problems whose own gold answers it refuses."""

    @property
    def skip_bad_gold(self) -> bool:
        """Return whether to."""
        ...


@runtime_checkable
class DataSource(Protocol):
    """Gives problems in their roles."""

    def load(self) -> DataSet:
        """Read or draw all problems. Raises DataError naming file and line."""
        ...


@runtime_checkable
class Instructor(Protocol):
    """The teacher: names errors and writes new problems.

    One that can do more than ``EMBEDDED_TASKS`` lists all its tasks as the class variable ``TASKS``.
    """

    def diagnose(self, cases: Sequence[BadCase]) -> Iterator[Diagnosis]:
        """Yield one diagnosis per bad case, in order."""
        ...

    def write(self, requests: Sequence[SynthesisRequest]) -> Iterator[Reply]:
        """Yield one reply per request, in order."""
        ...

    def correct(self, cases: Sequence[BadCase]) -> Iterator[Reply]:
        """Yield one reply per bad case, in order: the same question with a corrected solution, or a refusal."""
        ...


@runtime_checkable
class Locating(Protocol):
    """An instructor that can point at the first wrong step; only the teacher card asks it to."""

    def first_wrong_steps(self, cases: Sequence[Stepped]) -> Iterator[Located]:
        """Yield the first wrong step of every case, in order, or a typed refusal."""
        ...


@runtime_checkable
class Solving(Protocol):
    """An instructor that can solve a question from its text alone; only the teacher card asks it to."""

    def solve(self, questions: Sequence[str]) -> Iterator[Worked]:
        """Yield the final answer of every question, in order, or a typed refusal."""
        ...


@runtime_checkable
class Paid(Protocol):
    """An instructor that costs something."""

    def spent(self) -> dict[str, Any]:
        """Return what this process sent, took from the cache, asked again, dropped and paid."""
        ...


@runtime_checkable
class Preflight(Protocol):
    """Any part that can tell before a run costs anything that the run cannot succeed.

    A run asks every such part inside its config once, before data are loaded. It must be quick and send nothing.
    """

    def preflight(self) -> None:
        """Return where all is well. Raises ConfigError or DiskError naming the setting, its value and the remedy."""
        ...


@runtime_checkable
class Reading(Protocol):
    """Any part whose results rest on files or texts beside its settings."""

    def reads(self) -> dict[str, str]:
        """Return digests of them by name. Raises ConfigError or DataError naming the file that cannot be read."""
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
        """Return a label per phrase; ``vectors`` (n, d) are their unit vectors. Must work for 1, 2 and many."""
        ...


@runtime_checkable
class Screen(Protocol):
    """Keeps synthetic questions apart from test and validation text."""

    def reason(self, question: str) -> str | None:
        """Return why a question must be dropped, or ``None``."""
        ...

    def reasons(self, questions: Sequence[str]) -> list[str | None]:
        """Return the reason for each of many questions."""
        ...


@runtime_checkable
class AttemptStage(Protocol):
    """Target model on problems."""

    row_type: ClassVar[Any]

    def __call__(
        self,
        checkpoint: Checkpoint,
        *,
        items: Sequence[PoolProblem | HeldOutProblem | Draw],
        done: frozenset[int],
    ) -> Iterable[tuple[int, Attempt]]:
        """Yield (index, attempt) for every problem, or draw of one (``engine.samples``), that is not done."""
        ...


@runtime_checkable
class SecondOpinionStage(Protocol):
    """Another instructor's view of a sample of bad cases."""

    def __call__(self, diagnoses: tuple[Diagnosis, ...], error_map: ErrorMap, *, seed: int) -> Opinion:
        """Return both views and their agreement."""
        ...


@runtime_checkable
class SynthesizeStage(Protocol):
    """Writes candidates for every error type.

    Keywords are what the store offers: ``checkpoint`` (the current one), ``replay`` (the solved pool problems that
    training may replay; refinement's part is never offered) and ``folder`` (where it keeps its half after a crash). A
    synthesizer may leave out those that it does not need; what it takes is part of its key.
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
        """Return all candidates after screening with everything dropped."""
        ...


@runtime_checkable
class RefineStage(Protocol):
    """Keeps the candidates that one-shot learning shows to be effective."""

    def __call__(self, given: RefineInput, *, seed: int, folder: Path | None = None) -> RefinedSet:
        """Return a score, decision and reason per candidate."""
        ...


@runtime_checkable
class FinetuneStage(Protocol):
    """Fine-tunes the target model."""

    def __call__(
        self, start: Checkpoint, examples: tuple[TrainingExample, ...], *, seed: int, folder: Path = ...
    ) -> Trained:
        """Return the checkpoint, its curve and its budget."""
        ...


class TrackedRun(Protocol):
    """A run that is open in an experiment tracker; everything is written from records alone."""

    def baseline(self, scores: dict[str, Score]) -> None:
        """Log the scores of the base model as round 0."""
        ...

    def round(self, record: RoundRecord, report: dict[str, Any], folder: Path) -> None:
        """Log everything of one round: the record, what the summary says of it, and its folder of pictures."""
        ...

    def model(self, folder: Path, scores: dict[str, Score], rounds: tuple[int, ...]) -> None:
        """Log the model, best on dev, trained on these rounds' data; the folder has no weights where it is the base."""
        ...

    def finish(self, summary: dict[str, Any], exit_code: int) -> None:
        """Close the run, also after a failure."""
        ...


@runtime_checkable
class Tracker(Protocol):
    """Where a run is logged."""

    def start(self, name: str, config: dict[str, Any], folder: Path, *, group: str, run_id: str) -> TrackedRun:
        """Open a run and return it; ``group`` is the sweep, empty for a single run."""
        ...
