"""What a person sees at the end of a run: a table with n, accuracy and interval."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sei.records import Score


def score_table(stages: Sequence[tuple[str, dict[str, Score]]]) -> Table:
    """Return a table: one row per set, one column per stage (base, round 1, ...)."""
    table = Table(title="accuracy, 95 % interval (Wilson)")
    for head in ("set", "role", "n"):
        table.add_column(head)
    for name, _ in stages:
        table.add_column(name, justify="right")
    if len(stages) > 1:
        table.add_column("gain", justify="right")
    for key, first in stages[0][1].items():
        cells = [f"{s[key].accuracy:6.1%}  [{s[key].ci95[0]:.1%}, {s[key].ci95[1]:.1%}]" for _, s in stages]
        gain = [f"{100 * (stages[-1][1][key].accuracy - first.accuracy):+.1f}"] if len(stages) > 1 else []
        table.add_row(key, first.role, str(first.n), *cells, *gain)
    return table


def show(stages: Sequence[tuple[str, dict[str, Score]]], folder: Path, made: int, reused: int) -> None:
    """Print the table and where the results lie."""
    console = Console(width=None if Console().is_terminal else 140)
    console.print(score_table(stages))
    console.print(f"{made} results made, {reused} reused from the store")
    console.print(f"results: {folder}", soft_wrap=True)
