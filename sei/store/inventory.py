"""Lists what a store contains, who uses it, and what can be deleted."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import filelock

from sei.store.core import RUNS
from sei.store.locks import LOCK, is_lock, lock_of

State = Literal["done", "rows", "unfinished", "damaged"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry. ``seconds``: the cost of making it. ``users``: the existing run folders that use it.

    ``state``: ``done``; ``rows`` (stored row by row, always open for more); ``unfinished`` (a job stopped here, or
    still works here); ``damaged`` (put aside because of a wrong digest).
    """

    home: Path
    stage: str
    key: str
    state: State
    bytes: int
    seconds: float
    created: float
    users: tuple[str, ...]

    @property
    def days(self) -> float:
        """Return its age in days."""
        return (time.time() - self.created) / 86400


def entries(root: Path) -> list[Entry]:
    """Return all entries below a store's root, largest first."""
    users = _users(root)
    homes = [h for stage in _folders(root) if stage.name != RUNS for h in _folders(stage)]
    found = [_entry(h, users.get((h.parent.name, h.name), ())) for h in homes]
    return sorted(found, key=lambda e: -e.bytes)


def select(
    found: Iterable[Entry],
    *,
    stage: str | None = None,
    older_than: float | None = None,
    states: Sequence[State] = (),
    unused: bool = False,
) -> list[Entry]:
    """Return the entries that meet all given conditions; ``older_than`` is in days."""
    return [
        e
        for e in found
        if (stage is None or e.stage == stage)
        and (older_than is None or e.days > older_than)
        and (not states or e.state in states)
        and (not unused or not e.users)
    ]


def prune(chosen: Iterable[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Delete entries; returns (deleted, kept because a job holds their lock)."""
    gone, busy = [], []
    for e in chosen:
        try:
            with lock_of(e.home / LOCK).acquire(timeout=0):
                for p in e.home.iterdir():
                    if not is_lock(p):
                        shutil.rmtree(p) if p.is_dir() else p.unlink()
        except filelock.Timeout:
            busy.append(e)
            continue
        shutil.rmtree(e.home, ignore_errors=True)
        gone.append(e)
    return gone, busy


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir()) if path.is_dir() else []


def _users(root: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    out: dict[tuple[str, str], tuple[str, ...]] = {}
    for path in sorted((root / RUNS).glob("*.json")):
        run = json.loads(path.read_text(encoding="utf-8"))
        if Path(run["folder"]).is_dir():
            for stage, key in run["entries"]:
                out[stage, key] = (*out.get((stage, key), ()), run["folder"])
    return out


def _entry(home: Path, users: tuple[str, ...]) -> Entry:
    files = [p for p in home.rglob("*") if p.is_file()]
    done, rows = home / "entry.json", home / "rows.jsonl"
    state: State = "unfinished"
    seconds, created = 0.0, home.stat().st_mtime
    if done.exists():
        held = json.loads(done.read_text(encoding="utf-8"))
        state, seconds, created = "done", float(held["seconds"]), float(held["created"])
    elif rows.exists():
        state, seconds, created = "rows", _seconds(rows), rows.stat().st_mtime
    if ".damaged-" in home.name:
        state = "damaged"
    return Entry(
        home=home,
        stage=home.parent.name,
        key=home.name,
        state=state,
        bytes=sum(p.stat().st_size for p in files),
        seconds=seconds,
        created=created,
        users=users,
    )


def _seconds(rows: Path) -> float:
    total = 0.0
    for line in rows.read_bytes().splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):  # an incomplete line counts as nothing
            total += float(json.loads(line)["seconds"])
    return total
