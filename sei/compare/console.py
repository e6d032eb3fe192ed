"""Prints the comparison of a sweep as its last lines in the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sei.compare.build import main_table
from sei.compare.measures import STAGES
from sei.compare.methods import blocks
from sei.compare.runs import collect, left_out
from sei.printable import printable

_WIDTH = 160  # if the output is not a terminal


def show(folder: Path, page: Path) -> None:
    """Print the main table of a sweep's finished runs, then the paths of its page and the other tables.

    All is printed at once. Broken runs are left out without an error.
    """
    console = Console(width=None if Console().is_terminal else _WIDTH)
    runs, skipped = collect([folder])
    if not runs:  # the jobs have already reported why they have no result
        print(f"page of the sweep: {page.absolute()}", flush=True)
        return
    with console.capture() as said:
        found = main_table(blocks(runs)[0], STAGES["best"]).tables[0]
        table = Table(title=f"finished runs: {len(runs)}; accuracy of the best checkpoint on dev")
        for head in found.header:
            table.add_column(_plain(head), justify="left" if head in ("model", "data", "method") else "right")
        for row in found.rows:
            table.add_row(*map(_plain, row))
        console.print(table)
        for note in [n for n in found.said if not n.startswith("main.csv")]:  # no file is written here
            console.print(_plain(note), soft_wrap=True)
        for line in left_out(skipped):
            console.print(_plain(line), soft_wrap=True)
        console.print(_plain(f"tests of the differences: python -m sei.compare {folder}"), soft_wrap=True)
        console.print(_plain(f"page of the sweep: {page.absolute()}"), soft_wrap=True)
    print(said.get(), end="", flush=True)


def _plain(text: str) -> Text:
    """Return a text shown unchanged: no markup, no control characters."""
    return Text(printable(text))
