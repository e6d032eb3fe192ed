"""The comparison of a sweep as its last lines in the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sei.compare.build import main_table
from sei.compare.measures import STAGES
from sei.compare.methods import blocks
from sei.compare.runs import collect
from sei.printable import printable

_WIDTH = 160  # where the output is no terminal


def show(folder: Path, page: Path) -> None:
    """Print the main table of a sweep's finished runs, then where its page and the other tables are.

    All is printed at once. Nothing is raised for runs that are broken: they are left out.
    """
    console = Console(width=None if Console().is_terminal else _WIDTH)
    runs, skipped = collect([folder])
    if not runs:  # why each job has no result is said already
        print(f"page of the sweep: {page.absolute()}", flush=True)
        return
    with console.capture() as said:
        found = main_table(blocks(runs)[0], STAGES["best"]).tables[0]
        table = Table(title=f"finished runs: {len(runs)}; accuracy of the checkpoint that is best on dev")
        for head in found.header:
            table.add_column(_plain(head), justify="left" if head in ("model", "data", "method") else "right")
        for row in found.rows:
            table.add_row(*map(_plain, row))
        console.print(table)
        for note in [n for n in found.said if not n.startswith("main.csv")]:  # no file is written here
            console.print(_plain(note), soft_wrap=True)
        for one in skipped:
            console.print(_plain(f"left out: {one.folder}: {one.reason}"), soft_wrap=True)
        console.print(_plain(f"tests of the differences: python -m sei.compare {folder}"), soft_wrap=True)
        console.print(_plain(f"page of the sweep: {page.absolute()}"), soft_wrap=True)
    print(said.get(), end="", flush=True)


def _plain(text: str) -> Text:
    """Return a text that is shown as it stands: no markup, no control characters."""
    return Text(printable(text))
