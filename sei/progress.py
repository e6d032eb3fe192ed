"""Progress display: a rich bar on a terminal, plain log lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from sei.printable import printable

log = logging.getLogger(__name__)

EVERY_SECONDS = 15.0  # between plain log lines without a terminal


class Advance(Protocol):
    """Shows the progress of long work, as a count or as words about the current step."""

    def __call__(self, n: int) -> None:
        """Count ``n`` more as done."""
        ...


class _Bar:
    """A bar on a terminal."""

    def __init__(self, bar: Any, task: Any, what: str) -> None:
        self.bar, self.task, self.what = bar, task, what

    def __call__(self, n: int) -> None:
        self.bar.update(self.task, advance=n, description=self.what)

    def inside(self, words: str) -> None:
        self.bar.update(self.task, description=f"{self.what}: {words}")


class _Lines:
    """Plain log lines, one every ``EVERY_SECONDS`` at most."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self.start = self.last = time.monotonic()

    def __call__(self, n: int) -> None:
        self.done += n
        now = time.monotonic()
        left = (now - self.start) / self.done * (self.total - self.done) if self.done else 0.0
        self._say(now, f"about {left:.0f} s left")

    def inside(self, words: str) -> None:
        self._say(time.monotonic(), words)

    def _say(self, now: float, words: str) -> None:
        if now - self.last >= EVERY_SECONDS:
            self.last = now
            log.info("%s: %d/%d, %s", self.what, self.done, self.total, words)


@contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    """Show the progress of long work; yields a function that advances it by a count."""
    if not sys.stderr.isatty():
        yield _Lines(what, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:<24}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        name = printable(what)
        yield _Bar(bar, bar.add_task(name, total=total), name)


def inside(advance: Advance) -> Callable[[str], None]:
    """Return a function that shows words about a step which takes long itself, such as the tokens of a batch."""
    said: Callable[[str], None] = getattr(advance, "inside", lambda _: None)
    return said
