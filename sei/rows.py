"""Reading JSON lines, plain or gzipped, with errors that name file and line."""

from __future__ import annotations

import codecs
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sei.errors import DataError

_OTHER_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


class WrittenFloat(float):
    """A number that keeps how its file wrote it: digits beyond those of a float, and sizes beyond its range."""

    __slots__ = ("written",)
    written: str

    def __new__(cls, written: str) -> WrittenFloat:
        """Read a number as JSON writes it."""
        number = super().__new__(cls, written)
        number.written = written
        return number


def read_jsonl(
    path: Path, fields: tuple[str, ...], *, remedy: str = "", written: bool = False
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, row) of a JSONL or gzipped JSONL file, without empty lines and a UTF-8 byte order mark.

    ``written``: numbers with a point or an exponent come as ``WrittenFloat``, and a row that names a column twice is
    refused; other readers would take either value.

    Raises:
        DataError: naming file and line where a row is no JSON object or lacks a field, the missing file, or an encoding
            that is not UTF-8.
    """
    if not path.is_file():
        raise DataError(f"data file {path} is missing. Remedy: {remedy or 'check the path'}.")
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as start:
            require_utf8(path, bytes(start.read(8)))
        with opener(path, "rt", encoding="utf-8", newline="\n") as f:
            for number, line in enumerate(f, 1):
                line = line.lstrip("\ufeff")  # also within a file: several were put together
                if line.strip():
                    yield number, _row(path, number, line, fields, written=written)
    except UnicodeDecodeError as e:
        raise DataError(
            f"{path} is no UTF-8 text ({e.reason} at byte {e.start} of a block). Rule: text files are UTF-8. Remedy: "
            "save the file as UTF-8, or fetch it again."
        ) from e
    except (gzip.BadGzipFile, EOFError, zlib.error) as e:
        raise DataError(f"{path}: cannot be read to its end ({e}). Remedy: fetch the file again.") from e


def require_utf8(path: Path, start: bytes) -> None:
    """Refuse a file whose first (eight) bytes show that its text is UTF-16 or UTF-32.

    Raises:
        DataError: with the command that converts it.
    """
    name = next((name for mark, name in _OTHER_ENCODINGS if start.startswith(mark)), "")
    if not name and b"\0" in start[:4]:  # no byte order mark, but ASCII in wide characters
        name = "UTF-32" if start.count(b"\0") > 4 else "UTF-16"
    if name:
        raise DataError(
            f"{path} is {name} text. Rule: text files are UTF-8. Remedy: iconv -f {name} -t UTF-8 {path} > NEW."
        )


class _TwiceError(ValueError):
    """An object names something twice; the message is the name."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(x for x in names if names.count(x) > 1))
    return found


def numbers_kept() -> dict[str, Any]:
    """Return how ``json.loads`` keeps digits and refuses a name that stands twice in an object."""
    return {"parse_float": WrittenFloat, "object_pairs_hook": _once}


def not_json(where: str, error: Exception, remedy: str) -> DataError:
    """Word what ``json.loads`` raised; ``where`` names file and line."""
    if isinstance(error, _TwiceError):
        return DataError(f"{where}: {str(error)!r} stands twice. Rule: a name has one value. Remedy: {remedy}.")
    return DataError(f"{where}: not JSON ({error}). Remedy: {remedy}.")


def object_of(where: str, row: Any, fields: Sequence[str]) -> dict[str, Any]:
    """Return a row that is an object with these fields.

    Raises:
        DataError: naming the place, what the row lacks, and what it has instead.
    """
    if not isinstance(row, dict):
        lacks = f" and lacks {list(fields)}" if fields else ""
        raise DataError(f"{where}: a {type(row).__name__} is no JSON object{lacks}. Remedy: write one object a row.")
    missing = [x for x in fields if x not in row]
    if missing:
        raise DataError(f"{where}: lacks {missing}; a row needs {list(fields)}, and this one has {sorted(row)}.")
    return row


def _row(path: Path, number: int, line: str, fields: Sequence[str], *, written: bool) -> dict[str, Any]:
    where = f"{path} line {number}"
    try:
        row = json.loads(line, **(numbers_kept() if written else {}))
    except (ValueError, RecursionError) as e:
        raise not_json(where, e, "repair or remove the line") from e
    return object_of(where, row, fields)
