"""Outputs in rows: samples of lm-evaluation-harness, attempts of a run of sei, and rows of id and output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from sei.data.own import OTHER_NAMES, Line
from sei.errors import DataError
from sei.grading.gold import missing
from sei.records import HeldOutProblem, PoolProblem

OUTPUT_NAMES = ("output", "model_output", "response", "completion", "generation", "prediction")
"""Columns that may hold an output, the usual one first."""

_PROBLEMS: pydantic.TypeAdapter[PoolProblem | HeldOutProblem] = pydantic.TypeAdapter(PoolProblem | HeldOutProblem)
_LEAST = 12  # characters of a text of a document that may be a part of its question ...
_GAP = 24  # ... and at most so many characters before it in the prompt ("\nQuestion: ")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One output of a file, with what the file says of its problem.

    ``row``: columns of the problem, as ``sei.data.own`` reads them; only an id where the file has no more. ``problem``:
    the problem itself, where a run of sei wrote it. ``output`` is ``None`` where the model gave none. ``more``: how
    many further outputs the same row holds.
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
    """Return samples of lm-evaluation-harness: ``samples_*.jsonl`` of 0.4, also of its first versions.

    A document stands in as many rows as its task has filters, each with the same outputs.

    Raises:
        DataError: naming the line that lacks something, or holds likelihoods of options in the place of a text.
    """
    out = []
    for line in lines:
        where, row = f"{path} {line.place}", line.row
        doc = row.get("doc")
        if not isinstance(doc, dict):
            raise DataError(f"{where}: doc={doc!r:.80} is no object. Remedy: the samples file as lm_eval wrote it.")
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
                finished=row.get("finished") is not False,  # our own samples say so
            )
        )
    return out


def _responses(where: str, row: dict[str, Any]) -> list[str]:
    """Return the texts that the model gave for a document: one request, asked once or several times."""
    found = row.get("resps")
    if not found:  # only what a filter made of it is there
        found = [row.get("filtered_resps")]
    requests = found if isinstance(found, list) else [found]
    first = requests[0] if isinstance(requests[0], list) else [requests[0]]
    if len(requests) > 1 or any(isinstance(x, (list, tuple)) for x in first):
        raise DataError(
            f"{where}: resps holds likelihoods of {len(requests)} options and no text. Rule: errors are diagnosed from "
            "what a model wrote. Remedy: a task that generates (output_type: generate_until), such as the generative "
            "variant of this one."
        )
    return [x for x in first if isinstance(x, str)]


def _prompt(row: dict[str, Any]) -> str:
    """Return the prompt of a document: ``arguments`` is an object, and was a list of lists in the first versions."""
    given = row.get("arguments")
    first = next(iter(given.values()), None) if isinstance(given, dict) else given[0] if given else None
    text = first.get("arg_0") if isinstance(first, dict) else first[0] if isinstance(first, list) and first else first
    return text if isinstance(text, str) else ""


def _whole_question(doc: dict[str, Any], prompt: str) -> dict[str, Any]:
    """Return a document whose question holds the texts that its prompt shows beside it: a body, a passage."""
    name = next((x for x in ("question", *OTHER_NAMES["question"]) if isinstance(doc.get(x), str)), None)
    question = str(doc[name]).strip() if name else ""
    at = prompt.rfind(question) if question else -1
    if name is None or at < 0:
        return doc
    spoken = {name, "id", "solution", "rationale", "explanation", *OTHER_NAMES["answer"], "answer"}
    texts = [v.strip() for k, v in doc.items() if k not in spoken and isinstance(v, str) and len(v.strip()) >= _LEAST]
    before: list[str] = []
    while near := [(i, t) for t in texts if (i := prompt.rfind(t, 0, at)) >= 0 and at - i - len(t) <= _GAP]:
        at, text = max(near)
        before.insert(0, text)
    return {**doc, name: "\n".join([*before, question])} if before else doc


def _with_target(doc: dict[str, Any], target: Any) -> dict[str, Any]:
    """Return a document with the task's target as its answer, where it has none of its own."""
    names = ("answer", *OTHER_NAMES["answer"], "solution")
    if missing(target) or any(not missing(doc.get(x)) for x in names):
        return doc
    return {**doc, "answer": target}


def of_run(path: Path, lines: Sequence[Line]) -> list[Sample]:
    """Return the samples of ``attempts.jsonl`` or ``evaluation.jsonl`` of a run of sei.

    Raises:
        DataError: naming a line that is none of its records.
    """
    out = []
    for line in lines:
        attempt = line.row["attempt"]
        try:
            problem = _PROBLEMS.validate_python(attempt["problem"])
            output, finished, fault = attempt["output"], attempt["finished"], attempt.get("fault")
        except (TypeError, KeyError, pydantic.ValidationError) as e:
            said = " ".join(str(e).split())[:200]
            raise DataError(f"{path} {line.place}: is no attempt of a run ({said}). Remedy: the file as it was.") from e
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
    """Return samples of rows with an id and an output (``column``), and whatever they say of their problems.

    Raises:
        DataError: naming a line without an id, or whose output is no text.
    """
    out = []
    for line in lines:
        row, output = line.row, line.row.get(column)
        if isinstance(output, (bool, list, dict)):
            raise DataError(f"{path} {line.place}: {column}={output!r:.80} is no text. Remedy: one output a row.")
        if missing(row.get(id_column)):
            raise DataError(
                f"{path} {line.place}: has no {id_column}; its columns are {sorted(row)}. Rule: outputs are told apart "
                "by the id of their problem. Remedy: write ids."
            )
        known = str(row[id_column])
        said = row.get("finished", True)
        cut = said.strip().casefold() in ("false", "0", "no") if isinstance(said, str) else said is False
        text = None if output is None or (isinstance(output, float) and missing(output)) else _written(output)
        about = {k: v for k, v in row.items() if k not in (column, "finished", *_GRADED)}
        sample = Sample(number=line.number, unit=line.unit, id=known, row=about, output=text, finished=not cut)
        out.append(sample)
    return out


_GRADED = ("verdict", "strict_verdict", "extracted", "fault")  # what python -m sei.grading adds


def _written(output: Any) -> str:
    return str(getattr(output, "written", output))
