"""The worker process of the sandbox: ``python -m sei.grading.worker``, JSON lines in and out.

It loads sympy once and forks a child that answers; a child over time or memory is killed and the reply
says in which phase it was. The phases tell whose fault it is: a stated answer that cannot be read or
evaluated within the limits is unreadable; anything else is a limit of the grader.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys

_MEMORY = 2 * 2**30  # bytes of address space of a child
_PHASES = {b"g": "gold", b"s": "stated", b"c": "compare"}


def main() -> None:
    """Answer until standard input ends."""
    from sei.grading import symbolic

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the parent's to answer
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
        while b"\n" not in got:
            if not select.select([self.back], [], [], seconds)[0]:
                self.kill()
                return _blame(phase, "time")
            piece = os.read(self.back, 65_536)
            if not piece:
                self.kill()
                return _blame(phase, "crash")
            got += piece
            while got[:1] in _PHASES:  # each phase has the time limit to itself
                phase, got = _PHASES[got[:1]], got[1:]
        reply: dict[str, str] = json.loads(got)
        if reply["result"] == "memory":
            self.kill()
            return _blame(phase, "memory")
        return reply

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
