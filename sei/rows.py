"""Reading JSON lines, plain or gzipped, with errors that name file and line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sei.errors import DataError


def read_jsonl(path: Path, fields: tuple[str, ...], *, remedy: str = "") -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, row) of a JSONL or gzipped JSONL file; empty lines are passed over.

    Raises:
        DataError: naming file and line where a row is no JSON object or lacks a field, or the missing file.
    """
    if not path.is_file():
        raise DataError(f"data file {path} is missing. Remedy: {remedy or 'check the path'}.")
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", newline="\n") as f:
            for number, line in enumerate(f, 1):
                if line.strip():
                    yield number, _row(path, number, line, fields)
    except (gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as e:
        raise DataError(f"{path}: cannot be read to its end ({e}). Remedy: fetch the file again.") from e


def _row(path: Path, number: int, line: str, fields: tuple[str, ...]) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as e:
        raise DataError(f"{path} line {number}: not JSON ({e}). Remedy: repair or remove the line.") from e
    missing = [x for x in fields if not isinstance(row, dict) or x not in row]
    if missing:
        raise DataError(f"{path} line {number}: lacks {missing}; a row needs {list(fields)}.")
    found: dict[str, Any] = row
    return found
