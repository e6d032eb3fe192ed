"""How many requests are on their way at once, and how answers reach the disk together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sei.instructors.remote.answers import Answers, NoAnswers
from sei.instructors.remote.terms import Limits, StoppedError
from sei.instructors.remote.verdict import Retry

_GATHER = 0.002  # seconds in which answers gather for one transaction; their places in flight are held so long


class Flow:
    """The number of requests in flight: it grows with success and is halved when the server says that it is too much.

    ``last_good`` is when the server last answered. ``begin`` is called inside the event loop of each run.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.answered = False  # ever, in this process
        self.last_good = time.monotonic()
        self._limit = float(max(1, limits.concurrency // 2))
        self._in_flight = 0
        self._not_before = 0.0

    def begin(self) -> None:
        """Take up a new event loop."""
        self._changed = asyncio.Condition()
        self.last_good = time.monotonic()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a place among the requests in flight, and for the time that a server asked for."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._in_flight < max(1, int(self._limit)))
            self._in_flight += 1
        try:
            while (wait := self._not_before - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            yield
        finally:
            async with self._changed:
                self._in_flight -= 1
                self._changed.notify(max(0, int(max(1.0, self._limit)) - self._in_flight))  # as many as may go

    def hold(self) -> None:
        """Keep the place of a request whose answer is not on disk yet: a kill now would lose it like one on its way."""
        self._in_flight += 1

    async def release(self) -> None:
        """Give up a place that was held."""
        async with self._changed:
            self._in_flight -= 1
            self._changed.notify()

    def succeeded(self) -> None:
        """Take note of an answer."""
        self.answered = True
        self.last_good = time.monotonic()
        self._limit = min(float(self.limits.concurrency), self._limit + 1 / max(1.0, self._limit))

    def failed(self, verdict: Retry) -> None:
        """Take note of a failure on the way.

        Raises:
            StoppedError: when the server asks to wait longer than ``max_wait``.
        """
        if verdict.slow_down or verdict.reason.startswith("HTTP 5"):
            self._limit = max(1.0, self._limit / 2)
        if verdict.after is not None:
            if verdict.after > self.limits.max_wait:
                raise StoppedError(
                    f"the server asks to wait {verdict.after:.0f} s, longer than instructor.max_wait="
                    f"{self.limits.max_wait}. Remedy: the same command again after that; answers so far are kept.", 75
                )  # fmt: skip
            self._not_before = max(self._not_before, time.monotonic() + verdict.after)


class Keeper:
    """Writes answers to the cache, those that come while one is written in one transaction."""

    def __init__(self, cache: Answers | NoAnswers) -> None:
        self.cache = cache
        self._unkept: list[tuple[str, dict[str, Any]]] = []

    def begin(self) -> None:
        """Take up a new event loop."""
        self._keeping, self._unkept = asyncio.Lock(), []

    async def keep(self, key: str, answer: dict[str, Any]) -> None:
        """Return when an answer is on disk.

        Raises:
            DiskError: when it cannot be written.
        """
        entry = (key, answer)
        self._unkept.append(entry)
        async with self._keeping:
            if not any(e is entry for e in self._unkept):
                return
            await asyncio.sleep(_GATHER)
            batch, self._unkept = self._unkept, []
            try:
                await asyncio.to_thread(self.cache.put_all, batch)
            except BaseException:
                self._unkept = batch + self._unkept  # the others must not take theirs for kept
                raise
