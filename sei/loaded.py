"""A run folder in Python: scores, rounds and what each round made, read back as the records that were written."""

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
AGAIN = "run the same settings again into that folder (hydra.run.dir=PATH); what is finished is in the store"


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """The score of one stage on one set; ``round`` 0 is the base.

    Accuracies are shares (0 to 1); ``low`` to ``high`` is the 95 % interval of ``accuracy``, ``gain`` is its difference
    to the base. The other fields are those of ``sei.records.Score``.
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
    """An error type of a round, with how many bad cases it holds; ``stable`` is its name over all rounds."""

    name: str
    stable: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What ended a run early: the stage of the round (0: the base), the exit code of the command, and its words."""

    stage: str
    round: int
    exit_code: int
    error: str


@dataclass(frozen=True, kw_only=True, repr=False)
class Round:
    """One round. Scores, types and counts are there at once; records are read from its files when asked for.

    A round that a run did not finish has no scores; its records are those that it had made.

    Raises:
        DataError: where a file is missing or damaged, when it is read.
    """

    number: int
    folder: Path
    scores: dict[str, Score]
    error_types: tuple[TypeRow, ...]
    dropped: dict[str, int]
    report: dict[str, Any]

    def __repr__(self) -> str:
        """Return what there is of the round, in a line."""
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
        """Return what the instructor said of each bad case."""
        return self._records("diagnoses", Diagnosis)

    @cached_property
    def keyphrases(self) -> tuple[Keyphrase, ...]:
        """Return the phrases that name the error of each bad case."""
        return self._records("keyphrases", Keyphrase)

    @cached_property
    def synthetic(self) -> tuple[SyntheticExample, ...]:
        """Return the new problems that passed all checks."""
        return self._records("synthetic", SyntheticExample)

    @cached_property
    def scored(self) -> tuple[Scored, ...]:
        """Return the refiner's decision on each of them."""
        return self._records("refined", Scored)

    @property
    def refined(self) -> tuple[SyntheticExample, ...]:
        """Return those that were kept for training."""
        return tuple(s.example for s in self.scored if s.kept)

    @cached_property
    def rejections(self) -> tuple[Rejection, ...]:
        """Return what was dropped, with its reason."""
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
                    f"{path} line {number}: no {kind.__name__} ({where}: {first['msg']}). Remedy: {AGAIN}."
                ) from e
        return tuple(found)


_TABLES = ("attempts", "bad_cases", "keyphrases", "synthetic", "refined", "scored", "rejections", "error_types")


@dataclass(frozen=True, kw_only=True, repr=False)
class Run:
    """A run as its folder tells of it, whether finished or not.

    ``summary`` is ``summary.json``, empty where the run never came to its end; ``baseline`` are the base model's scores
    by set; ``config`` is what the run was composed of; ``failure`` says what ended it early.
    """

    folder: Path
    summary: dict[str, Any]
    config: dict[str, Any]
    baseline: dict[str, Score]
    rounds: tuple[Round, ...]
    failure: Failure | None = None

    def __repr__(self) -> str:
        """Return what became of the run, in a line."""
        ended = f"failed {self.failure.stage}" if self.failure else "finished" if self.finished else "not finished"
        return f"Run({str(self.folder)!r}: {ended}, {len(self.rounds)} rounds)"

    @property
    def finished(self) -> bool:
        """Return whether the run came to its end."""
        return bool(self.summary) and self.failure is None

    @property
    def best(self) -> Round | None:
        """Return the round that is best on dev, whose model is in ``model/``; ``None``: the base, or no end yet."""
        number = self.summary.get("best_round", 0)
        return self.rounds[number - 1] if number else None

    def scores(self) -> list[ScoreRow]:
        """Return a row for every stage and set: the base first, then each round."""
        stages = [(0, self.baseline), *((r.number, r.scores) for r in self.rounds)]
        return [_score_row(number, name, s, self.baseline) for number, scores in stages for name, s in scores.items()]

    def round(self, number: int) -> Round:
        """Return a round by its number, the first of which is 1.

        Raises:
            ConfigError: where the run has no such round.
        """
        found = next((r for r in self.rounds if r.number == number), None)
        if found is None:
            there = f"rounds 1 to {len(self.rounds)}" if self.rounds else "no round"
            raise ConfigError(f"round={number!r}: {self.folder} has {there}. Remedy: a number among them.")
        return found

    def records(self, table: str, round: int | None = None) -> list[tuple[int, Any]]:
        """Return (round, record) of a table: of one round, or of all.

        Raises:
            ConfigError: where there is no such table or round.
            DataError: where a file is missing or damaged.
        """
        if table == "scores":
            return [(s.round, s) for s in self.scores() if round in (None, s.round)]
        if table not in _TABLES:
            raise ConfigError(f"{table!r}: no such table. Remedy: one of scores, {', '.join(_TABLES)}.")
        rounds = self.rounds if round is None else (self.round(round),)
        return [(r.number, x) for r in rounds for x in getattr(r, table)]

    def frame(self, table: str = "scores", round: int | None = None) -> pandas.DataFrame:
        """Return a table as a pandas frame: a row for each record, with its round.

        What a record holds inside another stands in columns such as ``problem.question``.

        Raises:
            ConfigError: where pandas is not installed, and as ``records``.
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
    """Return the fields of a record by name; those of records inside it as ``outer.inner``."""
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
