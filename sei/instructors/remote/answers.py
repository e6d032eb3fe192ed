"""Stores every paid answer on disk before it is used, as JSON in an SQLite file shared by runs and sweep jobs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote

import filelock

from sei.errors import DiskError
from sei.store import lock_of, require_locks, shared

log = logging.getLogger(__name__)
_WAL = b"\x02\x02"  # bytes 18 and 19 of a file with write-ahead logging


def key_of(request: dict[str, Any]) -> str:
    """Return the digest of a canonical request (endpoint, model, messages, settings, sample index)."""
    return hashlib.sha256(json.dumps(request, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


class NoAnswers:
    """No cache, for answers that are stored elsewhere, such as attempts."""

    def get(self, key: str) -> dict[str, Any] | None:
        """Return ``None``."""
        return None

    def put(self, key: str, answer: dict[str, Any]) -> None:
        """Keep nothing."""

    def put_all(self, answers: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Keep nothing."""

    def drop(self, key: str) -> None:
        """Do nothing."""


def require_cache(path: Path) -> None:
    """Check that a cache file can be written, and create it if it does not exist. A damaged file passes here.

    Raises:
        DiskError: names the file, the reason and the remedy.
    """
    path = path.expanduser()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        require_locks(path.parent, "answer cache in", "instructor.cache=PATH on a local disk")
        with _alone(path), contextlib.closing(_opened(path, isolation_level=None)) as db:
            db.execute("begin immediate")
            db.execute("create table preflight (x)")
            db.execute("rollback")
    except (OSError, sqlite3.OperationalError) as e:
        raise DiskError(
            f"answer cache {path} cannot be written: {e}. Remedy: free space, fix permissions, or set "
            "instructor.cache=PATH to a writable place."
        ) from e
    except sqlite3.DatabaseError:
        return  # damaged: it is moved aside when it is opened


def has_answers(path: Path) -> bool:
    """Tell whether a cache file contains any answer. A missing file is not created."""
    path = path.expanduser()
    if not path.exists():
        return False
    try:
        unlocked = "&nolock=1" if shared(path.parent) and not _logs_ahead(path) else ""
        where = f"file:{quote(str(path.absolute()))}?mode=ro{unlocked}"
        with _turn(path, _alone(path)), contextlib.closing(sqlite3.connect(where, timeout=5, uri=True)) as db:
            return db.execute("select 1 from answers limit 1").fetchone() is not None
    except sqlite3.Error:
        return False


def _alone(path: Path) -> filelock.BaseFileLock:
    """Return the lock for opening and closing a cache file.

    SQLite's timeout does not cover this: if two processes switch a new file to write-ahead logging at once, one gets
    "database is locked" without a wait. A damaged file must also be moved aside by only one process.
    """
    return lock_of(path.with_name(f"{path.name}.lock"))


def _turn(path: Path, lock: filelock.BaseFileLock) -> AbstractContextManager[Any]:
    """Return what excludes other machines from a cache file for a block, if its file system is shared.

    SQLite's own locks are not reliable there, and its write-ahead log needs one machine's memory.
    """
    return lock if shared(path.parent) else nullcontext()


def _opened(path: Path, **how: Any) -> sqlite3.Connection:
    """Open a cache file. On a shared file system ``_turn`` excludes others, and SQLite's own locks are off."""
    alone = not shared(path.parent)
    if not alone and _logs_ahead(path):
        with contextlib.closing(sqlite3.connect(path, timeout=60)) as db:
            db.execute("pragma journal_mode=delete")
    where = path if alone else f"file:{quote(str(path.absolute()))}?nolock=1"
    found: sqlite3.Connection = sqlite3.connect(where, timeout=60, uri=not alone, **how)
    return found


def _logs_ahead(path: Path) -> bool:
    """Tell whether a file was left with write-ahead logging, on one machine or by an earlier version."""
    if not path.exists():
        return False
    with path.open("rb") as f:
        return f.read(20)[18:] == _WAL


def put_into(db: sqlite3.Connection, key: str, answer: dict[str, Any]) -> None:
    """Store an answer as part of a transaction."""
    db.execute("insert or ignore into answers values (?, ?, ?)", (key, json.dumps(answer), time.time()))


class Answers:
    """The cache. It stores only complete replies; after errors, refusals and cut replies the next run asks again.

    A damaged file is moved aside and a new one is started. Machines that share the file write and read in turns.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _alone(self.path)
            self._turn = _turn(self.path, self._lock)
            with self._lock:
                self._db = self._open()
        except (OSError, sqlite3.OperationalError) as e:
            raise DiskError(f"cannot open {self.path}: {e}. Remedy: set store=PATH to a writable folder.") from e

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as e:
            aside = self.path.with_name(f"{self.path.name}.damaged-{int(time.time() * 1000)}")
            log.warning("damaged answer cache %s (%s): kept as %s, and a new one is started", self.path, e, aside.name)
            self.path.rename(aside)
            for tail in ("-wal", "-shm"):
                self.path.with_name(self.path.name + tail).unlink(missing_ok=True)
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        db = _opened(self.path, check_same_thread=False)
        db.execute(f"pragma journal_mode={'delete' if shared(self.path.parent) else 'wal'}")
        db.execute("pragma synchronous=full")
        db.execute("create table if not exists answers (key text primary key, answer text not null, created real)")
        if db.execute("pragma quick_check").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("it fails its integrity check")
        db.commit()
        return db

    def get(self, key: str) -> dict[str, Any] | None:
        """Return a stored answer, or ``None``."""
        rows = self.rows("select answer from answers where key = ?", key)
        if not rows:
            return None
        found: dict[str, Any] = json.loads(rows[0][0])
        return found

    def drop(self, key: str) -> None:
        """Delete an answer."""
        with self.writing() as db:
            db.execute("delete from answers where key = ?", (key,))

    def put(self, key: str, answer: dict[str, Any]) -> None:
        """Store an answer. It is on disk when this returns.

        Raises:
            DiskError: if it cannot be written.
        """
        self.put_all([(key, answer)])

    def put_all(self, answers: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Store several answers in one transaction. All are on disk when this returns.

        Raises:
            DiskError: if they cannot be written.
        """
        with self.writing() as db:
            for key, answer in answers:
                put_into(db, key, answer)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield the open file for one transaction. Afterwards all of it is on disk, or nothing.

        Raises:
            DiskError: if it cannot be written.
        """
        try:
            with self._turn, self._db:
                yield self._db
        except sqlite3.OperationalError as e:
            raise DiskError(
                f"cannot write {self.path}: {e}. Remedy: free space, then run the same command again."
            ) from e

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Return the rows that a query finds."""
        with self._turn:
            return self._db.execute(query, values).fetchall()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
