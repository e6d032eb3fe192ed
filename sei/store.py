"""The content store: one mechanism for caching, resume and sharing between sweep jobs.

An entry's key is a hash of the stage (class, version, built settings, digests of what it reads), its
inputs and, for stages that draw, the seed. Rows are written aside and renamed last: ``entry.json``
exists only when an entry is done. A damaged entry is found by digest, put aside and made again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import filelock
import pydantic

from sei.errors import DiskError
from sei.parts import is_part, settings

log = logging.getLogger(__name__)

Out = TypeVar("Out")
Item = TypeVar("Item")
Row = TypeVar("Row")

_FULL_HASH_LIMIT = 64 * 2**20  # larger files are checked by size alone on every read


def canonical(obj: Any) -> Any:
    """Return a JSON value that identifies a part, a record or a plain value, with type names inside.

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
        cls = type(obj)
        out = {"part": f"{cls.__module__}.{cls.__qualname__}", "version": cls.version}
        out["settings"] = {k: canonical(v) for k, v in settings(obj).items()}
        reads = getattr(obj, "reads", None)
        return {**out, "reads": canonical(reads())} if reads else out
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
        names = getattr(obj, "IDENTITY", None) or [f.name for f in dataclasses.fields(obj)]
        return {"record": type(obj).__name__, **{n: canonical(getattr(obj, n)) for n in names}}
    if hasattr(obj, "IDENTITY"):
        return {"record": type(obj).__name__, **{n: canonical(getattr(obj, n)) for n in obj.IDENTITY}}
    raise TypeError(f"{type(obj).__name__} has no stable identity; give the store parts, records or plain values")


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


def write_atomic(path: Path, data: bytes) -> None:
    """Write aside, flush to disk, rename: the file is whole or not there.

    Raises:
        DiskError: naming the file and the reason.
    """
    aside = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        aside.replace(path)
    except OSError as e:
        raise DiskError(f"cannot write {path}: {e.strerror}. Remedy: free space or fix permissions, then rerun.") from e


@dataclass(frozen=True, kw_only=True)
class Use:
    """One use of the store: which stage, whether it was made or reused, and the seconds that making took."""

    stage: str
    key: str
    made: int
    reused: int
    seconds: float


@dataclass(kw_only=True)
class Store:
    """A folder of finished stage results, shared by runs and sweep jobs.

    ``uses`` lists what this process asked for, in order.
    """

    root: Path
    uses: list[Use] = field(default_factory=list)

    def once(self, stage: Callable[..., Out], *inputs: Any, seed: int | None = None) -> Out:
        """Return the result of ``stage(*inputs)``, making it only if no finished entry exists.

        A stage whose ``__call__`` takes ``folder`` gets one from the start, so that after a crash it
        finds its own half; one that takes ``seed`` gets the given seed, which is then part of the key.
        """
        hints = get_type_hints(type(stage).__call__)
        extra: dict[str, Any] = {"seed": seed} if "seed" in hints else {}
        key = digest(stage, list(inputs), extra)
        home = self._home(stage, key)
        adapter: pydantic.TypeAdapter[Out] = pydantic.TypeAdapter(hints["return"])
        with _locked(home):
            held = _read(home, adapter)
            if held is not None:
                self._note(stage, key, made=0, reused=1, seconds=held[1])
                return held[0]
            if "folder" in hints:
                (home / "files").mkdir(parents=True, exist_ok=True)
                extra["folder"] = home / "files"
            start = time.perf_counter()
            result = stage(*inputs, **extra)
            seconds = time.perf_counter() - start
            _write(home, adapter, result, {"stage": _name(stage), "key": key, "seconds": seconds})
            self._note(stage, key, made=1, reused=0, seconds=seconds)
            held = _read(home, adapter)  # what a later run will see, not what this one happens to hold
            assert held is not None, "an entry just written must be readable"
            return held[0]

    def each(
        self, stage: Callable[..., Iterable[tuple[int, Row]]], *context: Any, items: Sequence[Item]
    ) -> tuple[Row, ...]:
        """Return one row per item, keeping rows by item: one changed item redoes one row.

        ``stage(*context, items=..., done=...)`` yields ``(index, row)``; ``done`` holds the indices
        that are already kept, so that it can skip them without changing how the others are batched.
        """
        key = digest(stage, list(context))
        home = self._home(stage, key)
        adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(stage.row_type)  # type: ignore[attr-defined]
        ids = [digest(item) for item in items]
        with _locked(home):
            rows, spent = _read_rows(home / "rows.jsonl", adapter)
            done = {i for i, d in enumerate(ids) if d in rows}
            reused, made = len(done), 0
            if len(done) < len(ids):
                start = time.perf_counter()
                with _appending(home / "rows.jsonl") as append:
                    for index, row in stage(*context, items=items, done=frozenset(done)):
                        if ids[index] not in rows:
                            rows[ids[index]] = row
                            append(ids[index], adapter.dump_python(row, mode="json"))
                            made += 1
                    spent += time.perf_counter() - start
                    append("seconds", spent)
            share = len(set(ids)) / max(1, len(rows))  # one file may hold rows of several uses
            self._note(stage, key, made=made, reused=reused, seconds=spent * share)
        return tuple(rows[i] for i in ids)

    def _home(self, stage: Any, key: str) -> Path:
        return self.root / _name(stage) / key

    def _note(self, stage: Any, key: str, *, made: int, reused: int, seconds: float) -> None:
        self.uses.append(Use(stage=_name(stage), key=key, made=made, reused=reused, seconds=round(seconds, 3)))
        log.info("%-14s %s  made %d, reused %d", _name(stage), key[:8], made, reused)


def _name(stage: Any) -> str:
    return type(stage).__name__.lower()


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise DiskError(f"cannot make {home}: {e.strerror}. Remedy: set store=PATH to a writable folder.") from e
    lock = filelock.FileLock(home / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        log.info("waiting for another job that is making %s/%s", home.parent.name, home.name[:8])
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _write(home: Path, adapter: pydantic.TypeAdapter[Any], result: Any, entry: dict[str, Any]) -> None:
    data = adapter.dump_python(result, mode="json")
    lines = data if isinstance(data, list) else [data]
    body = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in lines).encode()
    write_atomic(home / "result.jsonl", body)
    files = sorted(p for p in (home / "files").rglob("*") if p.is_file())
    entry["result"] = hashlib.sha256(body).hexdigest()
    entry["rows"] = isinstance(data, list)
    entry["files"] = {p.relative_to(home).as_posix(): [p.stat().st_size, file_digest(p)] for p in files}
    entry["created"] = time.time()
    write_atomic(home / "entry.json", json.dumps(entry, indent=1).encode())


def _read(home: Path, adapter: pydantic.TypeAdapter[Out]) -> tuple[Out, float] | None:
    if not (home / "entry.json").exists():
        return None
    try:
        entry = json.loads((home / "entry.json").read_text())
        body = (home / "result.jsonl").read_bytes()
        if hashlib.sha256(body).hexdigest() != entry["result"]:
            raise ValueError("result.jsonl differs from its digest")
        for name, (size, sha) in entry["files"].items():
            if (home / name).stat().st_size != size or (size <= _FULL_HASH_LIMIT and file_digest(home / name) != sha):
                raise ValueError(f"{name} differs from its digest")
        rows = [json.loads(line) for line in body.decode().split("\n") if line]
        data = rows if entry["rows"] else rows[0]
        return adapter.validate_json(json.dumps(data)), float(entry["seconds"])
    except (OSError, ValueError, KeyError, IndexError) as e:
        aside = home.with_name(f"{home.name}.damaged-{int(time.time() * 1000)}")
        log.warning("damaged store entry %s (%s): kept as %s and made again", home, e, aside.name)
        shutil.copytree(home, aside, ignore=shutil.ignore_patterns(".lock"))
        for p in home.iterdir():
            if p.name != ".lock":
                shutil.rmtree(p) if p.is_dir() else p.unlink()
        return None


def _read_rows(path: Path, adapter: pydantic.TypeAdapter[Row]) -> tuple[dict[str, Row], float]:
    rows: dict[str, Row] = {}
    seconds = 0.0
    if not path.exists():
        return rows, seconds
    dropped = 0
    for line in path.read_bytes().split(b"\n"):
        if not line:
            continue
        try:
            kept = json.loads(line)
            if kept["sha"] != _sha(kept["row"]):
                raise ValueError("row differs from its digest")
            if kept["id"] == "seconds":
                seconds = float(kept["row"])
            else:
                rows[kept["id"]] = adapter.validate_json(json.dumps(kept["row"]))
        except (ValueError, KeyError, TypeError):
            dropped += 1
    if dropped:
        log.warning("%s: %d damaged row(s) dropped, they are made again", path, dropped)
    return rows, seconds


def _sha(row: Any) -> str:
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:16]


@contextmanager
def _appending(path: Path) -> Iterator[Callable[[str, Any], None]]:
    try:
        torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
        with path.open("a", encoding="utf-8") as f:
            if torn:
                f.write("\n")

            def append(row_id: str, row: Any) -> None:
                f.write(json.dumps({"id": row_id, "sha": _sha(row), "row": row}, ensure_ascii=False) + "\n")
                f.flush()

            yield append
    except OSError as e:
        raise DiskError(f"cannot write {path}: {e.strerror}. Remedy: free space or fix permissions, then rerun.") from e
