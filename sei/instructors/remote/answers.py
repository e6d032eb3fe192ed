"""Every paid answer on disk before anything uses it: an SQLite file of JSON, shared by runs and sweep jobs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from sei.errors import DiskError
from sei.store import require_locks

log = logging.getLogger(__name__)


def key_of(request: dict[str, Any]) -> str:
    """Return the digest of a canonical request (endpoint, model, messages, settings, sample index)."""
    return hashlib.sha256(json.dumps(request, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


class NoAnswers:
    """No cache: for answers that are kept elsewhere, such as attempts in the store."""

    def get(self, key: str) -> dict[str, Any] | None:
        """Return ``None``."""
        return None

    def put(self, key: str, answer: dict[str, Any]) -> None:
        """Keep nothing."""

    def put_all(self, answers: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Keep nothing."""

    def drop(self, key: str) -> None:
        """There is nothing to drop."""


def require_cache(path: Path) -> None:
    """Try to begin a change of a cache file, making it where there is none; one that is damaged is not looked at here.

    Raises:
        DiskError: naming the file, the reason and the remedy.
    """
    path = path.expanduser()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        require_locks(path.parent, "answer cache in", "instructor.cache=PATH on a local disk")
        with _alone(path), contextlib.closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as db:
            db.execute("begin immediate")
            db.execute("create table preflight (x)")
            db.execute("rollback")
    except (OSError, sqlite3.OperationalError) as e:
        raise DiskError(
            f"answer cache {path} cannot be written: {e}. Remedy: free space or fix permissions, or "
            "instructor.cache=PATH in a writable place."
        ) from e
    except sqlite3.DatabaseError:
        return  # no database any more: it is put aside when it is opened


def has_answers(path: Path) -> bool:
    """Say whether a cache file holds any answer; nothing is made where there is none."""
    path = path.expanduser()
    if not path.exists():
        return False
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as db:
            return db.execute("select 1 from answers limit 1").fetchone() is not None
    except sqlite3.Error:
        return False


def _alone(path: Path) -> filelock.BaseFileLock:
    """Return the lock under which a cache file is opened and closed.

    SQLite's own timeout does not cover it: of two processes that make a new file write-ahead at the same moment, one is
    told "database is locked" without a wait. A damaged file, too, has to be put aside by one of them alone.
    """
    return filelock.FileLock(f"{path}.lock")


def put_into(db: sqlite3.Connection, key: str, answer: dict[str, Any]) -> None:
    """Keep an answer as part of a transaction."""
    db.execute("insert or ignore into answers values (?, ?, ?)", (key, json.dumps(answer), time.time()))


class Answers:
    """The cache. Only complete replies are kept; errors, refusals and cut replies are asked for again next time.

    A damaged file is put aside and begun anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(self.path):
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
            log.warning("damaged answer cache %s (%s): kept as %s and begun anew", self.path, e, aside.name)
            self.path.rename(aside)
            for tail in ("-wal", "-shm"):
                self.path.with_name(self.path.name + tail).unlink(missing_ok=True)
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=60, check_same_thread=False)
        db.execute("pragma journal_mode=wal")
        db.execute("pragma synchronous=full")
        db.execute("create table if not exists answers (key text primary key, answer text not null, created real)")
        if db.execute("pragma quick_check").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("it fails its integrity check")
        db.commit()
        return db

    def get(self, key: str) -> dict[str, Any] | None:
        """Return a kept answer, or ``None``."""
        row = self._db.execute("select answer from answers where key = ?", (key,)).fetchone()
        if row is None:
            return None
        found: dict[str, Any] = json.loads(row[0])
        return found

    def drop(self, key: str) -> None:
        """Forget an answer."""
        with self.writing() as db:
            db.execute("delete from answers where key = ?", (key,))

    def put(self, key: str, answer: dict[str, Any]) -> None:
        """Keep an answer; it is on disk when this returns.

        Raises:
            DiskError: when it cannot be written.
        """
        self.put_all([(key, answer)])

    def put_all(self, answers: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Keep several answers in one transaction; all are on disk when this returns.

        Raises:
            DiskError: when they cannot be written.
        """
        with self.writing() as db:
            for key, answer in answers:
                put_into(db, key, answer)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the open file for one transaction: all of it is on disk afterwards, or nothing.

        Raises:
            DiskError: when it cannot be written.
        """
        try:
            with self._db:
                yield self._db
        except sqlite3.OperationalError as e:
            raise DiskError(
                f"cannot write {self.path}: {e}. Remedy: free space, then run the same command again."
            ) from e

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Return what a query finds."""
        return self._db.execute(query, values).fetchall()

    def close(self) -> None:
        """Close the file."""
        with _alone(self.path):
            self._db.close()
