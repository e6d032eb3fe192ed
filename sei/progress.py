"""One progress owner: a rich bar on a terminal, plain log lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sei.printable import printable

log = logging.getLogger(__name__)

EVERY_SECONDS = 15.0  # between plain lines where there is no terminal


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how far a piece of long work is; yields a function that advances it by a count."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description:<24}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(printable(what), total=total)
            yield lambda n: bar.advance(task, n)
        return
    start = last = time.monotonic()
    done = 0

    def advance(n: int) -> None:
        nonlocal last, done
        done += n
        now = time.monotonic()
        if now - last >= EVERY_SECONDS:
            last = now
            left = (now - start) / done * (total - done) if done else 0.0
            log.info("%s: %d/%d, about %.0f s left", what, done, total, left)

    yield advance
