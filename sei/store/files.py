"""Files of the store: atomic writes, locks, rows that survive a crash, quarantine."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import filelock
import pydantic

from sei.errors import DiskError
from sei.store.locks import LOCK, is_lock, lock_of

log = logging.getLogger(__name__)
Row = TypeVar("Row")


def write_atomic(path: Path, data: bytes) -> None:
    """Write to a temporary name, flush to disk, rename: the file is either complete or absent.

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
        raise DiskError.of(path, e) from e


def require_writable(folder: Path, what: str, remedy: str) -> None:
    """Create a folder and write a small file into it, then delete the file.

    Raises:
        DiskError: naming the folder, the reason and the remedy if that fails.
    """
    probe = folder / f".probe-{secrets.token_hex(8)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as e:
        with contextlib.suppress(OSError):  # a full disk may create the file but not write its bytes
            probe.unlink()
        raise DiskError(f"{what} {folder} cannot be written: {e.strerror or e}. Remedy: {remedy}.") from e


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold the lock of an entry; if another job holds it, log that and wait.

    Raises:
        DiskError: if the entry's folder cannot be created.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise DiskError(f"cannot make {home}: {e.strerror}. Remedy: set store=PATH to a writable folder.") from e
    lock = lock_of(home / LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        log.info("waiting for another job that makes %s/%s", home.parent.name, home.name[:8])
        began = time.monotonic()
        lock.acquire()
        log.info("waited %.1f s for %s/%s", time.monotonic() - began, home.parent.name, home.name[:8])
    try:
        yield
    finally:
        lock.release()


def quarantine(home: Path, reason: object) -> None:
    """Move a damaged entry aside under another name, and leave an empty one."""
    aside = home.with_name(f"{home.name}.damaged-{int(time.time() * 1000)}")
    log.warning("damaged store entry %s (%s): kept as %s and made again", home, reason, aside.name)
    shutil.copytree(home, aside, ignore=shutil.ignore_patterns(f"{LOCK}*"))
    for p in home.iterdir():
        if not is_lock(p):
            shutil.rmtree(p) if p.is_dir() else p.unlink()


def read_rows(
    path: Path, adapter: pydantic.TypeAdapter[Row], wanted: Container[str] | None = None
) -> tuple[dict[str, Row], dict[str, float], dict[str, str]]:
    """Return stored rows, and the seconds and device of each, by item digest; damaged rows are made again.

    ``wanted``: the digests of the items to read; other rows are left as they are and not checked.

    A crash leaves an incomplete last line, which is dropped. For any other damaged line the file is first copied to
    ``rows.damaged-*``.
    """
    rows: dict[str, Row] = {}
    seconds: dict[str, float] = {}
    device: dict[str, str] = {}
    if not path.exists():
        return rows, seconds, device
    lines = path.read_bytes().split(b"\n")
    good, bad = [], []
    for number, line in enumerate(lines):
        if not line:
            continue
        if wanted is not None and number < len(lines) - 1 and _other(line, wanted):
            good.append(line)
            continue
        try:
            kept = json.loads(line)
            if kept["sha"] != row_digest(kept["row"]):
                raise ValueError("row differs from its digest")
            rows[kept["id"]] = adapter.validate_json(json.dumps(kept["row"]))
            seconds[kept["id"]] = float(kept.get("seconds", 0.0))
            device[kept["id"]] = str(kept.get("device", ""))
            good.append(line)
        except (ValueError, KeyError, TypeError):
            bad.append(number)
    if bad:
        log.warning("%s: %d damaged row(s) dropped, they are made again", path, len(bad))
        if bad != [len(lines) - 1]:
            shutil.copy2(path, path.with_name(f"rows.damaged-{int(time.time() * 1000)}"))
        write_atomic(path, b"".join(line + b"\n" for line in good))
    return rows, seconds, device


def _other(line: bytes, wanted: Container[str]) -> bool:
    """Say whether a line belongs to an item that is not wanted; ``appending`` writes the item's digest first."""
    start, _, rest = line.partition(b'{"id": "')
    name, end, _ = rest.partition(b'"')
    return not start and bool(end) and name.isalnum() and name.decode("ascii", "replace") not in wanted


@contextmanager
def appending(path: Path) -> Iterator[Callable[..., None]]:
    """Yield a function that appends and flushes one row, with the seconds it took and its device.

    Raises:
        DiskError: naming the file and the reason.
    """
    try:
        with path.open("a", encoding="utf-8") as f:

            def append(row_id: str, row: Any, seconds: float, device: str = "") -> None:
                kept = {"id": row_id, "sha": row_digest(row), "seconds": round(seconds, 6), "row": row}
                kept |= {"device": device} if device else {}
                f.write(json.dumps(kept, ensure_ascii=False) + "\n")
                f.flush()

            yield append
    except OSError as e:
        raise DiskError.of(path, e) from e


def row_digest(row: Any) -> str:
    """Return the digest stored with a row."""
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:16]


def relocated(data: Any, old: str, new: str) -> Any:
    """Return plain data with the prefix ``old`` of all paths replaced by ``new``."""
    if isinstance(data, str):
        return new + data.removeprefix(old) if data.startswith(old) else data
    if isinstance(data, list):
        return [relocated(d, old, new) for d in data]
    if isinstance(data, dict):
        return {k: relocated(v, old, new) for k, v in data.items()}
    return data
