"""Errors that a user can act on, each with the exit code of the command line.

Every message names the thing, its value, the rule and the remedy.
"""

from __future__ import annotations

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


class DiskError(SeiError):
    """Writing failed: no space, no permission, or a read-only file system."""

    exit_code = 74
