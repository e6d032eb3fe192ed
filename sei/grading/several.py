"""Several outputs graded at a time: while one waits for computer algebra, others are graded.

A call that needs an answer of the sandbox is put aside and repeated when the answer is there. All calls run in the
caller's thread, so a grader needs no locks, and results come in the order of the calls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sei.grading.pool import Lane, LostError, Pool, Question, Reply, waited
from sei.grading.sandbox import ANSWERS, POOL, PendingError, deferring

T = TypeVar("T")
_WINDOW = 2_000  # calls that may be under way; their results wait for the first one
_TRIES = 3
_LOOK = 1.0  # seconds between looks at lanes that say nothing


@dataclass(eq=False)
class _Call(Generic[T]):
    """A call that is under way, with the answers that it has been given."""

    run: Callable[[], T]
    given: dict[Question, Reply] = field(default_factory=dict)
    found: list[T] = field(default_factory=list)  # one result, once it is there
    failed: BaseException | None = None
    tries: int = 0

    @property
    def done(self) -> bool:
        return bool(self.found) or self.failed is not None

    def advance(self) -> Question | None:
        """Run until the result is there, or return the question whose answer is missing."""
        try:
            with deferring(self.given):
                self.found.append(self.run())
        except PendingError as e:
            return e.question
        except Exception as e:  # raised when it is this call's turn
            self.failed = e
        return None

    def result(self) -> T:
        if self.failed is not None:
            raise self.failed
        return self.found[0]


class _Desk(Generic[T]):
    """The calls under way, the questions that wait, and the lanes that work on one."""

    def __init__(self, pool: Pool, most: int | None) -> None:
        self.pool, self.most = pool, most or pool.most
        self.open: deque[tuple[_Call[T], Question]] = deque()
        self.busy: dict[Lane, tuple[_Call[T], Question]] = {}

    def start(self, call: _Call[T]) -> None:
        """Run a call; if it needs an answer, put its question to the others."""
        question = call.advance()
        if question is not None:
            self.open.append((call, question))

    def work(self, *, wait: bool) -> None:
        """Hand out questions and collect answers; ``wait``: until there is an answer."""
        self._hand_out()
        if wait and self.busy:
            waited(list(self.busy), _LOOK)
        for lane in list(self.busy):
            self._collect(lane)
        self._hand_out()

    def _hand_out(self) -> None:
        while self.open:
            call, question = self.open[0]
            known = ANSWERS.get(question)
            if known is not None:
                self.open.popleft()
                self._answered(call, question, known)
                continue
            if len(self.busy) >= self.most:
                return
            self.open.popleft()
            lane = None
            try:
                lane = self.pool.take()
                lane.send(question)
            except LostError:
                self._lost(lane, call, question)
                continue
            self.busy[lane] = (call, question)

    def _collect(self, lane: Lane) -> None:
        call, question = self.busy[lane]
        try:
            reply = lane.reply()
        except LostError:
            del self.busy[lane]
            self._lost(lane, call, question)
            return
        if reply is None:
            return
        del self.busy[lane]
        self.pool.give(lane)
        ANSWERS.put(question, reply)
        call.tries = 0
        self._answered(call, question, reply)

    def _answered(self, call: _Call[T], question: Question, reply: Reply) -> None:
        call.given[question] = reply
        self.start(call)

    def _lost(self, lane: Lane | None, call: _Call[T], question: Question) -> None:
        self.pool.drop(lane)
        call.tries += 1
        if call.tries < _TRIES:
            self.open.append((call, question))
        else:
            call.tries = 0
            self._answered(call, question, {"result": "lost"})

    def leave(self) -> None:
        """Give the lanes back. Those that work on a question finish it, and its answer is thrown away."""
        for lane in self.busy:
            self.pool.give(lane)


def in_order(calls: Iterable[Callable[[], T]], *, most: int | None = None, pool: Pool = POOL) -> Iterator[T]:
    """Yield the result of every call, in order. Calls may be repeated, so they must have no effects.

    ``most``: the number of lanes used at the same time; by default as many as the pool has.

    Raises:
        Exception: what a call raises, when its result would be next.
    """
    desk, under_way = _Desk[T](pool, most), deque[_Call[T]]()
    try:
        for run in calls:
            call = _Call(run)
            under_way.append(call)
            desk.start(call)
            if desk.open or desk.busy:
                desk.work(wait=False)
            while len(under_way) >= _WINDOW and not under_way[0].done:
                desk.work(wait=True)
            while under_way and under_way[0].done:
                yield under_way.popleft().result()
        while under_way:
            while not under_way[0].done:
                desk.work(wait=True)
            yield under_way.popleft().result()
    finally:
        desk.leave()
