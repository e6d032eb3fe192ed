"""Reads a user's rows from JSON lines, a JSON array, CSV, TSV or Parquet. Errors name file and place.

A CSV cell is text as in the file: ``007`` and ``3.0`` stay. Numbers of JSON and Parquet keep their digits.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sei.errors import DataError
from sei.kinds import kind_of
from sei.parquet import read_parquet
from sei.rows import not_json, numbers_kept, object_of, opened, read_jsonl, require_file, require_utf8

log = logging.getLogger(__name__)

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_LONGEST_CELL = 2**27  # characters; the standard library stops at 131,072


class Table(NamedTuple):
    """Rows with the number of each: the ``line`` where it begins, or the ``row`` if the file has no lines."""

    unit: str
    rows: Iterator[tuple[int, dict[str, Any]]]
    delimiter: str = ""  # of a CSV file


def read_table(path: Path, fields: tuple[str, ...] = (), *, remedy: str = "", written: bool = False) -> Table:
    """Return the rows of a file. Its content and its extension (also before ``.gz``) decide how it is read.

    Every row must have ``fields``. ``written`` is as in ``sei.rows.read_jsonl``.

    Raises:
            DataError: naming the file and the line or row that cannot be read, with rule and remedy; may also be raised
            during iteration over the rows.
    """
    require_file(path, remedy)
    name = path.name.removesuffix(".gz").lower()
    start = _start(path)
    if start.startswith(b"PAR1") or name.endswith((".parquet", ".pq")):
        return Table("row", _with_fields(path, "row", read_parquet(path), fields))
    _require_text(path, start)
    if name.endswith((".csv", ".tsv", ".tab")):
        text = text_of_file(path)
        mark = _mark(path, text, tabs=not name.endswith(".csv"))
        return Table("line", _with_fields(path, "line", _csv(path, text, mark), fields), mark)
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        return Table("row", _array(path, fields, written=written))
    return Table("line", read_jsonl(path, fields, remedy=remedy, written=written))


def text_of_file(path: Path) -> str:
    """Return a text file's content (also gzipped) with its line ends and without a byte order mark.

    Raises:
        DataError: if it is not UTF-8 text, or cannot be read to the end.
    """
    try:
        with opened(path) as f:
            return f.read().decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise DataError(
            f"{path} is not UTF-8 text ({e.reason} at byte {e.start}). Rule: text files are UTF-8. Remedy: save the "
            "file as UTF-8 (a spreadsheet: CSV UTF-8), or fetch it again."
        ) from e
    except (gzip.BadGzipFile, EOFError, zlib.error) as e:
        raise DataError(f"{path}: cannot be read to the end ({e}). Remedy: fetch the file again.") from e


def _start(path: Path) -> bytes:
    try:
        with opened(path) as f:
            return f.read(4096)
    except (gzip.BadGzipFile, EOFError, zlib.error) as e:
        raise DataError(f"{path}: cannot be read to the end ({e}). Remedy: fetch the file again.") from e


def _require_text(path: Path, start: bytes) -> None:
    kind, remedy = kind_of(start)
    if kind:
        raise DataError(
            f"{path} is {kind}. Rule: the formats are JSON lines, a JSON array, CSV, TSV and Parquet. Remedy: {remedy}."
        )
    require_utf8(path, start[:8])


def _with_fields(
    path: Path, unit: str, rows: Iterator[tuple[int, dict[str, Any]]], fields: Sequence[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, row in rows:
        yield number, object_of(f"{path} {unit} {number}", row, fields)


def _array(path: Path, fields: Sequence[str], *, written: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        rows = json.loads(text_of_file(path), **(numbers_kept() if written else {}))
    except (ValueError, RecursionError) as e:
        raise not_json(f"{path}", e, "repair the file, or write one object per line (.jsonl)") from e
    if not isinstance(rows, list):
        raise DataError(f"{path} is not a JSON array. Remedy: write an array of objects, or one object per line.")
    yield from _with_fields(path, "row", iter(enumerate(rows, 1)), fields)


def _csv(path: Path, text: str, mark: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line where the row begins, row), without empty lines and columns without a name."""
    longest = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield from _records(path, csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=mark))
    except csv.Error as e:
        raise DataError(
            f"{path}: {e}. Rule: a cell with the delimiter, a line break or a quote needs double quotes, and "
            'a quote inside it is doubled (""). Remedy: write the file with a CSV writer, or as JSON lines.'
        ) from e
    finally:
        csv.field_size_limit(longest)


def _mark(path: Path, text: str, *, tabs: bool) -> str:
    """Return the delimiter: a tab in TSV, otherwise the one in the header line outside quotes."""
    if tabs:
        return "\t"
    head = next((line for line in text.splitlines() if line.strip()), "")
    bare = "".join(head.split('"')[::2])
    there = [mark for mark in _DELIMITERS if mark in bare]
    if len(there) > 1:
        raise DataError(
            f"{path}: the header line has {' and '.join(_DELIMITERS[x] for x in there)}: {head[:120]!r}. Rule: the "
            "delimiter between cells is not guessed. Remedy: put names that contain one of them into double quotes, "
            "or rename the columns."
        )
    return there[0] if there else ","


def _records(path: Path, reader: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    names: list[str] | None = None
    begin = 1
    for cells in _numbered(reader):
        line, begin = begin, reader.line_num + 1
        if not any(c.strip() for c in cells):
            continue
        if names is None:
            names = [c.strip() for c in cells]
            _require_once(path, names)
            continue
        if len(cells) != len(names):
            raise DataError(
                f"{path} line {line}: has {len(cells)} cells, but the header line has {len(names)}: {names}. Rule: "
                "every row has a cell for each name. Remedy: put a cell with the delimiter or a line break into "
                "double quotes, or repair the line."
            )
        yield line, {n: c.replace("\r\n", "\n") for n, c in zip(names, cells, strict=True) if n}


def _numbered(reader: Any) -> Iterator[list[str]]:
    while True:
        begin = reader.line_num + 1
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as e:
            raise csv.Error(f"the row that begins in line {begin} cannot be read ({e})") from e


def _require_once(path: Path, names: Sequence[str]) -> None:
    twice = [n for n, count in Counter(names).items() if n and count > 1]
    if twice:
        raise DataError(
            f"{path}: the column {twice[0]!r} appears twice. Rule: column names are unique. Remedy: rename one."
        )
