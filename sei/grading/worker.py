"""The sandbox's worker process: ``python -m sei.grading.worker``, with a socket as standard input.

It loads sympy once. For every socket that it is sent it forks a lane, which reads questions and writes answers as JSON
lines. A lane forks a child that computes. A child over its time or memory limit is killed, and the answer says in which
phase. Time is the child's processor time, so a busy machine causes no limit errors; a child that gets no processor time
is killed much later. The phase decides whose fault it is: a stated answer that cannot be read or evaluated within the
limits is unreadable; anything else is a limit of the grader.

Worker, lanes and children end with the process that started the worker.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

_TICK = 0.02  # seconds; processor time is measured in hundredths
_MEMORY = 2 * 2**30  # bytes of address space of a child
PATIENCE = 30.0  # a starved child may take this many times the limit by the clock
_DIE_WITH_PARENT = 1  # an option of Linux's prctl
_PHASES = {b"g": "gold", b"s": "stated", b"c": "compare"}


class _GoneError(Exception):
    """The process that asked has hung up."""


def main() -> None:
    """Fork a lane for every socket received, until standard input ends."""
    from sei.grading import symbolic

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # only the parent handles Ctrl-C
    symbolic.warm_up()
    gc.collect()
    gc.freeze()  # lanes and children share this memory
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended lanes leave nothing behind
    with socket.socket(fileno=0) as control:
        while True:
            said, lines, _, _ = socket.recv_fds(control, 1, 1)
            if not said:
                return
            if os.fork() == 0:
                try:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    control.close()
                    _lane(socket.socket(fileno=lines[0]))
                finally:
                    os._exit(0)
            os.close(lines[0])


def _lane(line: socket.socket) -> None:
    """Answer questions until the asking process hangs up."""
    child = _Child(line)

    def say(number: int, reply: dict[str, str]) -> None:
        line.sendall(json.dumps({"id": number, **reply}).encode() + b"\n")

    with suppress(OSError, _GoneError):
        say(0, {"result": "ready"})
        for asked in line.makefile("rb"):
            request = json.loads(asked)
            say(request["id"], child.ask(asked, float(request["seconds"])))
    child.kill()


class _Child:
    def __init__(self, line: socket.socket | None = None) -> None:
        self.line = line
        self.pid = 0

    def ask(self, line: bytes, seconds: float) -> dict[str, str]:
        if not self.pid:
            self._fork()
        os.write(self.to, line)
        phase, got = "gold", b""
        end = self._limits(seconds)
        while b"\n" not in got:
            if not self._ready(seconds, end):
                self.kill()
                return _blame(phase, "time")
            piece = os.read(self.back, 65_536)
            if not piece:
                self.kill()
                return _blame(phase, "crash")
            got += piece
            while got[:1] in _PHASES:  # each phase has the whole time limit
                phase, got = _PHASES[got[:1]], got[1:]
                end = self._limits(seconds)
        reply: dict[str, str] = json.loads(got)
        if reply["result"] == "memory":
            self.kill()
            return _blame(phase, "memory")
        return reply

    def _limits(self, seconds: float) -> tuple[float, float]:
        """Return when a phase ends, by the child's processor time and by the clock."""
        return _cpu_seconds(self.pid) + seconds, time.monotonic() + PATIENCE * seconds

    def _ready(self, seconds: float, end: tuple[float, float]) -> bool:
        """Wait for the child's next message; false if it is over its limit.

        Raises:
            _GoneError: if nobody waits for the answer any more.
        """
        waiting = select.poll()
        waiting.register(self.back, select.POLLIN)
        if self.line is not None:
            waiting.register(self.line, 0)  # reports a hang-up only
        wait = seconds
        while not (said := dict(waiting.poll(1000 * wait))):
            wait = min(end[0] - _cpu_seconds(self.pid), end[1] - time.monotonic())
            if wait < _TICK:
                return False
        if self.line is not None and said.get(self.line.fileno()):
            raise _GoneError
        return True

    def _fork(self) -> None:
        from_parent, self.to = os.pipe()
        self.back, to_parent = os.pipe()
        lane = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _die_with(lane)
                os.close(self.to)
                os.close(self.back)
                if self.line is not None:
                    os.close(self.line.fileno())
                _serve(from_parent, to_parent)
            finally:
                os._exit(0)
        os.close(from_parent)
        os.close(to_parent)

    def kill(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.to)
            os.close(self.back)
            self.pid = 0


def _die_with(parent: int) -> None:
    """Let the system kill this process when its parent is killed, where the system can."""
    with suppress(OSError, AttributeError):
        tell: Any = ctypes.CDLL(None).prctl
        tell(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, or the clock time if the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return time.monotonic()


def _blame(phase: str, why: str) -> dict[str, str]:
    if phase == "stated":
        return {"result": "unreadable", "why": f"limit of {why}"}
    return {"result": "limit", "why": f"{why} while in phase {phase}"}


def _serve(requests: int, replies: int) -> None:
    from sei.grading.symbolic import compare

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    sys.setrecursionlimit(2_000)
    with os.fdopen(requests, "rb") as stream:
        for line in stream:
            request = json.loads(line)

            def enter(phase: str) -> None:
                os.write(replies, phase[0].encode())

            try:
                result = compare(request["gold"], request["stated"], enter)
            except MemoryError:
                result = {"result": "memory"}
            os.write(replies, json.dumps(result).encode() + b"\n")


if __name__ == "__main__":
    main()
