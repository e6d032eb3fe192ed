"""Reads Parquet files as rows of plain values, if pyarrow is installed."""

from __future__ import annotations

import datetime
import decimal
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sei.errors import DataError
from sei.rows import WrittenFloat

_SHOWN_BYTES = 40


def read_parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (row number from 1, row). Numbers keep the digits of their type; other values become plain ones.

    Raises:
            DataError: if pyarrow is missing (with the install command), the file is not Parquet, or a column name is
            repeated.
    """
    try:
        import pyarrow.parquet as pq
    except ModuleNotFoundError as e:
        raise DataError(
            f"{path}: reading Parquet needs pyarrow, which is not installed. Remedy: pip install 'sei[hub]' (or pip "
            "install pyarrow); or convert the file to JSON lines where pyarrow is installed: "
            f"pandas.read_parquet({path.name!r}).to_json({path.stem + '.jsonl'!r}, orient='records', lines=True, "
            "force_ascii=False)."
        ) from e
    try:
        file = pq.ParquetFile(path)
        twice = [n for n, count in Counter(file.schema_arrow.names).items() if count > 1]
        if twice:
            raise DataError(
                f"{path}: the column {twice[0]!r} appears twice. Rule: column names are unique. Remedy: rename one."
            )
        narrow = {f.name: _digits_of(str(f.type)) for f in file.schema_arrow}
        number = 0
        for batch in file.iter_batches():
            for row in batch.to_pylist(maps_as_pydicts="strict"):
                number += 1
                yield number, {k: _plain(v, narrow[k]) for k, v in row.items()}
    except DataError:
        raise
    except Exception as e:  # pyarrow raises many kinds of errors; all mean that the rows cannot be read
        said = " ".join(str(e).split())[:200]
        raise DataError(
            f"{path} cannot be read as Parquet ({type(e).__name__}: {said}). Remedy: fetch the file again, or save it "
            "as JSON lines."
        ) from e


def _digits_of(type_name: str) -> str:
    """Return the type that gives a column's numbers their digits; empty for Python's own float."""
    if "double" in type_name:
        return ""
    return "float16" if "halffloat" in type_name else "float32" if re.search(r"\bfloat\b", type_name) else ""


def _plain(value: Any, digits: str) -> Any:
    if isinstance(value, float) and digits:
        return WrittenFloat(str(getattr(np, digits)(value)))  # float32 0.1 would become 0.10000000149011612
    if isinstance(value, decimal.Decimal):
        return WrittenFloat(str(value))
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return str(value)
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, dict):
        return {str(k): _plain(v, digits) for k, v in value.items()}
    return [_plain(v, digits) for v in value] if isinstance(value, list) else value


def _text(value: bytes) -> Any:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value[:_SHOWN_BYTES]  # such as a picture: refused later if text is needed
