"""A run folder in Python: scores, rounds and the records of each round."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pydantic

from sei.errors import ConfigError, DataError
from sei.records import BadCase, Diagnosis, Graded, Keyphrase, Rejection, Score, Scored, SyntheticExample
from sei.rows import read_jsonl

if TYPE_CHECKING:
    import pandas

Row = TypeVar("Row")
AGAIN = "run the same settings again into that folder (hydra.run.dir=PATH); the store reuses finished work"


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """The score of one round on one set; ``round`` 0 is the base.

    Accuracies are shares (0 to 1). ``low`` to ``high`` is the 95 % interval of ``accuracy``; ``gain`` is its difference
    from the base. The other fields are those of ``sei.records.Score``.
    """

    round: int
    set: str
    role: str
    n: int
    correct: int
    unreadable: int
    cut: int
    grader_errors: int
    accuracy: float
    low: float
    high: float
    accuracy_strict: float
    macro: float | None
    samples: int
    majority: float | None
    pass_at: tuple[tuple[int, float], ...]
    gain: float


@dataclass(frozen=True, kw_only=True)
class TypeRow:
    """An error type of a round with its number of bad cases; ``stable`` is its name over all rounds."""

    name: str
    stable: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What ended a run early: the round (0: the base) and its stage, the exit code and the message."""

    stage: str
    round: int
    exit_code: int
    error: str


@dataclass(frozen=True, kw_only=True, repr=False)
class Round:
    """One round. Scores, types and counts are loaded; records are read from their files at first use.

    An unfinished round has no scores; its records are those that it had made.

    Raises:
        DataError: if a file is missing or damaged; raised when it is read.
    """

    number: int
    folder: Path
    scores: dict[str, Score]
    error_types: tuple[TypeRow, ...]
    dropped: dict[str, int]
    report: dict[str, Any]

    def __repr__(self) -> str:
        """Return a one-line description of the round."""
        accuracies = ", ".join(f"{k} {s.accuracy:.3f}" for k, s in self.scores.items())
        return f"Round({self.number}: {accuracies or 'not finished'}; {len(self.error_types)} error types)"

    @cached_property
    def attempts(self) -> tuple[Graded, ...]:
        """Return the target model's answers to the pool, with their verdicts."""
        return self._records("attempts", Graded)

    @cached_property
    def bad_cases(self) -> tuple[BadCase, ...]:
        """Return the complete, readable, wrong answers."""
        return self._records("bad_cases", BadCase)

    @cached_property
    def diagnoses(self) -> tuple[Diagnosis, ...]:
        """Return the instructor's diagnosis of each bad case."""
        return self._records("diagnoses", Diagnosis)

    @cached_property
    def keyphrases(self) -> tuple[Keyphrase, ...]:
        """Return the keyphrases of the bad cases."""
        return self._records("keyphrases", Keyphrase)

    @cached_property
    def synthetic(self) -> tuple[SyntheticExample, ...]:
        """Return the new problems that passed all checks."""
        return self._records("synthetic", SyntheticExample)

    @cached_property
    def scored(self) -> tuple[Scored, ...]:
        """Return the refiner's decision on each new problem."""
        return self._records("refined", Scored)

    @property
    def refined(self) -> tuple[SyntheticExample, ...]:
        """Return the new problems kept for training."""
        return tuple(s.example for s in self.scored if s.kept)

    @cached_property
    def rejections(self) -> tuple[Rejection, ...]:
        """Return the dropped items with their reasons."""
        return self._records("dropped", Rejection)

    def _records(self, name: str, kind: type[Row]) -> tuple[Row, ...]:
        path = self.folder / f"{name}.jsonl"
        adapter = pydantic.TypeAdapter(kind)
        found = []
        for number, row in read_jsonl(path, (), remedy=AGAIN):
            try:
                found.append(adapter.validate_python(row))
            except pydantic.ValidationError as e:
                first = e.errors()[0]
                where = ".".join(map(str, first["loc"]))
                raise DataError(
                    f"{path} line {number}: not a {kind.__name__} ({where}: {first['msg']}). Remedy: {AGAIN}."
                ) from e
        return tuple(found)


_TABLES = ("attempts", "bad_cases", "keyphrases", "synthetic", "refined", "scored", "rejections", "error_types")


@dataclass(frozen=True, kw_only=True, repr=False)
class Run:
    """A run as its folder shows it, finished or not.

    ``summary`` is ``summary.json``, empty if the run did not finish. ``baseline``: the base model's scores by set.
    ``config``: the composed config. ``failure``: what ended the run early.
    """

    folder: Path
    summary: dict[str, Any]
    config: dict[str, Any]
    baseline: dict[str, Score]
    rounds: tuple[Round, ...]
    failure: Failure | None = None

    def __repr__(self) -> str:
        """Return a one-line description of the run."""
        ended = f"failed {self.failure.stage}" if self.failure else "finished" if self.finished else "not finished"
        return f"Run({str(self.folder)!r}: {ended}, {len(self.rounds)} rounds)"

    @property
    def finished(self) -> bool:
        """Return whether the run finished."""
        return bool(self.summary) and self.failure is None

    @property
    def best(self) -> Round | None:
        """Return the best round on dev; its model is in ``model/``. ``None`` for the base or an unfinished run."""
        number = self.summary.get("best_round", 0)
        return self.rounds[number - 1] if number else None

    def scores(self) -> list[ScoreRow]:
        """Return a row for every round and set, the base first."""
        stages = [(0, self.baseline), *((r.number, r.scores) for r in self.rounds)]
        return [_score_row(number, name, s, self.baseline) for number, scores in stages for name, s in scores.items()]

    def round(self, number: int) -> Round:
        """Return a round by its number, counted from 1.

        Raises:
            ConfigError: if the run has no such round.
        """
        found = next((r for r in self.rounds if r.number == number), None)
        if found is None:
            there = f"rounds 1 to {len(self.rounds)}" if self.rounds else "no round"
            raise ConfigError(f"round={number!r}: {self.folder} has {there}. Remedy: choose one of these.")
        return found

    def records(self, table: str, round: int | None = None) -> list[tuple[int, Any]]:
        """Return (round, record) pairs of a table, for one round or for all.

        Raises:
            ConfigError: if there is no such table or round.
            DataError: if a file is missing or damaged.
        """
        if table == "scores":
            return [(s.round, s) for s in self.scores() if round in (None, s.round)]
        if table not in _TABLES:
            raise ConfigError(f"{table!r}: no such table. Remedy: one of scores, {', '.join(_TABLES)}.")
        rounds = self.rounds if round is None else (self.round(round),)
        return [(r.number, x) for r in rounds for x in getattr(r, table)]

    def frame(self, table: str = "scores", round: int | None = None) -> pandas.DataFrame:
        """Return a table as a pandas frame: one row per record, with its round.

        Fields of nested records become columns such as ``problem.question``.

        Raises:
            ConfigError: if pandas is not installed, and as ``records``.
            DataError: as ``records``.
        """
        try:
            import pandas
        except ImportError as e:
            raise ConfigError(
                f"frame({table!r}): pandas is not installed ({e}), and sei does not depend on it. Remedy: pip install "
                f"pandas, or run.records({table!r}) for the same rows as records."
            ) from e
        rows = [{"round": n, **flat(record)} for n, record in self.records(table, round)]
        return pandas.DataFrame(rows)


def flat(record: Any, above: str = "") -> dict[str, Any]:
    """Return the fields of a record by name; those of nested records as ``outer.inner``."""
    out: dict[str, Any] = {}
    for f in dataclasses.fields(record):
        value = getattr(record, f.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            out |= flat(value, f"{above}{f.name}.")
        else:
            out[f"{above}{f.name}"] = value
    return out


def _score_row(number: int, name: str, s: Score, baseline: dict[str, Score]) -> ScoreRow:
    low, high = s.ci95
    before = baseline.get(name, s)
    fields = {f.name: getattr(s, f.name) for f in dataclasses.fields(s) if f.name != "ci95"}
    return ScoreRow(round=number, set=name, low=low, high=high, gain=s.accuracy - before.accuracy, **fields)
