"""A user's own file of problems: finds its columns, and reads each row, or refuses it and names its line."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sei.data.contradicted import consistent
from sei.data.nested import layout_remedy
from sei.data.source import Row, joined
from sei.data.whole import require_whole_questions
from sei.errors import DataError
from sei.grading.choices import options_of
from sei.grading.gold import LayoutError, missing, require_sound, stated_in, text_of
from sei.grading.layouts import Answers, Given, evidence, given, resolve
from sei.grading.options import LETTERS
from sei.tables import read_table

log = logging.getLogger(__name__)

ColumnNames = dict[str, Any]
"""The file's name for each column, a text; ``None`` for a ``context`` that is not chosen."""

OTHER_NAMES = {
    "question": ("problem", "Problem", "Question", "query", "input"),
    "answer": (
        *("answerKey", "correct", "answer_value", "label", "target", "final_answer", "expected_answer", "gold"),
        "Answer",
    ),
    "options": ("choices", "answer_option_list", "endings"),
}
"""Column names in data sets of the hub, for a file without the usual name."""

_SETTING = "data.answers"
_ONE_EACH = re.compile(r"((?:option|choice|ending)[ _-]?)([A-Ja-j]|\d{1,2})|(op)([a-j])|()([A-J])")
"""Columns that hold one option each: ``A``, ``option_a``, ``option1``, ``opa``, ``choice_1``; not ``a``."""
_MARKED = re.compile(r"(?<![A-Za-z])(?:\(?[Bb]\)|B[.:])")  # options inside the question
_DECIMAL_COMMA = re.compile(r"[-+]?(?:\d+,(?:\d{1,2}|\d{4,})|0,\d+|\d{1,3}(?:\.\d{3})+,\d+)\s?%?")  # not 1,234


class Line(NamedTuple):
    """A row of a file with its number and unit: lines, or rows if the file has no lines."""

    number: int
    row: dict[str, Any]
    unit: str = "line"

    @property
    def place(self) -> str:
        """Return its place, such as ``line 3``."""
        return f"{self.unit} {self.number}"


def own_rows(path: Path, name: str, columns: Mapping[str, Any], answers: Answers) -> list[Row]:
    """Return the rows of a file; their ids begin with ``name``.

    ``columns``: the file's names for the columns question, context, answer, solution, options, id and group.

    Raises:
        DataError: naming file, line, value, rule and remedy.
    """
    table = read_table(path, remedy=f"set data.{name}=PATH to your file", written=True)
    lines = [Line(n, row, table.unit) for n, row in table.rows]
    if not lines:
        raise DataError(f"{path} has no rows. Remedy: set data.{name}=PATH to a file with problems.")
    rows = rows_of_lines(path, lines, name, columns, answers)
    if table.delimiter == ";":
        _require_points(path, lines, rows)
    if columns.get("context") == "":
        return rows  # a part of each problem is left out on purpose, so questions repeat
    return consistent(path, table.unit, [line.number for line in lines], rows)


def rows_of_lines(path: Path, lines: list[Line], name: str, columns: Mapping[str, Any], answers: Answers) -> list[Row]:
    """Return the problems of rows read from ``path``, one each; as ``own_rows``.

    Raises:
        DataError: naming file, line, value, rule and remedy.
    """
    found = _columns(path, lines, columns)
    require_whole_questions(path, [(line.place, line.row) for line in lines], found)
    texts = [_read(path, line, found, len(lines)) for line in lines]
    seen = evidence([(line.number, x[2]) for line, x in zip(lines, texts, strict=True)], lines[0].unit)
    rows = []
    for line, (question, solution, row) in zip(lines, texts, strict=True):
        try:
            answer, options = resolve(row, seen, answers, setting=_SETTING)
            for column in ("id", "group"):
                _require_sound(line.row.get(found[column]), found[column])
        except LayoutError as e:
            raise DataError(f"{path} {line.place}: {e}") from e
        known = line.row.get(found["id"])
        identity, group = f"{name}-{line.number if missing(known) else known}", _group(line.row.get(found["group"]))
        rows.append(Row(identity, question, answer, solution or row.solution, options, group=group))
    _require_one_answer(path, lines, rows)
    _require_options(path, lines, rows, answers)
    return rows


def _columns(path: Path, lines: list[Line], columns: Mapping[str, Any]) -> ColumnNames:
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
        layout = layout_remedy(lines[0].row, alone=len(lines) == 1)
        raise DataError(
            f"{path} {lines[0].place}: lacks {[columns[x] for x in absent]}; its columns are {sorted(present)}. "
            "Rule: a row needs a question and a final answer. Remedy: "
            f"{layout or ' '.join(f'data.columns.{x}=NAME' for x in absent)}."
        )
    return found


def _read(path: Path, line: Line, columns: Mapping[str, Any], count: int) -> tuple[str, str, Given]:
    """Return a row's question, its worked solution (may be empty), and its answer and options."""
    row, where = line.row, f"{path} {line.place}"
    for column, unfit in (("question", (bool, list, dict)), ("answer", (bool, dict))):
        name = columns[column]
        if name and (missing(row.get(name)) or isinstance(row[name], unfit)):
            said = f"{name}={row[name]!r:.120} is not text" if name in row else f"lacks {[name]}"
            nested = isinstance(row.get(name), (list, dict))
            layout = layout_remedy(row, alone=count == 1, column=name) if nested else ""
            remedy = layout or f"repair or drop the line, or name another column with data.columns.{column}=NAME"
            raise DataError(
                f"{where}: {said}; its columns are {sorted(row)}. Rule: every row has one. Remedy: {remedy}."
            )
    try:
        question = text_of(row[columns["question"]], columns["question"])
        if columns.get("context"):
            question = joined(text_of(row.get(columns["context"]), columns["context"]), question)
        solution = text_of(row.get(columns["solution"]), columns["solution"])
        if columns["answer"]:
            answer: Any = row[columns["answer"]]
        else:
            answer = stated_in(solution, columns["solution"])
        return question, solution, given(answer, _options(row, columns), columns["answer"] or columns["solution"])
    except LayoutError as e:
        raise DataError(f"{where}: {e}") from e


def _options(row: dict[str, Any], columns: Mapping[str, Any]) -> Any:
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
    return _one_each(row, set(columns.values())) or listed


def _one_each(row: Mapping[str, Any], taken: set[str]) -> Any:
    """Return the options of columns with one option each: letters to texts, or a list if the columns are numbered.

    Raises:
        LayoutError: if there are several such families of columns, or if a numbered one has a gap.
    """
    families: dict[str, dict[str, str]] = {}
    for name in row.keys() - taken:
        if m := _ONE_EACH.fullmatch(name):
            head, label = next((m[i], m[i + 1]) for i in (1, 3, 5) if m[i + 1])
            families.setdefault(head, {})[label.upper()] = name
    whole = {
        head: names
        for head, names in families.items()
        if any(set(labels[:2]) <= names.keys() for labels in (LETTERS, "12", "01"))
    }
    if len(whole) > 1:
        raise LayoutError(
            f"columns {sorted(n for names in whole.values() for n in names.values())} may hold options. Rule: the "
            "options are not guessed. Remedy: put them into one column, and set data.columns.options=NAME."
        )
    for names in whole.values():
        if "A" in names:
            return {a: row[names[a]] for a in sorted(names) if not missing(row[names[a]])} or None
        texts = [row[names[n]] for n in sorted(names, key=int)]
        while texts and missing(texts[-1]):
            texts.pop()
        if any(missing(x) for x in texts):
            raise LayoutError(
                f"columns {sorted(names.values())} have a gap: {texts}. Rule: options are numbered in order. Remedy: "
                "repair or drop the row."
            )
        return texts or None
    return None


def _require_points(path: Path, lines: list[Line], rows: list[Row]) -> None:
    """Refuse decimal commas, which spreadsheets write if a semicolon stands between cells."""
    for line, row in zip(lines, rows, strict=True):
        if _DECIMAL_COMMA.fullmatch(row.answer):
            raise DataError(
                f"{path} {line.place}: the answer {row.answer!r} has a decimal comma, or is a list. Rule: numbers have "
                "a decimal point, and a comma separates values or groups of three digits. Remedy: save the file with "
                "decimal points, or write a list with blanks (1, 2)."
            )


def _shows_options(question: str) -> bool:
    return bool(options_of((), question)) or _MARKED.search(question) is not None


def _require_options(path: Path, lines: list[Line], rows: list[Row], answers: Answers) -> None:
    """Refuse a file whose answers are mostly letters of options that nobody sees."""
    bare = [
        (line, row)
        for line, row in zip(lines, rows, strict=True)
        if not row.options and re.fullmatch(r"\(?[A-Ja-j]\)?", row.answer) and not _shows_options(row.question)
    ]
    if answers == "auto" and len(rows) > 1 and 2 * len(bare) > len(rows):
        line, row = bare[0]
        raise DataError(
            f"{path} {line.place}: the answer {row.answer!r} may be the letter of an option, as in most rows, and its "
            f"row has none; the columns are {sorted(line.row)}. Rule: a model must see the options. Remedy: "
            f"data.columns.options=NAME, or {_SETTING}=value if the letter itself is the answer."
        )


def _require_sound(value: Any, name: str) -> None:
    try:
        require_sound(str(value))
    except LayoutError as e:
        raise LayoutError(f"{name}={e}") from e


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
