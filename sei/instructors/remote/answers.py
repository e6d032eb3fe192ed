"""Every paid answer on disk before anything uses it: an SQLite file of JSON, shared by runs and sweep jobs."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import time
from pathlib import Path
from typing import Any

from sei.errors import DiskError

log = logging.getLogger(__name__)


def key_of(request: dict[str, Any]) -> str:
    """Return the digest of a canonical request (endpoint, model, messages, settings, sample index)."""
    return hashlib.sha256(json.dumps(request, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


class Answers:
    """The cache. Only complete replies are kept; errors, refusals and cut replies are asked for again next time.

    A damaged file is put aside and begun anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
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

    def put(self, key: str, answer: dict[str, Any]) -> None:
        """Keep an answer; it is on disk when this returns.

        Raises:
            DiskError: when it cannot be written.
        """
        try:
            with self._db:
                row = (key, json.dumps(answer), time.time())
                self._db.execute("insert or ignore into answers values (?, ?, ?)", row)
        except sqlite3.OperationalError as e:
            raise DiskError(
                f"cannot write {self.path}: {e}. Remedy: free space, then run the same command again."
            ) from e

    def close(self) -> None:
        """Close the file."""
        self._db.close()
