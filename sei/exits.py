"""How a process ends: signals become exit codes, and errors become one message."""

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


def end_with_the_pipe() -> None:
    """Let a program that only prints end silently when its reader leaves, as in ``python -m sei.store | head``."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


class Interruption(SystemExit):
    """Carries a signal to the end of the process; ``code`` is the exit code."""


def catch_signals() -> None:
    """Let SIGINT end the process with 130 and SIGTERM with 143, after open files and resources are closed.

    SIGUSR1 and SIGUSR2 act as SIGTERM: schedulers send them before they preempt a job. The exception is ``SystemExit``,
    because Lightning swallows ``KeyboardInterrupt`` and exits 1. After the first signal, a second SIGTERM (or SIGUSR1,
    SIGUSR2) changes nothing; a second Ctrl-C ends the process at once.

    Python drops exceptions raised inside a finaliser (``__del__``, a weak reference's callback). A signal that arrives
    there would be lost, so it is sent again once the finaliser and the hook ``dropped`` have returned.
    """
    dropping = False

    def leave(number: int, _: Any) -> None:
        if dropping:
            return  # the signal will be sent again
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
    """Catch signals during a run inside another process, such as a notebook, and restore the handlers afterwards.

    An interruption is raised as without the run: ``KeyboardInterrupt`` for SIGINT; any other signal is sent again to
    the restored handler. Outside the main thread Python allows no signal handlers, so nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier, hook = {n: signal.getsignal(n) for n in (signal.SIGINT, *_TERMINATING)}, sys.unraisablehook

    def give_back() -> None:
        sys.unraisablehook = hook
        for number, handler in earlier.items():
            if handler is not None:  # a handler set by C code cannot be set from Python
                signal.signal(number, handler)

    catch_signals()
    try:
        yield
    except Interruption as e:
        give_back()
        if e.code != INTERRUPTED:
            signal.raise_signal(signal.SIGTERM)
        raise KeyboardInterrupt("the run was interrupted; the same settings resume it") from None
    finally:
        give_back()


def was_signal(code: object) -> bool:
    """Say whether an exit code means an interruption from outside."""
    return code in (INTERRUPTED, TERMINATED)


def ended_by_signal(returncode: int) -> int | None:
    """Return the exit code of an interrupted child, whether it exited or the signal killed it; ``None`` for others."""
    if was_signal(returncode):
        return returncode
    if -returncode in _TERMINATING:
        return TERMINATED
    return INTERRUPTED if -returncode == signal.SIGINT else None


def exit_code_of(error: BaseException) -> int:
    """Return the exit code for an error (listed in the README); never 0, since the job has no result.

    A part that ends the process with ``sys.exit()`` has ended it early.
    """
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) and 0 < error.code < 256 else 1
    known = error if isinstance(error, SeiError) else disk_trouble(error)
    return 1 if known is None else known.exit_code


def tell(error: BaseException, who: str = "sei") -> int:
    """Print why a job (``who``) ended and return its exit code; an unexpected error is logged with its traceback."""
    code = exit_code_of(error)
    known = error if isinstance(error, SeiError) else disk_trouble(error)
    if known is not None:
        print(printable(f"{who}: {known}", keep="\n"), file=sys.stderr)
    elif was_signal(code):
        print(f"{who}: interrupted; run the same command again to resume.", file=sys.stderr)
    elif isinstance(error, SystemExit):
        if not error.code or isinstance(error.code, str):  # others have said why
            said = f": {error.code}" if error.code else ""
            print(f"{who}: a part ended the process before there was a result{said}.", file=sys.stderr)
    else:
        log.error("unexpected error", exc_info=error)
    return code
