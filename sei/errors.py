"""Errors that a user can act on. Each has its exit code.

Every message names the thing, its value, the rule and the remedy.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import ClassVar


class SeiError(Exception):
    """Base of all errors that end a run with a message, not with a traceback."""

    exit_code: ClassVar[int] = 1


class ConfigError(SeiError):
    """The configuration cannot be run: unknown key, wrong type, impossible or contradictory value."""

    exit_code = 2


class DataError(SeiError):
    """A data file is missing or one of its rows is broken; the message gives file and line."""

    exit_code = 2


class RoleError(SeiError):
    """A record reached a stage that must not see its role, such as a test problem in diagnosis."""

    exit_code = 2


class TooManyBadRecordsError(SeiError):
    """More records were rejected than the configured limit allows."""

    exit_code = 3


class DeviceError(SeiError):
    """A process of a fine-tune on several devices died."""


class NumericError(SeiError):
    """A loss or weight became NaN or infinite."""

    exit_code = 4


class BusyError(SeiError):
    """Another process uses a resource that this one needs; trying again later helps."""

    exit_code = 75


class DiskError(SeiError):
    """Writing failed: no space, no permission, or a read-only file system."""

    exit_code = 74

    @classmethod
    def of(cls, path: object, error: OSError) -> DiskError:
        """Return the error for an operating system error on a path."""
        return cls(
            f"cannot write {path}: {error.strerror or error}. Remedy: free space or fix permissions, then run the same "
            "command again; finished work is kept."
        )


_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def disk_trouble(error: BaseException | None) -> DiskError | None:
    """Return a ``DiskError`` if an error, or one of its causes, says that the disk could not be written.

    Libraries that write weights have their own words for it: torch "PytorchStreamWriter failed writing", safetensors
    "(os error 28)".
    """
    for cause in causes(error):
        if isinstance(cause, DiskError):
            return cause
        if isinstance(cause, OSError) and cause.errno in _DISK:
            return DiskError.of(cause.filename or "a file", cause)
        text = str(cause)
        if "PytorchStreamWriter failed writing" in text or any(f"(os error {n})" in text for n in _DISK):
            return DiskError.of("weights", OSError(errno.ENOSPC, f"no space left ({text.splitlines()[0][:120]})"))
    return None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, each once; errors can be each other's cause."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
