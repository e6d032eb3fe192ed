"""Grade a file of outputs: ``python -m sei.grading FILE [--out FILE]``.

FILE holds JSON lines (also gzipped; or a JSON array, CSV, TSV or Parquet) with ``id``, ``gold`` and ``output``, and for
multiple choice ``question`` and ``options``. ``finished: false`` marks an output that was cut. The file of ``--out``
gets one row each with ``verdict`` (right, wrong, unreadable, error) and ``extracted``; other fields are copied.
``gold`` may be a whole solution, and options may have any layout of docs/data.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from sei.errors import DataError, DiskError, SeiError
from sei.exits import catch_signals, tell
from sei.grading.gold import LayoutError, is_finished, missing, number_text
from sei.grading.grader import MathGrader
from sei.grading.layouts import Answers, Given, evidence, given, resolve
from sei.progress import progress
from sei.records import Problem
from sei.store import write_atomic
from sei.tables import read_table

_ERROR = "error"  # a fault of the grader, never a wrong answer


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file, with numbers as text and missing outputs as ``None``.

    Raises:
        DataError: naming the file and line of a row that lacks a field or has a ``gold`` or ``output`` other than text.
    """
    rows = []
    table = read_table(path, ("id", "gold", "output"), written=True)
    for number, row in table.rows:
        if missing(row["output"]):
            row["output"] = row["output"] if isinstance(row["output"], str) else None
        for name in ("gold", "output"):
            value = row[name]
            if isinstance(value, (bool, list, dict)):
                raise DataError(f"{path} {table.unit} {number}: {name}={value!r} is neither text nor a number.")
            if isinstance(value, (int, float)):
                row[name] = _digits(value)
        if row["gold"] is None or not row["gold"].strip():
            raise DataError(f"{path} {table.unit} {number}: gold is empty. Remedy: give the gold answer.")
        try:
            is_finished(row)
        except LayoutError as e:
            raise DataError(f"{path} {table.unit} {number}: {e}") from e
        rows.append(row)
    return rows


def _digits(value: float) -> str:
    try:
        return number_text(value)
    except LayoutError:
        return str(value)  # NaN and infinity become words, which are refused as gold answers


def problems_of(rows: list[dict[str, Any]], answers: Answers = "auto") -> Iterator[Problem | str]:
    """Yield each row's problem, or a text that says why its gold answer or its options cannot be read."""
    found = [_given(row) for row in rows]
    seen = evidence([(n, g) for n, g in enumerate(found, 1) if isinstance(g, Given)])
    for row, g in zip(rows, found, strict=True):
        if isinstance(g, str):
            yield g
            continue
        try:
            gold, options = resolve(g, seen, answers, setting="--answers", alone=True)
        except LayoutError as e:
            yield str(e)
            continue
        yield Problem(
            id=str(row["id"]),
            question="" if missing(row.get("question")) else str(row["question"]),
            answer=gold,
            options=options,
        )


def _given(row: dict[str, Any]) -> Given | str:
    try:
        return given(row["gold"], row.get("options"), "gold")
    except LayoutError as e:
        return str(e)


def grade(rows: list[dict[str, Any]], grader: MathGrader, answers: Answers = "auto") -> Iterator[dict[str, Any]]:
    """Yield every row with its verdict, in order."""
    problems = list(problems_of(rows, answers))
    pairs = list(zip(rows, problems, strict=True))
    outcomes = grader.grade_all((p, r["output"] or "", is_finished(r)) for r, p in pairs if isinstance(p, Problem))
    for row, problem in pairs:
        if isinstance(problem, str):
            yield {**row, "verdict": _ERROR, "strict_verdict": "unreadable", "extracted": "", "fault": problem}
            continue
        outcome = next(outcomes)
        verdict = _ERROR if outcome.fault else outcome.verdict
        more = {"fault": outcome.fault} if outcome.fault else {}
        graded = {"verdict": verdict, "strict_verdict": outcome.strict_verdict, "extracted": outcome.extracted}
        yield {**row, **graded, **more}


def main() -> int:
    """Grade a file and print the counts; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sei.grading", description=__doc__.split("\n\n")[0])
    parser.add_argument("file", type=Path, help="file of rows with id, gold, output (and question, options)")
    parser.add_argument("--out", type=Path, help="file for the graded rows")
    parser.add_argument("--workers", type=int, help="processes of computer algebra; by default one per core, at most 8")
    parser.add_argument(
        "--answers", choices=get_args(Answers), default="auto", help="how gold answers name options (docs/data.md)"
    )
    parser.add_argument("--seconds", type=float, default=0.6, help="time limit of one reading or comparison")
    args = parser.parse_args()
    if not 1 <= (1 if args.workers is None else args.workers) <= 64 or not 0 < args.seconds <= 60:
        parser.error("--workers must be from 1 to 64, and --seconds above 0 and at most 60")
    rows = read(args.file)
    counts: Counter[str] = Counter()
    lines = []
    with progress("grading", len(rows)) as advance:
        for row in grade(rows, MathGrader(seconds=args.seconds, workers=args.workers), args.answers):
            counts[row["verdict"]] += 1
            lines.append(json.dumps(row, ensure_ascii=False, default=repr).encode("utf-8", "surrogatepass"))
            advance(1)
    if args.out:
        try:
            write_atomic(args.out, b"".join(line + b"\n" for line in lines))
        except OSError as e:
            raise DiskError.of(args.out, e) from e
    share = counts["right"] / max(1, len(rows) - counts[_ERROR])
    found = ", ".join(f"{counts[v]} {v}" for v in ("right", "wrong", "unreadable", _ERROR))
    print(f"{len(rows)} rows: {found}; accuracy {100 * share:.1f} % (without grader errors)")
    return 0


if __name__ == "__main__":
    catch_signals()
    try:
        raise SystemExit(main())
    except SeiError as e:
        sys.exit(tell(e))
