"""Outputs in rows: samples of lm-evaluation-harness, attempts of a sei run, and rows of id and output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from sei.data.own import OTHER_NAMES, Line
from sei.errors import DataError
from sei.grading.gold import LayoutError, is_finished, missing
from sei.records import HeldOutProblem, PoolProblem

OUTPUT_NAMES = ("output", "model_output", "response", "completion", "generation", "prediction")
"""Columns that may hold an output; the usual one is first."""

_PROBLEMS: pydantic.TypeAdapter[PoolProblem | HeldOutProblem] = pydantic.TypeAdapter(PoolProblem | HeldOutProblem)
_LEAST = 12  # characters; a shorter text is not taken as part of the question
_GAP = 24  # most characters between such a text and the question in the prompt ("\nQuestion: ")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One output of a file, with the file's data on its problem.

    ``row``: the problem's columns as read by ``sei.data.own``, or only an id. ``problem``: the problem itself, if a sei
    run wrote it. ``output``: ``None`` if the model gave none. ``more``: the number of further outputs in the same row.
    """

    number: int
    id: str
    row: dict[str, Any]
    output: str | None
    finished: bool = True
    unit: str = "line"
    more: int = 0
    problem: PoolProblem | HeldOutProblem | None = None

    @property
    def line(self) -> Line:
        """Return the problem's columns as a line of a file."""
        return Line(self.number, self.row, self.unit)


def of_lm_eval(path: Path, lines: Sequence[Line]) -> list[Sample]:
    """Return samples of lm-evaluation-harness: ``samples_*.jsonl`` of any 0.4 version.

    A document has one row for each filter of its task, with the same outputs in each.

    Raises:
        DataError: naming the line that lacks something, or has likelihoods of options instead of a text.
    """
    out = []
    for line in lines:
        where, row = f"{path} {line.place}", line.row
        doc = row.get("doc")
        if not isinstance(doc, dict):
            raise DataError(f"{where}: doc={doc!r:.80} is not an object. Remedy: use the samples file of lm_eval.")
        texts = _responses(where, row)
        prompt = _prompt(row)
        columns = _with_target(_whole_question(doc, prompt), row.get("target"))
        known = row.get("doc_id")
        out.append(
            Sample(
                number=line.number,
                unit=line.unit,
                id=str(line.number if missing(known) else known),
                row=columns,
                output=texts[0] if texts else None,
                more=max(0, len(texts) - 1),
                finished=row.get("finished") is not False,  # only sei's own samples have this field
            )
        )
    return out


def _responses(where: str, row: dict[str, Any]) -> list[str]:
    """Return the texts that the model generated for a document: one request, answered once or several times."""
    found = row.get("resps")
    if not found:  # only the filtered text exists
        found = [row.get("filtered_resps")]
    requests = found if isinstance(found, list) else [found]
    first = requests[0] if isinstance(requests[0], list) else [requests[0]]
    if len(requests) > 1 or any(isinstance(x, (list, tuple)) for x in first):
        raise DataError(
            f"{where}: resps has likelihoods of {len(requests)} options and no text. Rule: diagnosis needs the text "
            "that a model wrote. Remedy: use a generative task (output_type: generate_until), such as the generative "
            "variant of this one."
        )
    return [x for x in first if isinstance(x, str)]


def _prompt(row: dict[str, Any]) -> str:
    """Return the prompt of a document. ``arguments`` is an object, or a list of lists in the first versions."""
    given = row.get("arguments")
    first = next(iter(given.values()), None) if isinstance(given, dict) else given[0] if given else None
    text = first.get("arg_0") if isinstance(first, dict) else first[0] if isinstance(first, list) and first else first
    return text if isinstance(text, str) else ""


def _whole_question(doc: dict[str, Any], prompt: str) -> dict[str, Any]:
    """Return a document whose question includes the texts shown with it in the prompt: a body, a passage."""
    name = next((x for x in ("question", *OTHER_NAMES["question"]) if isinstance(doc.get(x), str)), None)
    question = str(doc[name]).strip() if name else ""
    at = prompt.rfind(question) if question else -1
    if name is None or at < 0:
        return doc
    spoken = {name, "id", "solution", "rationale", "explanation", *OTHER_NAMES["answer"], "answer"}
    texts = [v.strip() for k, v in doc.items() if k not in spoken and isinstance(v, str) and len(v.strip()) >= _LEAST]
    before: list[str] = []
    shown: set[str] = set()
    while near := [(i, t) for t in texts if (i := prompt.rfind(t, 0, at)) >= 0 and at - i - len(t) <= _GAP]:
        at, text = max(near)
        before.insert(0, text)
        shown.add(text)
    rest = {k: v for k, v in doc.items() if not (isinstance(v, str) and v.strip() in shown)}
    return {**rest, name: "\n".join([*before, question])} if before else doc


def _with_target(doc: dict[str, Any], target: Any) -> dict[str, Any]:
    """Return a document with the task's target as its answer, if it has no answer."""
    names = ("answer", *OTHER_NAMES["answer"], "solution")
    if missing(target) or any(not missing(doc.get(x)) for x in names):
        return doc
    return {**doc, "answer": target}


def of_run(path: Path, lines: Sequence[Line]) -> list[Sample]:
    """Return the samples in ``attempts.jsonl`` or ``evaluation.jsonl`` of a sei run.

    Raises:
        DataError: naming a line that is not such a record.
    """
    out = []
    for line in lines:
        attempt = line.row["attempt"]
        try:
            problem = _PROBLEMS.validate_python(attempt["problem"])
            output, finished, fault = attempt["output"], attempt["finished"], attempt.get("fault")
        except (TypeError, KeyError, pydantic.ValidationError) as e:
            said = " ".join(str(e).split())[:200]
            raise DataError(f"{path} {line.place}: not an attempt of a run ({said}). Remedy: the original file.") from e
        sample = Sample(
            number=line.number,
            unit=line.unit,
            id=problem.id,
            row={},
            output=None if fault else str(output),
            finished=finished is not False,
            problem=problem,
        )
        out.append(sample)
    return out


def of_rows(path: Path, lines: Sequence[Line], column: str, id_column: str) -> list[Sample]:
    """Return samples of rows with an id, an output (``column``), and optional columns of their problems.

    Raises:
        DataError: naming a line without an id or with an output other than text.
    """
    out = []
    for line in lines:
        row, output = line.row, line.row.get(column)
        if isinstance(output, (bool, list, dict)):
            raise DataError(f"{path} {line.place}: {column}={output!r:.80} is not text. Remedy: one output per row.")
        if missing(row.get(id_column)):
            raise DataError(
                f"{path} {line.place}: has no {id_column}; its columns are {sorted(row)}. Rule: outputs are matched "
                "by the ids of their problems. Remedy: write ids."
            )
        known = str(row[id_column])
        try:
            finished = is_finished(row)
        except LayoutError as e:
            raise DataError(f"{path} {line.place}: {e}") from e
        text = None if output is None or (isinstance(output, float) and missing(output)) else _written(output)
        about = {k: v for k, v in row.items() if k not in (column, "finished", *_GRADED)}
        sample = Sample(number=line.number, unit=line.unit, id=known, row=about, output=text, finished=finished)
        out.append(sample)
    return out


_GRADED = ("verdict", "strict_verdict", "extracted", "fault")  # added by python -m sei.grading


def _written(output: Any) -> str:
    return str(getattr(output, "written", output))
