"""How a process ends: signals become exit codes, errors become one message."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sei.errors import SeiError, disk_trouble
from sei.printable import printable

log = logging.getLogger("sei")
INTERRUPTED, TERMINATED = 130, 143
AFTER_FINALISER_S = 0.01
_TERMINATING = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class Interruption(SystemExit):
    """A signal on its way out; ``code`` is the exit code."""


def catch_signals() -> None:
    """Let SIGINT end the process with 130 and SIGTERM with 143, after everything open was flushed and closed.

    SIGUSR1 and SIGUSR2 mean the same as SIGTERM: schedulers send them some time before they preempt a job.
    ``SystemExit`` instead of ``KeyboardInterrupt``: Lightning swallows the latter and exits 1. While the
    first signal is being answered a second SIGTERM (or SIGUSR1, SIGUSR2) changes nothing; a second Ctrl-C ends at once.

    Python drops what is raised inside a finaliser (``__del__``, a weak reference's callback): a signal that
    arrives there would be lost and the run go on, so it is sent once more as soon as the finaliser is over; not
    before ``dropped`` has ended, where Python drops what is raised as well.
    """
    dropping = False

    def leave(number: int, _: Any) -> None:
        if dropping:
            return  # one is on its way
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for late in _TERMINATING:
            signal.signal(late, signal.SIG_IGN)
        raise Interruption(INTERRUPTED if number == signal.SIGINT else TERMINATED)

    def dropped(what: Any) -> None:
        nonlocal dropping
        if not isinstance(what.exc_value, Interruption):
            earlier(what)
            return
        number = signal.SIGINT if what.exc_value.code == INTERRUPTED else signal.SIGTERM
        dropping = True
        try:
            listen()
            threading.Thread(target=send_again, args=[threading.get_ident(), number], daemon=True).start()
        finally:
            dropping = False

    def send_again(main: int, number: int) -> None:
        time.sleep(AFTER_FINALISER_S)
        while dropping:
            time.sleep(AFTER_FINALISER_S)
        signal.pthread_kill(main, number)

    def listen() -> None:
        for number in (signal.SIGINT, *_TERMINATING):
            signal.signal(number, leave)

    earlier = sys.unraisablehook
    sys.unraisablehook = dropped
    listen()


@contextmanager
def lent_signals() -> Iterator[None]:
    """Catch signals for the time of a run inside somebody else's process, such as a notebook, and give them back.

    Whatever the run did to their handlers is undone. An interruption is raised as it would have been without the run:
    ``KeyboardInterrupt`` for SIGINT; another signal is sent once more, to whom it was meant for. In a thread that is
    not the main one Python lets nobody catch signals, and nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier, hook = {n: signal.getsignal(n) for n in (signal.SIGINT, *_TERMINATING)}, sys.unraisablehook

    def give_back() -> None:
        sys.unraisablehook = hook
        for number, handler in earlier.items():
            if handler is not None:  # one that C code has set cannot be set from here
                signal.signal(number, handler)

    catch_signals()
    try:
        yield
    except Interruption as e:
        give_back()
        if e.code != INTERRUPTED:
            signal.raise_signal(signal.SIGTERM)
        raise KeyboardInterrupt("the run was interrupted; the same settings again go on from here") from None
    finally:
        give_back()


def was_signal(code: object) -> bool:
    """Say whether an exit code stands for an interruption from outside."""
    return code in (INTERRUPTED, TERMINATED)


def ended_by_signal(returncode: int) -> int | None:
    """Return the exit code of a child that was interrupted, whether it could say so or not; ``None`` for others."""
    if was_signal(returncode):
        return returncode
    if -returncode in _TERMINATING:
        return TERMINATED
    return INTERRUPTED if -returncode == signal.SIGINT else None


def exit_code_of(error: BaseException) -> int:
    """Return the exit code that an error stands for (README)."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(bool(error.code))
    known = error if isinstance(error, SeiError) else disk_trouble(error)
    return 1 if known is None else known.exit_code


def tell(error: BaseException, who: str = "sei") -> int:
    """Print what ended a job (``who``) and return its exit code; an unexpected error is logged with its traceback."""
    code = exit_code_of(error)
    known = error if isinstance(error, SeiError) else disk_trouble(error)
    if known is not None:
        print(printable(f"{who}: {known}", keep="\n"), file=sys.stderr)
    elif was_signal(code):
        print(f"{who}: interrupted; the same command goes on from here.", file=sys.stderr)
    elif not isinstance(error, SystemExit):
        log.error("unexpected error", exc_info=error)
    return code
