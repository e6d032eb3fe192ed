"""Records batches that are out and failed tries, on disk beside the answers.

A batch is recorded without its id before it is created. Its keys are removed in the same transaction that stores the
answers. After a kill at any moment the next start can therefore continue.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sei.instructors.remote.answers import Answers

TRIES = 2  # a reply that cannot be used is asked for once more
_TABLES = (
    "create table if not exists batches"
    " (number integer primary key, id text unique, digest text not null, endpoint text not null, created real)",
    "create table if not exists batch_keys (batch integer, key text, primary key (batch, key)) without rowid",
    "create table if not exists failed (key text primary key, tries integer, away integer, reason text, text text,"
    " detail text, sent integer, written integer)",
)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A recorded batch. ``id`` is empty if the process ended before it learnt it. ``keys`` are still out."""

    number: int
    id: str
    digest: str
    created: float
    keys: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The failed tries of a request so far.

    ``tries`` counts unusable replies, ``away`` the times without any reply. ``text`` is the last unusable reply and
    ``detail`` its fault. Tokens are those of all tries.
    """

    key: str
    tries: int = 0
    away: int = 0
    reason: str = ""
    text: str = ""
    detail: str = ""
    sent: int = 0
    written: int = 0

    @property
    def final(self) -> bool:
        """Whether the request is given up."""
        return self.tries >= TRIES


class Outbox:
    """Batches and failed tries in the file of the answers. Methods that write raise DiskError if writing fails.

    Methods with ``db`` are part of the caller's transaction.
    """

    def __init__(self, cache: Answers, endpoint: str) -> None:
        self.cache, self.endpoint = cache, endpoint
        with cache.writing() as db:
            for table in _TABLES:
                db.execute(table)

    def intend(self, digest: str, keys: Iterable[str]) -> int:
        """Record a batch that is about to be created and return its number."""
        with self.cache.writing() as db:
            row = (digest, self.endpoint, time.time())
            number = db.execute("insert into batches (digest, endpoint, created) values (?, ?, ?)", row).lastrowid
            db.executemany("insert into batch_keys values (?, ?)", [(number, k) for k in keys])
        assert number is not None
        return number

    def made(self, number: int, batch_id: str) -> None:
        """Record the id of a batch."""
        with self.cache.writing() as db:
            db.execute("update batches set id = ? where number = ?", (batch_id, number))

    def forget(self, number: int) -> None:
        """Delete a batch that was never created."""
        with self.cache.writing() as db:
            db.execute("delete from batch_keys where batch = ?", (number,))
            db.execute("delete from batches where number = ?", (number,))

    def close(self, number: int) -> None:
        """Expect nothing more from a batch. Its id stays known, so that it is not mistaken for a lost batch."""
        with self.cache.writing() as db:
            db.execute("delete from batch_keys where batch = ?", (number,))

    def open(self) -> list[Batch]:
        """Return the batches with keys that are still out, oldest first."""
        query = (
            "select b.number, b.id, b.digest, b.created, k.key from batches b join batch_keys k on k.batch = b.number"
            " where b.endpoint = ? order by b.number"
        )
        heads, keys = dict[int, tuple[str, str, float]](), dict[int, set[str]]()
        for number, batch_id, digest, created, key in self.cache.rows(query, self.endpoint):
            heads[number] = (batch_id or "", digest, created)
            keys.setdefault(number, set()).add(key)
        return [Batch(number=n, id=i, digest=d, created=c, keys=frozenset(keys[n])) for n, (i, d, c) in heads.items()]

    def known(self) -> set[str]:
        """Return the ids of all batches ever recorded."""
        return {row[0] for row in self.cache.rows("select id from batches where id is not null")}

    def came_back(self, db: sqlite3.Connection, number: int, key: str) -> None:
        """Remove a key from a batch."""
        db.execute("delete from batch_keys where batch = ? and key = ?", (number, key))

    def failed(self, key: str) -> Failed | None:
        """Return the failed tries of a request, or ``None``."""
        rows = self.cache.rows(
            "select key, tries, away, reason, text, detail, sent, written from failed where key = ?", key
        )
        names = ("key", "tries", "away", "reason", "text", "detail", "sent", "written")
        return Failed(**dict(zip(names, rows[0], strict=True))) if rows else None

    def fail(self, db: sqlite3.Connection, row: Failed) -> None:
        """Store the failed tries of a request."""
        texts = (t.encode("utf-8", "replace").decode() for t in (row.reason, row.text, row.detail))  # lone surrogates
        values = (row.key, row.tries, row.away, *texts, row.sent, row.written)
        db.execute("insert or replace into failed values (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def mend(self, db: sqlite3.Connection, key: str) -> None:
        """Delete the failed tries of a request."""
        db.execute("delete from failed where key = ?", (key,))

    def strike(self, key: str) -> None:
        """Delete the record of a given-up request."""
        with self.cache.writing() as db:
            self.mend(db, key)

    def put_back(self, rows: Sequence[Failed]) -> None:
        """Undo ``strike``, because the run did not finish and the next start must not ask for these again."""
        with self.cache.writing() as db:
            for row in rows:
                self.fail(db, row)
