"""Computer algebra in a process that can be killed: the parent's side.

The worker (``sei.grading.worker``) has sympy loaded and forks a child for the work. A child that takes too long or too
much memory is killed, and another is forked in milliseconds. Works from any thread and process.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import threading
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

_START = 120.0  # seconds for a worker to start; sympy takes one or two


class UnreadableError(Exception):
    """The stated answer cannot be read: it is broken, too long, or exceeds the limits by itself."""


class LimitError(Exception):
    """A comparison reached a limit, and not because of the stated answer alone."""


class NoAlgebraError(LimitError):
    """Computer algebra cannot read the gold answer: it is a recurrence, or a list with an ellipsis."""


class Worker:
    """One worker process, started at first use; it answers one question at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._rest = b""
        atexit.register(self.close)

    def ask(self, gold: str, stated: str, seconds: float) -> dict[str, Any]:
        """Return the worker's reply; if the worker died, it is started once more."""
        line = json.dumps({"gold": gold, "stated": stated, "seconds": seconds}).encode() + b"\n"
        with self._lock:
            for _ in range(2):
                try:
                    process = self._running()
                    assert process.stdin is not None
                    process.stdin.write(line)
                    process.stdin.flush()
                    return self._reply(seconds * 20 + 5)  # three phases, with room for a busy machine
                except (OSError, EOFError, ValueError):
                    self._stop()
        return {"result": "lost"}

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._owner == os.getpid() and self._process.poll() is None:
            return self._process
        self._stop()  # a dead worker would keep its pipes open
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        self._rest = b""
        self._owner = os.getpid()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-m", "sei.grading.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._reply(_START)  # waits until the worker is ready
        return self._process

    def _reply(self, seconds: float) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        stream = self._process.stdout.fileno()
        while b"\n" not in self._rest:
            if not select.select([stream], [], [], seconds)[0]:
                raise EOFError("no reply")
            got = os.read(stream, 65_536)
            if not got:
                raise EOFError("worker ended")
            self._rest += got
        line, self._rest = self._rest.split(b"\n", 1)
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue
        process.kill()
        process.wait()

    def close(self) -> None:
        """End the worker."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            self._stop()


_WORKER = Worker()


@lru_cache(maxsize=50_000)
def _answer(gold: str, stated: str, seconds: float) -> tuple[str, str]:
    reply = _WORKER.ask(gold, stated, seconds)
    return str(reply["result"]), str(reply.get("why", ""))


def ask(gold: str, stated: str, *, seconds: float) -> bool:
    """Say whether two formulas are equal, using about ``seconds`` of processor time for each of reading and comparing.

    Raises:
        UnreadableError: if the stated text is not a formula, or cannot be evaluated within the limits.
        NoAlgebraError: if the gold formula cannot be read.
        LimitError: if the comparison reached a limit.
    """
    result, why = _answer(gold, stated, seconds)
    if result == "unreadable":
        raise UnreadableError(why)
    if result == "no_algebra":
        raise NoAlgebraError(why)
    if result not in ("same", "different"):
        raise LimitError(f"{result}: {why}" if why else result)
    return result == "same"
