"""Locks that exclude other processes, on other machines too where the file system is shared.

Where the file system has working locks (flock), these are used. Elsewhere a *lock file* stands for a lock. It names its
owner, who refreshes it. A process that has seen no refresh for ``LEASE_S`` seconds takes it over, because the owner's
machine is dead then.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import filelock

from sei.errors import ConfigError, DiskError
from sei.store.mounts import mount_of

log = logging.getLogger(__name__)
LOCK = ".lock"
LEASE = ".lease"  # ending of a lock file
LEASE_S = 120.0
_CHOICE = "SEI_LOCKS"
Kind = Literal["flock", "files"]

_TRY_LOCK = """
import fcntl, os, sys
try:
    fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(3)
"""
_TRY_FILE = """
import os, sys
try:
    os.open(sys.argv[1], os.O_CREAT | os.O_EXCL | os.O_RDWR)
except FileExistsError:
    sys.exit(3)
"""
_KINDS: dict[int, tuple[Kind, str]] = {}  # by device: the kind, and why locks are not used
_TOLD: set[int] = set()


def lock_of(path: Path) -> filelock.BaseFileLock:
    """Return the lock of a path, of the kind that works there. It is free or held by one process on all machines.

    Raises:
        ConfigError: if ``SEI_LOCKS`` is no kind of lock.
    """
    kind, _ = _kind_of(path.parent)
    if kind == "flock":
        return filelock.FileLock(path)
    with contextlib.suppress(OSError):
        path.touch()  # as a lock leaves a file, so that others see that somebody was here
    return filelock.SoftFileLease(f"{path}{LEASE}", lease_duration=LEASE_S, on_compromise=_lost)


def patience(lock: filelock.BaseFileLock) -> float:
    """Return the seconds after which a lock that is still held has an owner at work."""
    return LEASE_S + 10 if isinstance(lock, filelock.SoftFileLease) else 0.0


def is_held(path: Path) -> bool | None:
    """Tell whether a process holds the lock of a path. ``None`` if nobody ever has."""
    if not path.exists():
        return None
    kind, _ = _kind_of(path.parent)
    marker = Path(f"{path}{LEASE}")
    if kind == "files" and (not marker.exists() or _age(marker) > LEASE_S):
        return False
    try:
        with lock_of(path).acquire(timeout=0):
            return False
    except filelock.Timeout:
        return True


def is_lock(path: Path) -> bool:
    """Tell whether a file in an entry's folder belongs to its lock."""
    return path.name.startswith(LOCK)


def shared(folder: Path) -> bool:
    """Tell whether other machines may use the file system of a folder at the same time."""
    return mount_of(_existing(folder)).shared or os.environ.get(_CHOICE, "") == "files"


def require_locks(folder: Path, what: str, remedy: str) -> None:
    """Find out how to lock in a folder, and say so if it is not by the file system's own locks.

    On some file systems locks work for one machine only, or not at all (Lustre and NFS with certain mount options). Two
    jobs could then make the same result and damage it.

    Raises:
        DiskError: if ``SEI_LOCKS=flock`` and locks do not work, or if lock files do not work either.
        ConfigError: if ``SEI_LOCKS`` is no kind of lock.
    """
    try:
        device = folder.stat().st_dev
        kind, why = _kind_of(folder)
        broken = _broken(folder) if os.environ.get(_CHOICE) == "flock" else ""
        excluded = kind == "flock" or _excludes(folder, _TRY_FILE, lock=False)
    except OSError as e:
        raise DiskError(f"{what} {folder}: {e.strerror or e}. Remedy: {remedy}.") from e
    if broken:
        raise DiskError(
            f"{what} {folder}: {broken}. Rule: jobs that share it need locks. Remedy: {remedy}, or {_CHOICE}=files."
        )
    if not excluded:
        raise DiskError(
            f"{what} {folder}: two processes made the same file, so neither locks nor lock files work on this file "
            f"system. Rule: jobs that share a folder need one of them. Remedy: {remedy}."
        )
    if kind == "files" and device not in _TOLD:
        _TOLD.add(device)
        log.warning(
            "%s %s: %s. Lock files are used instead of locks: if a machine dies, others go on with its work %d seconds "
            "later",
            *(what, folder, why, LEASE_S),
        )


def _kind_of(folder: Path) -> tuple[Kind, str]:
    """Return how to lock in a folder, and why not with the file system's own locks."""
    chosen = os.environ.get(_CHOICE, "")
    if chosen == "files":
        return "files", f"{_CHOICE}=files"
    if chosen not in ("", "flock"):
        raise ConfigError(f"{_CHOICE}={chosen}. Rule: flock or files. Remedy: one of these, or no {_CHOICE}.")
    if chosen == "flock":
        return "flock", ""
    there = _existing(folder)
    device = there.stat().st_dev
    if device not in _KINDS:
        why = mount_of(there).locks_alone
        with contextlib.suppress(OSError):  # nothing can be tried in a folder that cannot be written
            why = why or _broken(there)
        _KINDS[device] = ("files", why) if why else ("flock", "")
    return _KINDS[device]


def _broken(folder: Path) -> str:
    """Say why the file system's own locks do not work in a folder, or nothing."""
    try:
        return "" if _excludes(folder, _TRY_LOCK, lock=True) else "two processes got the same lock"
    except OSError as e:
        if e.errno == errno.ENOLCK:
            return "the lock service of its file system does not answer (ENOLCK)"
        if e.errno in (errno.ENOSYS, errno.EOPNOTSUPP):
            return "its file system has no locks"
        raise


def _excludes(folder: Path, program: str, *, lock: bool) -> bool:
    """Hold a file in a folder and let another process try to take it; tell whether it could not."""
    path = folder / f".probe-{secrets.token_hex(8)}{LOCK}"
    try:
        with path.open("xb") as f:
            if lock:
                fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
            tried = subprocess.run(  # noqa: S603  # our own words, by this interpreter
                [sys.executable, "-ISc", program, str(path)], capture_output=True, check=False
            )
        return tried.returncode != 0
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def _existing(folder: Path) -> Path:
    """Return a folder, or the closest folder above it that is there."""
    place = folder.absolute()
    return next(p for p in (place, *place.parents) if p.exists())


def _age(file: Path) -> float:
    try:
        return time.time() - file.stat().st_mtime
    except OSError:
        return 0.0


def _lost(said: filelock.LeaseCompromise) -> None:
    log.error(
        "the lock file %s was not refreshed for some time (%s): another process may make the same result again",
        *(said.lock_file, said.reason),
    )
