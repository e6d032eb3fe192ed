"""Reads JSON lines, plain or gzipped. Errors name file and line."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from sei.errors import DataError
from sei.kinds import GZIP

_OTHER_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)

ONE_A_LINE = "write one object a line (pandas: to_json(FILE, orient='records', lines=True))"
"""A remedy for files of another layout."""


class WrittenFloat(float):
    """A float that remembers its text in the file, so no digits are lost and no size overflows."""

    __slots__ = ("written",)
    written: str

    def __new__(cls, written: str) -> WrittenFloat:
        """Read a number from its JSON text."""
        number = super().__new__(cls, written)
        number.written = written
        return number


def require_file(path: Path, remedy: str = "") -> None:
    """Refuse a path that is no file; ``remedy`` says how to get it.

    Raises:
        DataError: saying whether it is missing or a folder.
    """
    if path.is_dir():
        held = sorted(p.name for p in path.iterdir())[:5]
        raise DataError(
            f"data file {path} is a folder ({', '.join(held) or 'empty'}). Rule: a file of JSON lines, JSON, CSV, TSV "
            "or Parquet. Remedy: name a file in it (a data set of the datasets library: to_json(FILE) or "
            "to_parquet(FILE))."
        )
    if not path.is_file():
        raise DataError(f"data file {path} is missing. Remedy: {remedy or 'check the path'}.")


def read_jsonl(
    path: Path, fields: tuple[str, ...], *, remedy: str = "", written: bool = False
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, row) of a JSONL or gzipped JSONL file, without empty lines and UTF-8 byte order marks.

    ``written``: numbers with a point or an exponent become ``WrittenFloat``, and a row that repeats a name is refused,
    since other readers would take either value.

    Raises:
            DataError: if the file is missing or not UTF-8, or, with the line, if a row is not a JSON object or lacks a
            field.
    """
    require_file(path, remedy)
    try:
        with opened(path) as start:
            require_utf8(path, start.read(8))
        with io.TextIOWrapper(opened(path), encoding="utf-8", newline="\n") as f:
            for number, line in enumerate(f, 1):
                line = line.lstrip("\ufeff")  # also inside a file, if several files were joined
                if line.strip():
                    yield number, _row(path, number, line, fields, written=written)
    except UnicodeDecodeError as e:
        raise DataError(
            f"{path} is not UTF-8 text ({e.reason} at byte {e.start} of a block). Rule: text files are UTF-8. Remedy: "
            "save the file as UTF-8, or fetch it again."
        ) from e
    except (gzip.BadGzipFile, EOFError, zlib.error) as e:
        raise DataError(f"{path}: cannot be read to the end ({e}). Remedy: fetch the file again.") from e


def opened(path: Path) -> IO[bytes]:
    """Open a file for reading, unpacked if its first bytes are those of gzip, whatever its name is."""
    with path.open("rb") as f:
        packed = f.read(len(GZIP)) == GZIP
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def require_utf8(path: Path, start: bytes) -> None:
    """Refuse a file if its first (eight) bytes show that its text is UTF-16 or UTF-32.

    Raises:
        DataError: with the command that converts it.
    """
    name = next((name for mark, name in _OTHER_ENCODINGS if start.startswith(mark)), "")
    if not name and b"\0" in start[:4]:  # no byte order mark, but ASCII as wide characters
        name = "UTF-32" if start.count(b"\0") > 4 else "UTF-16"
    if name:
        raise DataError(
            f"{path} is {name} text. Rule: text files are UTF-8. Remedy: iconv -f {name} -t UTF-8 {path} > NEW."
        )


class _TwiceError(ValueError):
    """An object repeats a name; the message is that name."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(x for x in names if names.count(x) > 1))
    return found


def numbers_kept() -> dict[str, Any]:
    """Return arguments for ``json.loads`` that keep all digits and refuse repeated names."""
    return {"parse_float": WrittenFloat, "object_pairs_hook": _once}


def not_json(where: str, error: Exception, remedy: str) -> DataError:
    """Return the error for an exception of ``json.loads``; ``where`` names file and line."""
    if isinstance(error, _TwiceError):
        return DataError(f"{where}: {str(error)!r} appears twice. Rule: names are unique. Remedy: {remedy}.")
    if "Invalid \\escape" in str(error) or "Invalid \\uXXXX" in str(error):
        remedy = f"double the backslashes (as json.dumps does), or {remedy}"
    return DataError(f"{where}: not JSON ({error}). Remedy: {remedy}.")


def object_of(where: str, row: Any, fields: Sequence[str]) -> dict[str, Any]:
    """Return a row that is an object with these fields.

    Raises:
        DataError: naming the place, the missing fields and the actual ones.
    """
    if not isinstance(row, dict):
        lacks = f" and lacks {list(fields)}" if fields else ""
        raise DataError(f"{where}: {type(row).__name__} is not a JSON object{lacks}. Remedy: write one object a row.")
    missing = [x for x in fields if x not in row]
    if missing:
        raise DataError(f"{where}: lacks {missing}; a row needs {list(fields)}, but this one has {sorted(row)}.")
    return row


def _row(path: Path, number: int, line: str, fields: Sequence[str], *, written: bool) -> dict[str, Any]:
    where = f"{path} line {number}"
    try:
        row = json.loads(line, **(numbers_kept() if written else {}))
    except (ValueError, RecursionError) as e:
        raise not_json(where, e, _remedy(line, e)) from e
    return object_of(where, row, fields)


def _remedy(line: str, error: Exception) -> str:
    """Return what to do with a line that is not JSON."""
    extra = "Extra data" in str(error)
    if line.rstrip().endswith(("{", "[", ",")) and not extra:
        return f"an object goes on in the next line; {ONE_A_LINE}"
    if extra and line.lstrip().startswith(("{", "[")):
        return f"something follows the first object; {ONE_A_LINE}, without commas between them"
    return "repair or remove the line"
