"""``data=gsm8k``, ``math``, ``gsm8k_math``, ``jsonl``: training sets cut into pool and dev, with their test sets."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Protocol, runtime_checkable

from pydantic import Field

from sei.data.contradicted import reads_otherwise
from sei.data.ids import tell_apart
from sei.data.own import own_rows
from sei.data.source import Limit, Row, at_most
from sei.errors import ConfigError, DataError
from sei.exchange import DataSet
from sei.grading.layouts import Answers
from sei.parts import part
from sei.records import HeldOutProblem, PoolProblem, TrainingExample
from sei.signature import masked_signature
from sei.store import digest

log = logging.getLogger(__name__)
_Each = Annotated[int, Field(ge=1)] | dict[str, Annotated[int, Field(ge=1)]]


@runtime_checkable
class Benchmark(Protocol):
    """A set of test problems."""

    @property
    def name(self) -> str:
        """Return the set's name in scores."""
        ...

    def test(self) -> list[Row]:
        """Return the test problems."""
        ...


@runtime_checkable
class TrainingSet(Benchmark, Protocol):
    """A set that also has a training split."""

    def train(self) -> list[Row]:
        """Return the training problems."""
        ...


@part
class Study:
    """One or more training sets, with their own test sets as in-domain tests.

    From every training split, ``dev`` rows are cut by content hash, then ``warm_up`` rows, then at most ``pool`` rows
    (``None``: all others). ``dev`` and ``pool`` are one number, or one for each set by its name in ``sets``. A training
    row with a masked signature of a test set is left out. The cut does not depend on the order of the file.
    ``warm_up_chars``: the longest solution of a warm-up pair, in characters; ``None``: any. A model learns the length
    of its answers from these pairs, and an answer beyond ``answer_tokens`` is cut.
    """

    identity: ClassVar[str] = "data/study"
    version: ClassVar[int] = 2
    sets: dict[str, TrainingSet]
    dev: _Each = 500
    pool: Annotated[int, Field(ge=10)] | dict[str, Annotated[int, Field(ge=10)]] | None = None
    warm_up: Annotated[int, Field(ge=0)] = 0
    warm_up_chars: Annotated[int, Field(ge=1)] | None = None

    def __post_init__(self) -> None:
        """Refuse sizes for sets that are not there, and sets without a size."""
        for setting, sizes in (("dev", self.dev), ("pool", self.pool)):
            if isinstance(sizes, dict) and sizes.keys() != self.sets.keys():
                named, held = (", ".join(sorted(x)) for x in (sizes, self.sets))
                raise ConfigError(
                    f"data.{setting} names {named}, but data.sets has {held}. Rule: one number for all sets, or one "
                    f"for each. Remedy: data.{setting}={{{held.replace(', ', ': N, ')}: N}}, or a number."
                )

    def load(self) -> DataSet:
        """Read all splits, and make repeated ids unique.

        Raises:
            DataError: naming a missing file, a broken row, or a set with too few rows for its dev split.
            ConfigError: if two sets have the same name.
        """
        pool: list[PoolProblem] = []
        warm: list[TrainingExample] = []
        held: list[HeldOutProblem] = []
        _require_names([s.name for s in self.sets.values()])
        rows = tell_apart(
            {
                f"{s.name} {split}": found
                for s in self.sets.values()
                for split, found in (("test", s.test()), ("train", s.train()))
            }
        )
        tests = {s.name: rows[f"{s.name} test"] for s in self.sets.values()}
        forbidden = {masked_signature(r.question): r for found in tests.values() for r in found}
        for key, s in self.sets.items():
            order = cut_order(rows[f"{s.name} train"], s.name, forbidden)
            dev, most = (x[key] if isinstance(x, dict) else x for x in (self.dev, self.pool))
            assert dev is not None, "only the pool may be None"
            if len(order) < dev + self.warm_up + 1:
                found = rows[f"{s.name} train"]
                remedy = _remedy(found, forbidden).removeprefix("or ")
                raise DataError(
                    f"{s.name}: dev={dev} and warm_up={self.warm_up} leave none of the training rows for the pool, of "
                    f"which {_usable(found, order, forbidden)}. Remedy: {remedy}."
                )
            pairs, rest = self._warm(s.name, order[dev:])
            held += [r.held_out(f"{s.name}_dev", "dev") for r in order[:dev]]
            warm += [r.warm_up() for r in pairs]
            pool += [r.pool() for r in rest[:most]]
            held += [r.held_out(f"{s.name}_test", "in_domain") for r in tests[s.name]]
        return DataSet(pool=tuple(pool), held_out=tuple(held), warm_up=tuple(warm))

    def _warm(self, name: str, rows: list[Row]) -> tuple[list[Row], list[Row]]:
        """Return the first rows whose solutions are short enough, and all others."""
        if self.warm_up_chars is None:
            return rows[: self.warm_up], rows[self.warm_up :]
        short = [r for r in rows if len(r.solution) <= self.warm_up_chars]
        if len(short) < self.warm_up:
            raise DataError(
                f"{name} has {len(short)} training rows with a solution of at most {self.warm_up_chars} characters "
                f"(data.warm_up_chars); data.warm_up={self.warm_up} needs more. Remedy: a larger data.warm_up_chars, "
                "or a smaller data.warm_up."
            )
        taken = short[: self.warm_up]
        ids = {r.id for r in taken}
        return taken, [r for r in rows if r.id not in ids]


def _require_names(names: list[str]) -> None:
    twice = sorted({x for x in names if names.count(x) > 1})
    if twice:
        raise ConfigError(f"data.sets: {twice[0]!r} appears twice. Rule: names of sets are unique. Remedy: drop one.")


def cut_order(rows: Sequence[Row], name: str, forbidden: Mapping[str, Row]) -> list[Row]:
    """Return training rows ordered by content hash, each masked signature once, without forbidden ones.

    ``forbidden``: a test row for each signature. Rows with options repeat each other only if their options and answers
    are equal too, since many have one wording ("Which of these is true?").
    """
    distinct: dict[tuple[str, ...], Row] = {}
    otherwise: list[tuple[Row, Row]] = []  # a row that is left out, and the row that stays with another answer
    for r in rows:
        signature = masked_signature(r.question)
        stays = forbidden.get(signature)
        if stays is None:
            stays = distinct.setdefault((signature, *((*r.options, r.answer) if r.options else ())), r)
        if not (r.options or stays.options) and reads_otherwise(r.answer, stays.answer):
            otherwise.append((r, stays))
    if left_out := len(rows) - len(distinct):
        tested = _tested(rows, forbidden)
        log.info(
            "%s: of %d training rows %d are in a test set and %d repeat another, so they are left out",
            *(name, len(rows), tested, left_out - tested),
        )
    if otherwise:
        out, stays = otherwise[0]
        log.warning(
            "%s: %d of the training rows that are left out have another answer than the row that stays, such as %s "
            "(%s) beside %s (%s): %.80s",
            *(name, len(otherwise), out.id, out.answer[:40], stays.id, stays.answer[:40], out.question),
        )
    return sorted(distinct.values(), key=lambda r: digest(name, r.question, *r.options))


def _tested(rows: Sequence[Row], forbidden: Mapping[str, Row]) -> int:
    return sum(masked_signature(r.question) in forbidden for r in rows)


def _usable(rows: Sequence[Row], order: Sequence[Row], forbidden: Mapping[str, Row]) -> str:
    tested = _tested(rows, forbidden)
    repeated = len(rows) - tested - len(order)
    return f"{len(order)} of {len(rows)} can be used ({tested} are in a test set, {repeated} repeat another)"


def _remedy(rows: Sequence[Row], forbidden: Mapping[str, Row]) -> str:
    if 2 * _tested(rows, forbidden) > len(rows):
        return "or a training file whose problems are not those of the tests"
    return "or a smaller data.dev"


@part
class Columns:
    """Names of a file's columns. Rows may lack ``solution``, ``options``, ``id`` and ``group``.

    If a file lacks the usual name of a column, names from known data sets are tried (docs/data.md). ``context``: a
    column whose text comes before the question; empty for none. ``None``: none, and a file is refused if it has a
    column that usually holds the first part of a problem, or a picture.
    """

    identity: ClassVar[str] = "data/columns"
    version: ClassVar[int] = 2
    question: str = "question"
    context: str | None = None
    answer: str = "answer"
    solution: str = "solution"
    options: str = "options"
    id: str = "id"
    group: str = "group"


@part
class JsonLines:
    """A user's own files (``sei.tables``) with a question and a final answer in named columns.

    ``train`` becomes pool and dev as in ``Study``. ``test``: a set of in-domain tests. ``tests``: further sets by name
    (out of domain). Without a ``solution`` an instructor sees only the final answer. ``answers``: how an answer names
    one of its options: by label, index (from 0 or 1) or text; ``auto``: the only reading that fits the file. For
    possible files see docs/data.md.
    """

    identity: ClassVar[str] = "data/jsonl"
    version: ClassVar[int] = 3
    train: str
    test: str
    tests: dict[str, str] = Field(default_factory=dict)
    columns: Columns = Field(default_factory=Columns)
    answers: Answers = "auto"
    dev: Annotated[int, Field(ge=1)] = 100
    pool: Annotated[int, Field(ge=1)] | None = None
    limit: Limit = None

    def load(self) -> DataSet:
        """Read all files.

        Raises:
            DataError: naming file and line, and the value or column that cannot be read.
            ConfigError: for a name in ``tests`` that is already used.
        """
        if taken := sorted(self.tests.keys() & {"train", "test", "dev"}):
            raise ConfigError(
                f"data.tests: the name {taken[0]!r} is taken. Rule: names of sets are unique. Remedy: rename it."
            )
        files = {"test": self.test} | self.tests | {"train": self.train}
        rows = tell_apart({name: self._rows(path, name) for name, path in files.items()})
        tests = {name: at_most(found, self.limit, name) for name, found in rows.items() if name != "train"}
        forbidden = {masked_signature(r.question): r for found in tests.values() for r in found}
        order = cut_order(rows["train"], "train", forbidden)
        if len(order) <= self.dev:
            raise DataError(
                f"{self.train}: dev={self.dev} leaves none of the rows for the pool, of which "
                f"{_usable(rows['train'], order, forbidden)}. Remedy: more rows, {_remedy(rows['train'], forbidden)}."
            )
        end = None if self.pool is None else self.dev + self.pool
        held = [r.held_out("dev", "dev") for r in order[: self.dev]]
        for name, found in tests.items():
            held += [r.held_out(name, "in_domain" if name == "test" else "out_of_domain") for r in found]
        return DataSet(pool=tuple(r.pool() for r in order[self.dev : end]), held_out=tuple(held))

    def _rows(self, path: str, name: str) -> list[Row]:
        columns = {f.name: getattr(self.columns, f.name) for f in dataclasses.fields(self.columns)}
        return own_rows(Path(path).expanduser(), name, columns, self.answers)
