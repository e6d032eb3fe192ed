"""Controls the number of requests in flight, and writes answers to disk in groups."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sei.instructors.remote.answers import Answers, NoAnswers
from sei.instructors.remote.terms import Limits, StoppedError
from sei.instructors.remote.verdict import Retry

_GATHER = 0.002  # seconds to gather answers for one transaction; they count as in flight meanwhile


class Flow:
    """The limit of requests in flight. It grows with success and is halved when the server reports overload.

    It doubles from round to round until the first overload, and then grows by one a round. Requests get their places in
    the order in which they came, so that none waits for ever. ``last_good`` is the time of the server's last answer.
    ``begin`` is called inside the event loop of each run.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.answered = False  # whether it ever answered this process
        self.last_good = time.monotonic()
        self._limit = float(max(1, limits.concurrency // 2))
        self._in_flight = 0
        self._not_before = 0.0
        self._overloaded = False  # whether it ever was
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []  # a heap by ticket; the second number is unique
        self._numbers = itertools.count()

    def begin(self) -> None:
        """Take up a new event loop."""
        self._waiting.clear()
        self.last_good = time.monotonic()

    def ticket(self) -> int:
        """Return the number of a request in the order of arrival. It keeps the number when it is sent again."""
        return next(self._numbers)

    @asynccontextmanager
    async def slot(self, ticket: int) -> AsyncIterator[None]:
        """Wait for a free place among the requests in flight, and for any delay that the server asked for."""
        await self._take_place(ticket)
        try:
            while (wait := self._not_before - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            yield
        finally:
            self._give_back()

    async def _take_place(self, ticket: int) -> None:
        mine = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (ticket, next(self._numbers), mine))
        self._hand_out()
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # it has a place already
                self._give_back()
            raise

    def _hand_out(self) -> None:
        """Give free places to those that wait, the first one first."""
        while self._waiting and self._in_flight < max(1, int(self._limit)):
            first = heapq.heappop(self._waiting)[-1]
            if not first.done():
                self._in_flight += 1
                first.set_result(None)

    def _give_back(self) -> None:
        self._in_flight -= 1
        self._hand_out()

    def hold(self) -> None:
        """Keep the place of a request until its answer is on disk, because a kill before that would lose it."""
        self._in_flight += 1

    def release(self) -> None:
        """Release a held place."""
        self._give_back()

    def succeeded(self) -> None:
        """Record an answer."""
        self.answered = True
        self.last_good = time.monotonic()
        more = 1 / max(1.0, self._limit) if self._overloaded else 1.0
        self._limit = min(float(self.limits.concurrency), self._limit + more)

    def failed(self, verdict: Retry) -> None:
        """Record a failure on the way.

        Raises:
            StoppedError: if the server asks to wait longer than ``max_wait``.
        """
        if verdict.slow_down or verdict.reason.startswith("HTTP 5"):
            self._overloaded = True
            self._limit = max(1.0, self._limit / 2)
        if verdict.after is not None:
            if verdict.after > self.limits.max_wait:
                raise StoppedError(
                    f"the server asks to wait {verdict.after:.0f} s, longer than instructor.max_wait="
                    f"{self.limits.max_wait}. Remedy: run the same command after that time; answers are kept.", 75
                )  # fmt: skip
            self._not_before = max(self._not_before, time.monotonic() + verdict.after)


class Keeper:
    """Writes answers to the cache. Answers that arrive during a write are written together in the next one."""

    def __init__(self, cache: Answers | NoAnswers) -> None:
        self.cache = cache
        self._unkept: list[tuple[str, dict[str, Any]]] = []

    def begin(self) -> None:
        """Take up a new event loop."""
        self._keeping, self._unkept = asyncio.Lock(), []

    async def keep(self, key: str, answer: dict[str, Any]) -> None:
        """Store an answer and return when it is on disk.

        Raises:
            DiskError: if it cannot be written.
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
                self._unkept = batch + self._unkept  # otherwise the others would count theirs as stored
                raise
