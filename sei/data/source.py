"""Reads rows from a local folder in the hub's schema, or from the hub at a pinned revision."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from sei.errors import DataError
from sei.records import HeldOutProblem, PoolProblem, Role, TrainingExample
from sei.rows import read_jsonl
from sei.store import digest

log = logging.getLogger(__name__)

Limit = Annotated[int, Field(ge=1)] | None
"""The most test problems of a set; ``None`` takes all."""


class Row(NamedTuple):
    """One problem of a data set before it has a role. ``group``: its subject. ``level``: its stated difficulty."""

    id: str
    question: str
    answer: str
    solution: str = ""
    options: tuple[str, ...] = ()
    group: str = ""
    level: str = ""

    def pool(self) -> PoolProblem:
        """Return the row as a training problem."""
        return PoolProblem(
            id=self.id, question=self.question, answer=self.answer, solution=self.solution, options=self.options
        )

    def held_out(self, name: str, role: Role) -> HeldOutProblem:
        """Return the row as a dev or test problem of the set ``name``."""
        return HeldOutProblem(
            id=self.id,
            question=self.question,
            answer=self.answer,
            solution=self.solution,
            options=self.options,
            set=name,
            role=role,
            group=self.group,
            level=self.level,
        )

    def warm_up(self) -> TrainingExample:
        """Return the row as a supervised pair that teaches the answer format."""
        return TrainingExample(id=self.id, question=self.question, solution=self.solution, source="warm_up")


class Place(NamedTuple):
    """The place of one split: a file below the data folder, and the hub's id, configurations and split."""

    file: str
    hub: str = ""
    configs: tuple[str, ...] = ("default",)
    split: str = "test"


def rows_of(
    place: Place, fields: tuple[str, ...], *, folder: str | None, revision: str | None
) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield (file or hub id, line number, row) of a split.

    Raises:
        DataError: naming what is missing and how to get it, or file and line of a broken row.
    """
    if folder is not None:
        root = Path(folder).expanduser()
        path = root / place.file
        if not path.is_file() and (root / place.file.removesuffix(".gz")).is_file():
            path = root / place.file.removesuffix(".gz")
        remedy = "set data_folder=PATH (or SEI_DATA=PATH) to its folder"
        remedy += f", or data_folder=null to read {place.hub} from the hub" if place.hub else ""
        for number, row in read_jsonl(path, fields, remedy=remedy):
            yield str(path), number, row
        return
    yield from _hub_rows(place, fields, revision)


def _hub_rows(place: Place, fields: tuple[str, ...], revision: str | None) -> Iterator[tuple[str, int, dict[str, Any]]]:
    if not place.hub:
        raise DataError(f"{place.file} is only read locally. Remedy: set data_folder=PATH (or SEI_DATA=PATH).")
    if revision is None:
        raise DataError(
            f"data set {place.hub} has no pinned revision. Rule: rows must not change between runs. Remedy: set its "
            "revision=COMMIT (such as benchmarks.college_math.revision=COMMIT), or data_folder=PATH for local files."
        )
    try:
        from datasets import load_dataset
    except ModuleNotFoundError as e:
        raise DataError(
            f"reading {place.hub} from the hub needs the datasets package. Remedy: pip install 'sei[hub]', or set "
            "data_folder=PATH (or SEI_DATA=PATH) to a folder with the same files."
        ) from e
    number = 0
    for config in place.configs:
        try:
            table = load_dataset(place.hub, config, split=place.split, revision=revision)
        except Exception as e:  # the hub's client raises many kinds of errors; all mean that there are no rows
            raise DataError(
                f"{place.hub} ({config}, {place.split}) at {revision} could not be read: {e}. Remedy: check the "
                "network, or set data_folder=PATH."
            ) from e
        for row in table:
            number += 1
            missing = [f for f in fields if f not in row]
            if missing:
                raise DataError(f"{place.hub} row {number}: lacks {missing}; a row needs {list(fields)}.")
            yield place.hub, number, dict(row)


def at_most(rows: Sequence[Row], limit: int | None, name: str) -> list[Row]:
    """Return a slice chosen by content hash. It does not depend on row order, and it contains every smaller slice."""
    if limit is None or limit >= len(rows):
        return list(rows)
    chosen = set(sorted(range(len(rows)), key=lambda i: digest(name, rows[i].question, rows[i].id))[:limit])
    return [r for i, r in enumerate(rows) if i in chosen]


def joined(first: str, question: str) -> str:
    """Return a question with its first part before it, such as a passage."""
    if not first or question.startswith(first):
        return question
    if "\n" in first:
        return f"{first}\n\n{question}"
    return f"{first} {question}" if first[-1] in ".!?:;," else f"{first}, {question}"


def text(where: str, line: int, row: dict[str, Any], name: str) -> str:
    """Return a field as non-empty text.

    Raises:
        DataError: naming file, line and field.
    """
    value = row[name]
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, float) and math.isfinite(value):
        value = str(int(value)) if value.is_integer() else repr(value)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where} line {line}: {name}={value!r} is not text. Remedy: repair or remove the line.")
    return value.strip()


def letter(where: str, line: int, value: Any, count: int) -> str:
    """Return an option letter, checked against the number of options.

    Raises:
        DataError: naming file, line and value.
    """
    found = str(value).strip().strip("()").upper()
    if isinstance(value, int) and not isinstance(value, bool):
        found = chr(ord("A") + value)
    if len(found) != 1 or not 0 <= ord(found) - ord("A") < count:
        raise DataError(f"{where} line {line}: the answer {value!r} is none of its {count} options.")
    return found
