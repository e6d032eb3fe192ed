"""The identity of a part, a record or a file: canonical values and digests."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from sei.former import FORMER
from sei.imports import sources
from sei.parts import identity_of, is_part_class, settings

_Kind = tuple[str, tuple[str, ...], frozenset[str]]
_KINDS: dict[type, _Kind] = {}
_PLAIN = frozenset((str, int, float, bool, type(None)))
_JSON = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def canonical(obj: Any) -> Any:
    """Return a JSON value that identifies a part, a record or a plain value; a part is identified by name, not by file.

    A record's ``IDENTITY`` lists the fields that count (default: all). Those in ``UNLESS_EMPTY`` were added later and
    count only if set, so older digests stay the same.

    Raises:
        TypeError: for anything without a stable identity (functions, open files, arbitrary objects).
    """
    kind, names, unless_empty = _KINDS.get(type(obj)) or _kind(type(obj))
    if kind == "value":
        return obj
    if kind == "record":
        out: dict[str, Any] = {"record": type(obj).__name__}
        for n in names:
            value = getattr(obj, n)
            if n not in unless_empty or value:
                out[n] = value if type(value) in _PLAIN else canonical(value)
        return out
    if kind == "list":
        return [canonical(o) for o in obj]
    if kind == "dict":
        return {str(k): canonical(v) for k, v in sorted(obj.items(), key=lambda kv: str(kv[0]))}
    if kind == "part":
        obj = obj.settled() if hasattr(obj, "settled") else obj  # an automatic setting counts as its chosen value
        cls = type(obj)
        name = identity_of(cls)
        out = {"part": FORMER.get(name, name), "version": getattr(cls, "version", 1)}  # a plugin need not say one
        out["settings"] = {k: canonical(v) for k, v in settings(obj).items()}
        reads = dict(obj.reads()) if hasattr(obj, "reads") else {}
        if own := _source(cls.__module__):
            reads["source"] = own
        return {**out, "reads": canonical(reads)} if reads else out
    raise TypeError(f"{type(obj).__name__} has no stable identity; give the store parts, records or plain values")


def _kind(cls: type) -> _Kind:
    """Note and return what objects of a class are to ``canonical``, its fields, and those that count unless empty."""
    found = _KINDS[cls] = _looked_at(cls)
    return found


def _looked_at(cls: type) -> _Kind:
    if issubclass(cls, (str, int, float, bool, type(None))):
        return "value", (), frozenset()
    if issubclass(cls, (tuple, list)):
        return "list", (), frozenset()
    if issubclass(cls, dict):
        return "dict", (), frozenset()
    if is_part_class(cls):
        return "part", (), frozenset()
    names = getattr(cls, "IDENTITY", None)
    if dataclasses.is_dataclass(cls):
        names = names or [f.name for f in dataclasses.fields(cls)]
        return "record", tuple(names), frozenset(getattr(cls, "UNLESS_EMPTY", ()))
    return ("record", tuple(names), frozenset()) if names else ("other", (), frozenset())


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
    text = _JSON.encode([canonical(o) for o in objs])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's bytes (24 hex digits)."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()[:24]


def folder_digest(folder: Path) -> str:
    """Return one digest of the names and bytes of all files below a folder."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return digest([[p.relative_to(folder).as_posix(), file_digest(p)] for p in files])
