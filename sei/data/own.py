"""A user's own file of problems: finds its columns, and reads each row, or refuses it and names its line."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sei.data.source import Row
from sei.errors import DataError
from sei.grading.gold import LayoutError, missing, stated_in, text_of
from sei.grading.layouts import Answers, Given, evidence, given, resolve
from sei.grading.options import LETTERS
from sei.tables import read_table

log = logging.getLogger(__name__)

OTHER_NAMES = {
    "question": ("problem", "Problem", "Question", "query", "input"),
    "answer": ("answerKey", "correct", "answer_value", "label", "target", "final_answer", "gold", "Answer"),
    "options": ("choices", "answer_option_list", "endings"),
}
"""Column names in data sets of the hub, for a file without the usual name."""

_SETTING = "data.answers"


class Line(NamedTuple):
    """A row of a file with its number and unit: lines, or rows if the file has no lines."""

    number: int
    row: dict[str, Any]
    unit: str = "line"

    @property
    def place(self) -> str:
        """Return its place, such as ``line 3``."""
        return f"{self.unit} {self.number}"


def own_rows(path: Path, name: str, columns: Mapping[str, str], answers: Answers) -> list[Row]:
    """Return the rows of a file; their ids begin with ``name``.

    ``columns``: the file's names for the columns question, answer, solution, options, id and group.

    Raises:
        DataError: naming file, line, value, rule and remedy.
    """
    table = read_table(path, remedy=f"set data.{name}=PATH to your file", written=True)
    lines = [Line(n, row, table.unit) for n, row in table.rows]
    if not lines:
        raise DataError(f"{path} has no rows. Remedy: set data.{name}=PATH to a file with problems.")
    return rows_of_lines(path, lines, name, columns, answers)


def rows_of_lines(path: Path, lines: list[Line], name: str, columns: Mapping[str, str], answers: Answers) -> list[Row]:
    """Return the problems of rows read from ``path``, one each; as ``own_rows``.

    Raises:
        DataError: naming file, line, value, rule and remedy.
    """
    found = _columns(path, lines, columns)
    texts = [_read(path, line, found) for line in lines]
    seen = evidence([(line.number, x[2]) for line, x in zip(lines, texts, strict=True)], lines[0].unit)
    rows = []
    for line, (question, solution, row) in zip(lines, texts, strict=True):
        try:
            answer, options = resolve(row, seen, answers, setting=_SETTING)
        except LayoutError as e:
            raise DataError(f"{path} {line.place}: {e}") from e
        known = line.row.get(found["id"])
        rows.append(
            Row(
                f"{name}-{line.number if missing(known) else known}",
                question,
                answer,
                solution or row.solution,
                options,
                group=_group(line.row.get(found["group"])),
            )
        )
    _require_one_answer(path, lines, rows)
    return rows


def _columns(path: Path, lines: list[Line], columns: Mapping[str, str]) -> dict[str, str]:
    """Return the name of every column in a file: the configured one, or the only alternative that the file has.

    Without an answer column, the solution has to end in the answer (``answer`` is then an empty name).
    """
    present = {key for line in lines for key in line.row}
    filled = {key for line in lines for key, value in line.row.items() if not missing(value)}
    found, absent = dict(columns), []
    for column, others in OTHER_NAMES.items():
        own = columns[column] == column  # the default, not the user's choice
        there = [x for x in others if x in filled and x not in columns.values()] if own else []
        if columns[column] in filled or (columns[column] in present and not there):
            continue
        if len(there) > 1:
            raise DataError(
                f"{path}: there is no column {column!r}, and the {column} may be in {there}. Rule: the column is not "
                f"guessed. Remedy: {' or '.join(f'data.columns.{column}={x}' for x in there)}."
            )
        if there:
            found[column] = there[0]
            log.info("%s: the %s is read from %r; data.columns.%s=NAME changes this", path, column, there[0], column)
        elif column == "answer" and own and columns["solution"] in present:
            found[column] = ""
            log.info("%s: there is no column %r; the answer is taken from the end of the solution", path, column)
        elif column != "options":
            absent.append(column)
    if absent:
        absent = [x for x in ("question", "answer") if columns[x] not in present]
        raise DataError(
            f"{path} {lines[0].place}: lacks {[columns[x] for x in absent]}; its columns are {sorted(present)}. "
            "Rule: a row needs a question and a final answer. Remedy: "
            f"{' '.join(f'data.columns.{x}=NAME' for x in absent)}."
        )
    return found


def _read(path: Path, line: Line, columns: Mapping[str, str]) -> tuple[str, str, Given]:
    """Return a row's question, its worked solution (may be empty), and its answer and options."""
    row, where = line.row, f"{path} {line.place}"
    for column, unfit in (("question", (bool, list, dict)), ("answer", (bool, dict))):
        name = columns[column]
        if name and (missing(row.get(name)) or isinstance(row[name], unfit)):
            said = f"{name}={row[name]!r} is not text" if name in row else f"lacks {[name]}"
            raise DataError(
                f"{where}: {said}; its columns are {sorted(row)}. Rule: every row has one. Remedy: repair or "
                f"drop the line, or name another column with data.columns.{column}=NAME."
            )
    try:
        question = text_of(row[columns["question"]], columns["question"])
        solution = text_of(row.get(columns["solution"]), columns["solution"])
        if columns["answer"]:
            answer: Any = row[columns["answer"]]
        else:
            answer = stated_in(solution, columns["solution"])
        return question, solution, given(answer, _options(row, columns), columns["answer"] or columns["solution"])
    except LayoutError as e:
        raise DataError(f"{where}: {e}") from e


def _options(row: dict[str, Any], columns: Mapping[str, str]) -> Any:
    """Return a row's options: from one column, or from columns A, B, C ... with one text each."""
    listed = row.get(columns["options"])
    if not missing(listed) or columns["options"] not in ("options", *OTHER_NAMES["options"]):
        return listed
    others = [x for x in ("options", *OTHER_NAMES["options"]) if not missing(row.get(x))]
    if others:
        raise LayoutError(
            f"{columns['options']}={listed!r} is missing, and {others} may hold options. Rule: the options are in one "
            f"column. Remedy: data.columns.options={others[0]}, or repair the line."
        )
    if {"A", "B"} <= row.keys():
        return {letter: row[letter] for letter in LETTERS if letter in row}
    return listed


def _group(value: Any) -> str:
    return "" if missing(value) else str(value or "")


def _require_one_answer(path: Path, lines: list[Line], rows: list[Row]) -> None:
    """Refuse two rows with the same id and question but different answers, since one must be wrong."""
    first: dict[tuple[str, str, tuple[str, ...]], tuple[int, str]] = {}
    for line, row in zip(lines, rows, strict=True):
        number, answer = first.setdefault((row.id, row.question, row.options), (line.number, row.answer))
        if answer != row.answer:
            raise DataError(
                f"{path} {line.unit}s {number} and {line.number}: the same id and question have the answers {answer!r} "
                f"and {row.answer!r}. Rule: a problem has one answer. Remedy: repair or drop one."
            )
