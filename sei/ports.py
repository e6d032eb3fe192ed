"""Ports: the Protocols that parts fulfil. No base classes; any class with the same shape will do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sei.records import HeldOutProblem, PoolProblem


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """What a data source gives: the training pool and all held-out problems (dev and test sets)."""

    pool: tuple[PoolProblem, ...]
    held_out: tuple[HeldOutProblem, ...]


@runtime_checkable
class DataSource(Protocol):
    """Gives problems in their roles."""

    def load(self) -> DataSet:
        """Read or draw all problems. Raises DataError naming file and line."""
        ...
