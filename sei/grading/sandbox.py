"""Computer algebra in processes that can be killed: the questions, their answers, and whose fault a limit is.

An answer is remembered. ``deferring`` marks a call that must not wait: a question without a known answer then ends the
call with ``PendingError``, and the caller repeats it later (``sei.grading.several``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from sei.grading.pool import Pool, Question, Reply

_REMEMBERED = 50_000


class UnreadableError(Exception):
    """The stated answer cannot be read: it is broken, too long, or exceeds the limits by itself."""


class LimitError(Exception):
    """A comparison reached a limit, and not because of the stated answer alone."""


class NoAlgebraError(LimitError):
    """Computer algebra cannot read the gold answer: it is a recurrence, or a list with an ellipsis."""


class PendingError(BaseException):
    """A question has no answer yet. No handler of ordinary exceptions may catch it."""

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        self.question = question


class _Answers:
    """The answers of this process by question; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._by_question: dict[Question, Reply] = {}
        self._lock = threading.Lock()

    def get(self, question: Question) -> Reply | None:
        return self._by_question.get(question)

    def put(self, question: Question, reply: Reply) -> None:
        if reply["result"] == "lost":
            return  # the next call may have an answer
        with self._lock:
            self._by_question[question] = reply
            if len(self._by_question) > _REMEMBERED:
                del self._by_question[next(iter(self._by_question))]

    def clear(self) -> None:
        with self._lock:
            self._by_question.clear()


POOL = Pool()
ANSWERS = _Answers()
_GIVEN: ContextVar[Mapping[Question, Reply] | None] = ContextVar("_GIVEN", default=None)


@contextmanager
def deferring(given: Mapping[Question, Reply]) -> Iterator[None]:
    """Let no call inside wait for an answer; ``given`` are answers beside the remembered ones."""
    before = _GIVEN.set(given)
    try:
        yield
    finally:
        _GIVEN.reset(before)


def _answer(question: Question) -> Reply:
    given = _GIVEN.get()
    reply = ANSWERS.get(question) or (given or {}).get(question)
    if reply is None:
        if given is not None:
            raise PendingError(question)
        reply = POOL.ask(question)
        ANSWERS.put(question, reply)
    return reply


def ask(gold: str, stated: str, *, seconds: float) -> bool:
    """Say whether two formulas are equal, using about ``seconds`` of processor time for each of reading and comparing.

    Raises:
        UnreadableError: if the stated text is not a formula, or cannot be evaluated within the limits.
        NoAlgebraError: if the gold formula cannot be read.
        LimitError: if the comparison reached a limit.
        PendingError: inside ``deferring``, if the answer is not known.
    """
    reply = _answer(Question(gold, stated, seconds))
    result, why = str(reply["result"]), str(reply.get("why", ""))
    if result == "unreadable":
        raise UnreadableError(why)
    if result == "no_algebra":
        raise NoAlgebraError(why)
    if result not in ("same", "different"):
        raise LimitError(f"{result}: {why}" if why else result)
    return result == "same"
