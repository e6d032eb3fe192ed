"""Wrong attempts with a first wrong step marked by people, in the published layouts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sei.card.phrases import type_of
from sei.errors import DataError
from sei.exchange import Stepped
from sei.records import BadCase, PoolProblem
from sei.rows import read_jsonl


@dataclass(frozen=True, kw_only=True)
class Row:
    """A wrong attempt, its first wrong step (counted from 1) and the type of its error, empty if unknown."""

    case: Stepped
    step: int
    type: str = ""

    @property
    def id(self) -> str:
        """Return the id of the problem."""
        return self.case.bad_case.problem.id


@dataclass(frozen=True, kw_only=True)
class Rows:
    """All rows of a source. ``source`` names it. ``left_out`` counts unusable rows by reason.

    ``human``: people marked the steps. Otherwise the steps are known because the attempts were made wrong there.
    """

    source: str
    human: bool
    rows: tuple[Row, ...]
    left_out: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Field names of a published layout. ``first``: the number of the first step; a lower number marks no step."""

    name: str
    question: str
    steps: str
    step: str
    first: int


_LAYOUTS = (
    _Layout(name="sei", question="question", steps="steps", step="first_wrong_step", first=1),
    _Layout(name="sei, one text", question="question", steps="output", step="first_wrong_step", first=1),
    _Layout(name="ProcessBench", question="problem", steps="steps", step="label", first=0),
    _Layout(name="BIG-Bench-Mistake", question="input", steps="steps", step="mistake_index", first=0),
    _Layout(name="bad cases", question="question", steps="model_steps", step="error_step", first=1),
)
_SOLUTIONS = ("solution", "gold_solution", "ground_truth_solution", "reference_solution")
_ANSWERS = ("answer", "gold_answer", "ground_truth_answer", "target")
_REMEDY = (
    "rows with question, steps (a list; or output: a text with one step per line), first_wrong_step (from 1) and "
    "an optional solution; or rows in the layout of ProcessBench, PRM800K or BIG-Bench-Mistake"
)
_NO_STEP = "no wrong step is marked"


def read_rows(path: Path) -> Rows:
    """Read a file of marked attempts: JSON lines, plain or gzipped, or one JSON list.

    Rows without a wrong step (all steps right, or marks incomplete) are left out and counted.

    Raises:
        DataError: if a row has no known layout or marks a step that it does not have (with file and line), if an id is
            used twice, or if no row can be used.
    """
    rows: list[Row] = []
    left_out: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for number, found in _values(path):
        row = _row(f"{path} line {number}", number, _flattened(found))
        if row is None:
            left_out[_NO_STEP] += 1
            continue
        seen[row.id] += 1
        if seen[row.id] > 1:
            raise DataError(
                f"{path} line {number}: the id {row.id!r} is used twice. Rule: ids are unique. Remedy: remove the "
                "copy, or the field id (rows are then numbered)."
            )
        rows.append(row)
    if not rows:
        raise DataError(
            f"{path}: no row marks a wrong step ({left_out.total()} mark none). Remedy: teacher_card_rows=FILE with "
            f"{_REMEDY}."
        )
    return Rows(source=str(path), human=True, rows=tuple(rows), left_out=left_out)


def _values(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield rows with their line numbers. In a file with one JSON list, entries are numbered instead."""
    if path.suffix != ".json" or not path.is_file():
        yield from read_jsonl(path, (), remedy="teacher_card_rows=FILE, " + _REMEDY)
        return
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        yield from read_jsonl(path, ())
        return
    for number, value in enumerate(listed if isinstance(listed, list) else [listed], 1):
        if not isinstance(value, dict):
            raise DataError(f"{path} entry {number}: a {type(value).__name__} is not a row. Remedy: {_REMEDY}.")
        yield number, value


def _flattened(found: dict[str, Any]) -> dict[str, Any]:
    """Convert a PRM800K row (phase 2) to our layout. Return any other row unchanged."""
    question, label = found.get("question"), found.get("label")
    if not isinstance(question, dict) or not isinstance(label, dict):
        return found
    marked = [s.get("completions") or [{}] for s in label.get("steps") or () if isinstance(s, dict)]
    wrong = [i for i, completions in enumerate(marked, 1) if completions[0].get("rating") == -1]
    steps = question.get("pre_generated_steps")
    return {
        "question": question.get("problem"),
        "steps": steps or [],
        "first_wrong_step": wrong[0] if wrong and steps else None,
        "solution": question.get("ground_truth_solution") or "",
        "answer": question.get("ground_truth_answer") or "",
    }


def _row(place: str, number: int, found: dict[str, Any]) -> Row | None:
    """Return a row, or ``None`` if it marks no wrong step."""
    layout = next((x for x in _LAYOUTS if {x.question, x.steps, x.step} <= set(found)), None)
    if layout is None:
        raise DataError(f"{place}: the fields {sorted(found)} match no known layout. Remedy: {_REMEDY}.")
    question, given, step = found[layout.question], found[layout.steps], found[layout.step]
    if step is None or given is None or (isinstance(step, int) and step < layout.first):
        return None
    steps = tuple(x for x in given.split("\n") if x.strip()) if isinstance(given, str) else given
    if not isinstance(steps, (list, tuple)) or not steps or not all(isinstance(x, str) for x in (*steps, question)):
        raise DataError(f"{place}: {layout.question} must be a text and {layout.steps} texts. Remedy: {_REMEDY}.")
    at = step - layout.first + 1 if isinstance(step, int) and not isinstance(step, bool) else 0
    if not 1 <= at <= len(steps):
        raise DataError(
            f"{place}: {layout.step}={step!r}, but there are {len(steps)} steps. Rule ({layout.name}): the number of a "
            f"step, counted from {layout.first}. Remedy: correct the row."
        )
    name = str(found.get("id") or f"row-{number}")
    problem = PoolProblem(id=name, question=question, answer=_text(found, _ANSWERS), solution=_text(found, _SOLUTIONS))
    case = BadCase(problem=problem, output="\n".join(steps), extracted="")
    return Row(case=Stepped(bad_case=case, steps=tuple(steps)), step=at, type=_text(found, ("type",)) or type_of(name))


def _text(found: dict[str, Any], names: tuple[str, ...]) -> str:
    return next((str(found[n]) for n in names if isinstance(found.get(n), (str, int, float))), "")
