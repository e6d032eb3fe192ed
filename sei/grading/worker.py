"""The sandbox's worker process: ``python -m sei.grading.worker``, with JSON lines as input and output.

It loads sympy once and forks a child that answers. A child over its time or memory limit is killed, and the reply says
in which phase. Time is the child's processor time, so a busy machine causes no limit errors; a child that gets no
processor time is killed later as well. The phase decides whose fault it is: a stated answer that cannot be read or
evaluated within the limits is unreadable; anything else is a limit of the grader.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path

_TICK = 0.02  # seconds; processor time is measured in hundredths
_MEMORY = 2 * 2**30  # bytes of address space of a child
_PATIENCE = 5.0  # a starved child may take this many times the limit by the clock
_PHASES = {b"g": "gold", b"s": "stated", b"c": "compare"}


def main() -> None:
    """Answer requests until standard input ends."""
    from sei.grading import symbolic

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # only the parent handles Ctrl-C
    symbolic.warm_up()
    _say({"result": "ready"})
    child = _Child()
    for line in sys.stdin:
        request = json.loads(line)
        _say(child.ask(line.encode(), float(request["seconds"])))
    child.kill()


def _say(reply: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()


class _Child:
    def __init__(self) -> None:
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
        return _cpu_seconds(self.pid) + seconds, time.monotonic() + _PATIENCE * seconds

    def _ready(self, seconds: float, end: tuple[float, float]) -> bool:
        """Wait for the child's next message; false if it is over its limit."""
        wait = seconds
        while not select.select([self.back], [], [], wait)[0]:
            wait = min(end[0] - _cpu_seconds(self.pid), end[1] - time.monotonic())
            if wait < _TICK:
                return False
        return True

    def _fork(self) -> None:
        from_parent, self.to = os.pipe()
        self.back, to_parent = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.to)
            os.close(self.back)
            _serve(from_parent, to_parent)
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
