"""``data=gsm8k``, ``math``, ``gsm8k_math``, ``jsonl``: training sets cut into pool and dev, tests beside them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Protocol, runtime_checkable

from pydantic import Field

from sei.data.source import Row, at_most
from sei.errors import ConfigError, DataError
from sei.parts import part
from sei.ports import DataSet
from sei.records import HeldOutProblem, PoolProblem, TrainingExample
from sei.rows import read_jsonl
from sei.signature import masked_signature
from sei.store import digest

log = logging.getLogger(__name__)


@runtime_checkable
class Benchmark(Protocol):
    """A set of test problems."""

    @property
    def name(self) -> str:
        """Return the name that scores are reported under."""
        ...

    def test(self) -> list[Row]:
        """Return the test problems."""
        ...


@runtime_checkable
class TrainingSet(Benchmark, Protocol):
    """A set with a training split as well."""

    def train(self) -> list[Row]:
        """Return the training problems."""
        ...


@part
class Study:
    """One or more training sets with their own test sets as in-domain tests.

    Of every set, ``dev`` rows are cut from the training split by content hash, then ``warm_up`` rows, then
    at most ``pool`` rows (``None``: all others). A training row whose masked signature stands in a test
    set is left out. The cut does not depend on the order of the file.
    """

    version: ClassVar[int] = 1
    sets: dict[str, TrainingSet]
    dev: Annotated[int, Field(ge=1)] = 500
    pool: Annotated[int, Field(ge=10)] | None = None
    warm_up: Annotated[int, Field(ge=0)] = 0

    def load(self) -> DataSet:
        """Read all splits.

        Raises:
            DataError: naming a missing file, a broken row, or a set with too few rows for its dev split.
        """
        pool: list[PoolProblem] = []
        warm: list[TrainingExample] = []
        held: list[HeldOutProblem] = []
        tests = {s.name: s.test() for s in self.sets.values()}
        forbidden = {masked_signature(r.question) for rows in tests.values() for r in rows}
        for s in self.sets.values():
            order = cut_order(s.train(), s.name, forbidden)
            rest = self.dev + self.warm_up
            if len(order) < rest + 1:
                raise DataError(
                    f"{s.name} gives {len(order)} usable training rows; dev={self.dev} and "
                    f"warm_up={self.warm_up} leave none for the pool. Remedy: smaller data.dev."
                )
            end = None if self.pool is None else rest + self.pool
            held += [r.held_out(f"{s.name}_dev", "dev") for r in order[: self.dev]]
            warm += [r.warm_up() for r in order[self.dev : rest]]
            pool += [r.pool() for r in order[rest:end]]
            held += [r.held_out(f"{s.name}_test", "in_domain") for r in tests[s.name]]
        return DataSet(pool=tuple(pool), held_out=tuple(held), warm_up=tuple(warm))


def cut_order(rows: Sequence[Row], name: str, forbidden: set[str]) -> list[Row]:
    """Return training rows in the order of their content hash, each masked signature once, without forbidden ones."""
    distinct: dict[str, Row] = {}
    for r in rows:
        signature = masked_signature(r.question)
        if signature not in forbidden:
            distinct.setdefault(signature, r)
    if left_out := len(rows) - len(distinct):
        log.info("%s: %d of %d training rows stand in a test set or twice and are left out", name, left_out, len(rows))
    return sorted(distinct.values(), key=lambda r: digest(name, r.question))


@part
class Columns:
    """Names of a file's columns; ``solution``, ``options``, ``id`` and ``group`` may be absent from rows."""

    version: ClassVar[int] = 1
    question: str = "question"
    answer: str = "answer"
    solution: str = "solution"
    options: str = "options"
    id: str = "id"
    group: str = "group"


@part
class JsonLines:
    """A user's own files: JSON lines (also gzipped) with a question and a final answer in named columns.

    ``train`` gives pool and dev as in ``Study``; ``test`` is a set of in-domain tests, ``tests`` further ones
    by name (out of domain). Without a ``solution`` an instructor sees the final answer alone.
    """

    version: ClassVar[int] = 1
    train: str
    test: str
    tests: dict[str, str] = Field(default_factory=dict)
    columns: Columns = Field(default_factory=Columns)
    dev: Annotated[int, Field(ge=1)] = 100
    pool: Annotated[int, Field(ge=1)] | None = None
    limit: int | None = None

    def load(self) -> DataSet:
        """Read all files.

        Raises:
            DataError: naming the file and line, and the column that is missing or empty.
        """
        tests = {"test": self._rows(self.test, "test")}
        tests |= {name: self._rows(path, name) for name, path in self.tests.items()}
        forbidden = {masked_signature(r.question) for rows in tests.values() for r in rows}
        order = cut_order(self._rows(self.train, "train"), "train", forbidden)
        if len(order) <= self.dev:
            raise DataError(
                f"{self.train} gives {len(order)} usable rows; dev={self.dev} leaves none for the pool. Remedy: more "
                "rows, or a smaller data.dev."
            )
        end = None if self.pool is None else self.dev + self.pool
        held = [r.held_out("dev", "dev") for r in order[: self.dev]]
        for name, rows in tests.items():
            held += [r.held_out(name, "in_domain" if name == "test" else "out_of_domain") for r in rows]
        return DataSet(pool=tuple(r.pool() for r in order[self.dev : end]), held_out=tuple(held))

    def _rows(self, path: str, name: str) -> list[Row]:
        rows = list(self._read(Path(path).expanduser(), name))
        return rows if name == "train" else at_most(rows, self.limit, name)

    def _read(self, path: Path, name: str) -> Iterator[Row]:
        c = self.columns
        for number, row in read_jsonl(path, (c.question, c.answer), remedy=f"set data.{name}=PATH to your file"):
            found = {k: row.get(getattr(c, k)) for k in ("question", "answer", "solution", "id", "group")}
            for column in ("question", "answer"):
                value = found[column]
                if isinstance(value, (int, float)) and not isinstance(value, bool):
                    value = found[column] = str(value)
                if not isinstance(value, str) or not value.strip():
                    raise DataError(
                        f"{path} line {number}: {getattr(c, column)}={value!r} is no text. Remedy: repair the line, or "
                        f"name another column with data.columns.{column}=NAME."
                    )
            options = row.get(c.options) or ()
            if not isinstance(options, (list, tuple)):
                raise DataError(f"{path} line {number}: {c.options}={options!r} is no list.")
            yield Row(
                f"{name}-{found['id'] if found['id'] is not None else number}",
                str(found["question"]).strip(),
                str(found["answer"]).strip(),
                str(found["solution"] or "").strip(),
                tuple(str(o) for o in options),
                group=str(found["group"] or ""),
            )


def with_benchmarks(data: DataSet, benchmarks: dict[str, Benchmark]) -> DataSet:
    """Add test sets out of domain to a data set; pool problems that stand in one of them are left out.

    Raises:
        ConfigError: when two sets have the same name, or one has a name that cannot stand in a file name.
    """
    names = {p.set for p in data.held_out}
    for name in sorted({*names, *(b.name for b in benchmarks.values())}):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise ConfigError(
                f"data set name {name!r}: letters, digits, - _ . only (it stands in names of files). Remedy: rename it "
                "in the config (data.tests, or the set's name)."
            )
    if not benchmarks:
        return data
    held = list(data.held_out)
    for b in benchmarks.values():
        if b.name in names:
            raise ConfigError(f"benchmarks: {b.name!r} stands twice; scores go by name. Remedy: drop one.")
        names.add(b.name)
        held += [r.held_out(b.name, "out_of_domain") for r in b.test()]
    forbidden = {masked_signature(p.question) for p in held if p.role != "dev"}
    pool = tuple(p for p in data.pool if masked_signature(p.question) not in forbidden)
    if len(pool) < len(data.pool):
        log.info("%d pool problems stand in a benchmark and are left out", len(data.pool) - len(pool))
    return DataSet(pool=pool, held_out=tuple(held), warm_up=data.warm_up)
