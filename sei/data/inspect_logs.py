"""Samples of Inspect's eval logs: one JSON file, or an ``.eval`` archive with a JSON file per sample."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from sei.data.samples import Sample
from sei.errors import DataError
from sei.rows import not_json, numbers_kept

_CUT = ("max_tokens", "model_length", "length")
_CONVERT = "inspect log convert {path} --to json --output-dir DIR, and give the .json file"


def is_archive(path: Path) -> bool:
    """Say whether a file is an ``.eval`` archive."""
    if path.suffix == ".eval" or not zipfile.is_zipfile(path):
        return path.suffix == ".eval"
    with suppress(zipfile.BadZipFile, OSError), zipfile.ZipFile(path) as archive:
        return any(name.startswith("samples/") for name in archive.namelist())
    return False


def samples_of_archive(path: Path) -> list[Sample]:
    """Return the samples of an ``.eval`` archive, ordered by id.

    Raises:
        DataError: if it is damaged, has no samples, or uses a compression that this Python cannot read.
    """
    with suppress(ImportError):
        import zipfile_zstd  # noqa: F401  # teaches zipfile the packing of newer logs, where it is installed
    found: list[Any] = []
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.startswith("samples/") and name.endswith(".json"):
                    found.append(_json(f"{path}: {name}", archive.read(name).decode("utf-8")))
    except NotImplementedError as e:
        raise DataError(
            f"{path} is compressed with zstd, which this Python's zipfile cannot read ({e}). Remedy: "
            f"{_CONVERT.format(path=path)}; or pip install zipfile-zstd; or Python 3.14."
        ) from e
    except (zipfile.BadZipFile, OSError, UnicodeDecodeError, RuntimeError, EOFError) as e:
        raise DataError(
            f"{path} is not a complete .eval log ({e}). Remedy: fetch it again, or {_CONVERT.format(path=path)}."
        ) from e
    return _samples(path, found)


def samples_of_log(path: Path, log: dict[str, Any]) -> list[Sample]:
    """Return the samples of a JSON log, ordered by id.

    Raises:
        DataError: if it has no samples, or a broken one.
    """
    return _samples(path, log.get("samples"))


def _samples(path: Path, found: Any) -> list[Sample]:
    if not isinstance(found, list) or not found:
        raise DataError(
            f"{path} is an eval log without samples. Remedy: use the log of a finished run with samples (without "
            "--no-log-samples)."
        )
    out = [_sample(f"{path} sample {n}", n, s) for n, s in enumerate(sorted(found, key=_order), 1)]
    if not any(s.row.get("answer") for s in out):
        raise DataError(
            f"{path}: no sample has a target. Rule: grading needs gold answers. Remedy: use the log of a scored task."
        )
    return out


def _order(sample: Any) -> tuple[Any, ...]:
    if not isinstance(sample, dict):
        return (2,)
    known, epoch = sample.get("id"), sample.get("epoch")
    place = (0, known, "") if isinstance(known, int) else (1, 0, str(known))
    return (*place, epoch if isinstance(epoch, int) else 0)


def _sample(where: str, number: int, sample: Any) -> Sample:
    lacks = [k for k in ("id", "input", "target", "output") if not isinstance(sample, dict) or k not in sample]
    if lacks:
        raise DataError(f"{where}: lacks {lacks}. Rule: every sample in a log has them. Remedy: fetch the log again.")
    notes = dict(_attachments(sample))
    target = sample["target"]
    if isinstance(target, list) and len(target) == 1:
        target = target[0]
    row = {"question": _question(sample["input"], notes), "answer": target}
    if sample.get("choices"):
        row["options"] = sample["choices"]
    if solution := _solution(sample.get("metadata"), target):
        row["solution"] = solution
    choices = sample["output"].get("choices") if isinstance(sample["output"], dict) else None
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    text = _text((first.get("message") or {}).get("content"), notes) if first else None
    return Sample(
        number=number,
        unit="sample",
        id=str(sample["id"]),
        row=row,
        output=text,
        finished=first.get("stop_reason") not in _CUT,
        more=max(0, len(choices or ()) - 1),
    )


def _question(given: Any, notes: dict[str, str]) -> str:
    """Return the input, or the user's turns of a conversation."""
    if isinstance(given, str):
        return notes.get(given, given)
    turns = [m for m in given if isinstance(m, dict) and m.get("role") == "user"] if isinstance(given, list) else []
    return "\n\n".join(_text(m.get("content"), notes) for m in turns)


def _text(content: Any, notes: dict[str, str]) -> str:
    """Return a message's text without its reasoning; the content is a text or a list of typed parts."""
    if isinstance(content, str):
        return notes.get(content, content)
    parts = [p for p in content if isinstance(p, dict) and p.get("type") == "text"] if isinstance(content, list) else []
    return "".join(notes.get(str(p.get("text")), str(p.get("text") or "")) for p in parts)


def _attachments(sample: dict[str, Any]) -> Iterator[tuple[str, str]]:
    found = sample.get("attachments")
    for key, text in found.items() if isinstance(found, dict) else ():
        yield f"attachment://{key}", str(text)


def _solution(metadata: Any, target: Any) -> str:
    """Return the worked solution that known tasks store with a sample, with its answer at the end."""
    if not isinstance(metadata, dict):
        return ""
    if isinstance(metadata.get("solution"), str):
        return str(metadata["solution"])
    steps = metadata.get("reasoning")
    return f"{steps.strip()}\n#### {target}" if isinstance(steps, str) and isinstance(target, str) else ""


def _json(where: str, text: str) -> Any:
    try:
        return json.loads(text, **numbers_kept())
    except (ValueError, RecursionError) as e:
        raise not_json(where, e, "fetch the log again") from e
