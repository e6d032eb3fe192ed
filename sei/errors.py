"""Errors that a user can act on, each with the exit code of the command line.

Every message names the thing, its value, the rule and the remedy.
"""

from __future__ import annotations

import errno
from typing import ClassVar


class SeiError(Exception):
    """Base of all errors that end a run with a message instead of a traceback."""

    exit_code: ClassVar[int] = 1


class ConfigError(SeiError):
    """The configuration cannot be run: unknown key, wrong type, impossible or contradictory value."""

    exit_code = 2


class DataError(SeiError):
    """A data file is missing or a row of it is broken; the message gives file and line."""

    exit_code = 2


class RoleError(SeiError):
    """A record came where its role forbids it, such as a test problem in diagnosis."""

    exit_code = 2


class TooManyBadRecordsError(SeiError):
    """More records were rejected than the configured share allows."""

    exit_code = 3


class NumericError(SeiError):
    """A loss or weight became NaN or infinite."""

    exit_code = 4


class BusyError(SeiError):
    """Something else is using what this needs; trying again later helps."""

    exit_code = 75


class DiskError(SeiError):
    """Writing failed: no space, no permission, or a read-only file system."""

    exit_code = 74

    @classmethod
    def of(cls, path: object, error: OSError) -> DiskError:
        """Word an operating system error on a path."""
        return cls(
            f"cannot write {path}: {error.strerror or error}. Remedy: free space or fix permissions, then run the same "
            "command again; what is finished is kept."
        )


_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def disk_trouble(error: BaseException | None) -> DiskError | None:
    """Return a ``DiskError`` where an error, or one that it came from, says that the disk took no more.

    Weights are written by libraries that word it their own way: torch as "PytorchStreamWriter failed
    writing", safetensors with "(os error 28)".
    """
    while error is not None:
        if isinstance(error, DiskError):
            return error
        if isinstance(error, OSError) and error.errno in _DISK:
            return DiskError.of(error.filename or "a file", error)
        text = str(error)
        if "PytorchStreamWriter failed writing" in text or any(f"(os error {n})" in text for n in _DISK):
            return DiskError.of("weights", OSError(errno.ENOSPC, f"no space left ({text.splitlines()[0][:120]})"))
        error = error.__cause__ or error.__context__
    return None
