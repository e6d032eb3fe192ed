"""The identity of a part, a record or a file: canonical values and digests."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from sei.former import FORMER
from sei.imports import sources
from sei.parts import identity_of, is_part, settings


def canonical(obj: Any) -> Any:
    """Return a JSON value that identifies a part, a record or a plain value; a part is identified by name, not by file.

    A record's ``IDENTITY`` lists the fields that count (default: all). Those in ``UNLESS_EMPTY`` were added later and
    count only if set, so older digests stay the same.

    Raises:
        TypeError: for anything without a stable identity (functions, open files, arbitrary objects).
    """
    if obj is None or isinstance(obj, (str, int, float, bool)):
        return obj
    if isinstance(obj, (tuple, list)):
        return [canonical(o) for o in obj]
    if isinstance(obj, dict):
        return {str(k): canonical(v) for k, v in sorted(obj.items(), key=lambda kv: str(kv[0]))}
    if is_part(obj):
        obj = obj.settled() if hasattr(obj, "settled") else obj  # an automatic setting counts as its chosen value
        cls = type(obj)
        name = identity_of(cls)
        out = {"part": FORMER.get(name, name), "version": getattr(cls, "version", 1)}  # a plugin need not say one
        out["settings"] = {k: canonical(v) for k, v in settings(obj).items()}
        reads = dict(obj.reads()) if hasattr(obj, "reads") else {}
        if own := _source(cls.__module__):
            reads["source"] = own
        return {**out, "reads": canonical(reads)} if reads else out
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
        names = getattr(obj, "IDENTITY", None) or [f.name for f in dataclasses.fields(obj)]
        names = [n for n in names if n not in getattr(obj, "UNLESS_EMPTY", ()) or getattr(obj, n)]
        return {"record": type(obj).__name__, **{n: canonical(getattr(obj, n)) for n in names}}
    if hasattr(obj, "IDENTITY"):
        return {"record": type(obj).__name__, **{n: canonical(getattr(obj, n)) for n in obj.IDENTITY}}
    raise TypeError(f"{type(obj).__name__} has no stable identity; give the store parts, records or plain values")


def _source(module: str) -> str:
    """Return the digest of a plugin's source; empty for sei's own parts, whose versions a test checks.

    All Python files of the plugin's package count, as they were when imported.
    """
    top = module.partition(".")[0]
    there = () if top == "sei" else sources(top)
    named = [] if len(there) == 1 else [name for name, _ in there]  # the name of a single file does not matter
    return digest(named, [found for _, found in there]) if there else ""


def digest(*objs: Any) -> str:
    """Return the first 24 hex digits of the sha256 of canonical JSON."""
    text = json.dumps([canonical(o) for o in objs], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's bytes (24 hex digits)."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()[:24]


def folder_digest(folder: Path) -> str:
    """Return one digest of the names and bytes of all files below a folder."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return digest([[p.relative_to(folder).as_posix(), file_digest(p)] for p in files])
