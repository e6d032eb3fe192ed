"""A user's own file of problems: which columns hold them, and each row read for certain or refused by line."""

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
"""Names under which data sets of the hub keep a column, for a file that lacks the usual one."""

_SETTING = "data.answers"


class Line(NamedTuple):
    """A row of a file with its number, and what is counted: lines, or rows where a file has no lines."""

    number: int
    row: dict[str, Any]
    unit: str = "line"

    @property
    def place(self) -> str:
        """Return where it stands, such as ``line 3``."""
        return f"{self.unit} {self.number}"


def own_rows(path: Path, name: str, columns: Mapping[str, str], answers: Answers) -> list[Row]:
    """Return the rows of a file; ``name`` stands before their ids.

    ``columns`` holds the names of the columns question, answer, solution, options, id and group.

    Raises:
        DataError: naming file, line, value, rule and remedy.
    """
    table = read_table(path, remedy=f"set data.{name}=PATH to your file", written=True)
    lines = [Line(n, row, table.unit) for n, row in table.rows]
    if not lines:
        raise DataError(f"{path} has no rows. Remedy: set data.{name}=PATH to a file with problems.")
    return rows_of_lines(path, lines, name, columns, answers)


def rows_of_lines(path: Path, lines: list[Line], name: str, columns: Mapping[str, str], answers: Answers) -> list[Row]:
    """Return the problems of rows that were read from ``path``, one each; as ``own_rows``.

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
    """Return the name of every column in a file: the configured one, else the one other name that the file has.

    Where no column has an answer, the solution has to end in one (``answer`` is then an empty name).
    """
    present = {key for line in lines for key in line.row}
    filled = {key for line in lines for key, value in line.row.items() if not missing(value)}
    found, absent = dict(columns), []
    for column, others in OTHER_NAMES.items():
        own = columns[column] == column  # not a name that the user chose
        there = [x for x in others if x in filled and x not in columns.values()] if own else []
        if columns[column] in filled or (columns[column] in present and not there):
            continue
        if len(there) > 1:
            raise DataError(
                f"{path}: there is no column {column!r}, and the {column} may stand in {there}. Rule: which one is not "
                f"guessed. Remedy: {' or '.join(f'data.columns.{column}={x}' for x in there)}."
            )
        if there:
            found[column] = there[0]
            log.info("%s: the %s is read from %r; data.columns.%s=NAME names another", path, column, there[0], column)
        elif column == "answer" and own and columns["solution"] in present:
            found[column] = ""
            log.info("%s: there is no column %r; the answer is what the solution ends in", path, column)
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
            said = f"{name}={row[name]!r} is no text" if name in row else f"lacks {[name]}"
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
    """Return what a row says of its options: one column, or columns A, B, C ... with a text each."""
    listed = row.get(columns["options"])
    if not missing(listed) or columns["options"] not in ("options", *OTHER_NAMES["options"]):
        return listed
    others = [x for x in ("options", *OTHER_NAMES["options"]) if not missing(row.get(x))]
    if others:
        raise LayoutError(
            f"{columns['options']}={listed!r} is missing, and {others} may hold options. Rule: one column of a file "
            f"has them. Remedy: data.columns.options={others[0]}, or repair the line."
        )
    if {"A", "B"} <= row.keys():
        return {letter: row[letter] for letter in LETTERS if letter in row}
    return listed


def _group(value: Any) -> str:
    return "" if missing(value) else str(value or "")


def _require_one_answer(path: Path, lines: list[Line], rows: list[Row]) -> None:
    """Refuse two rows that give one id and one question different answers: one of them is wrong."""
    first: dict[tuple[str, str, tuple[str, ...]], tuple[int, str]] = {}
    for line, row in zip(lines, rows, strict=True):
        number, answer = first.setdefault((row.id, row.question, row.options), (line.number, row.answer))
        if answer != row.answer:
            raise DataError(
                f"{path} {line.unit}s {number} and {line.number}: one id and one question have the answers "
                f"{answer!r} and {row.answer!r}. Rule: a problem has one answer. Remedy: repair or drop one."
            )
