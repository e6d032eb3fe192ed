"""Numbers as text cells for readers and as records for scripts."""

from __future__ import annotations

from dataclasses import dataclass, field

from sei.compare.measures import Estimate
from sei.compare.methods import Method
from sei.statistics import Interval

UNREADABLE = "†"
NOT_MEASURED = "not measured"
Value = str | int | float | None
Record = dict[str, Value]


@dataclass(frozen=True)
class Table:
    """One table: title, header, rows of text cells (percent), notes below it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def said(self) -> tuple[str, ...]:
        """Return the notes, and an explanation of the mark for unreadable answers if a cell has it."""
        marked = any(UNREADABLE in c for row in self.rows for c in row)
        mark = f"{UNREADABLE}: more than half of a run's answers to a set have no readable result."
        return (*self.notes, *([mark] if marked else []))


@dataclass(frozen=True)
class Result:
    """All tables of one kind (``main``, ``ablation``, ``rounds``, ``budget``) and their records (shares)."""

    name: str
    tables: tuple[Table, ...]
    records: tuple[Record, ...] = field(default=())


def points(value: float | None, *, signed: bool = False) -> str:
    """Return a share as percent with one decimal place."""
    if value is None:
        return NOT_MEASURED
    shown = f"{100 * value:+.1f}" if signed else f"{100 * value:.1f}"
    return shown.replace("-0.0", "0.0").replace("+0.0", "0.0")


def cell(interval: Interval | None, *, signed: bool = False) -> str:
    """Return ``mean [low, high]`` in percent."""
    if interval is None:
        return NOT_MEASURED
    mean = points(interval.mean, signed=signed)
    ends = [points(v, signed=signed) for v in (interval.low, interval.high)]
    return f"{mean} [{ends[0]}, {ends[1]}]" if interval.known else mean


def p_value(p: float | None) -> str:
    """Return a p value with three decimal places."""
    return "-" if p is None else "<0.001" if p < 0.0005 else f"{p:.3f}"


def estimate_cell(found: Estimate | None, method: Method) -> str:
    """Return a method's mean and interval in percent, and the number of seeds if some have no value."""
    if found is None:
        return NOT_MEASURED
    some = f" ({len(found.seeds)} of {len(method.seeds)} seeds)" if len(found.seeds) < len(method.seeds) else ""
    return cell(found.interval) + some + (f" {UNREADABLE}" if found.unreadable else "")


def named_ends(name: str, interval: Interval | None) -> Record:
    """Return mean and ends as three values of a record."""
    if interval is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    ends = (interval.low, interval.high) if interval.known else (None, None)
    return {name: interval.mean, f"{name}_low": ends[0], f"{name}_high": ends[1]}
