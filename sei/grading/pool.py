"""The parent's side of the sandbox: lanes, each a process that answers one question at a time.

The worker (``sei.grading.worker``) loads sympy once and forks a lane whenever it is sent a socket. A new lane takes
milliseconds. Lanes end when this process closes their sockets or dies.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sei.grading.worker import PATIENCE

_START = 120.0  # seconds for the worker to start; sympy takes one or two
_PHASES = 3  # reading the gold answer, reading the stated one, comparing
_TRIES = 3  # a lane may have ended, and the worker may be ending
_MOST = 8  # lanes, unless the caller asks for more

Reply = dict[str, Any]


class Question(NamedTuple):
    """Two formulas to compare, and the limit of processor time for each phase."""

    gold: str
    stated: str
    seconds: float


class LostError(Exception):
    """A lane ended, or gave no answer in time."""


class Lane:
    """A process of the sandbox; it answers its questions one after the other."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._rest = b""
        self._number = 0
        self._seconds = 0.0
        self._until = 0.0
        self._ready = False

    def fileno(self) -> int:
        """Return the socket's number, so that ``select`` takes lanes."""
        return self._line.fileno()

    def send(self, question: Question) -> None:
        """Send a question. The answer to an earlier one is thrown away.

        Raises:
            LostError: if the lane has ended.
        """
        self._number += 1
        self._seconds = question.seconds
        self._wait_from_now()
        request = {"id": self._number, **question._asdict()}
        try:
            self._line.sendall(json.dumps(request).encode() + b"\n")
        except OSError as e:
            raise LostError("the lane has ended") from e

    def _wait_from_now(self) -> None:
        work = _PHASES * PATIENCE * self._seconds + 5 if self._ready else _START
        self._until = time.monotonic() + work

    def reply(self, *, wait: bool = False) -> Reply | None:
        """Return the answer to the last question; ``None`` if it is not there yet (``wait``: until it is).

        Raises:
            LostError: if the lane has ended, or is late.
        """
        while True:
            while b"\n" in self._rest:
                line, self._rest = self._rest.split(b"\n", 1)
                said: Reply = json.loads(line)
                if said["id"] == self._number:
                    return said
                if not self._ready:
                    self._ready = True
                    self._wait_from_now()
            left = max(0.0, self._until - time.monotonic())
            if not select.select([self._line], [], [], left if wait else 0)[0]:
                if not left:
                    raise LostError("no answer in time")
                if not wait:
                    return None
                continue
            try:
                got = self._line.recv(65_536)
            except OSError as e:
                raise LostError("the lane has ended") from e
            if not got:
                raise LostError("the lane has ended")
            self._rest += got

    def close(self) -> None:
        """Hang up, which ends the lane."""
        self._line.close()


class Pool:
    """The lanes of this process, opened when they are needed. Works from any thread and after a fork."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most or min(_MOST, usable_cores())
        self._worker: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._free: list[Lane] = []
        self._taken: list[Lane] = []
        self._change = threading.Lock()
        self._turn = threading.Semaphore(self.most)
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._forget)

    def ask(self, question: Question) -> Reply:
        """Return the answer to a question. A lane that ends is replaced; after three of them the question is lost."""
        with self._turn:
            for _ in range(_TRIES):
                lane = None
                try:
                    lane = self.take()
                    lane.send(question)
                    reply = lane.reply(wait=True)
                    assert reply is not None
                    self.give(lane)
                    return reply
                except LostError:
                    self.drop(lane)
                except BaseException:
                    self.drop(lane)
                    raise
        return {"result": "lost"}

    def take(self) -> Lane:
        """Return a free lane, or a new one. It never waits, so no caller waits for another one.

        Raises:
            LostError: if no lane can be opened.
        """
        with self._change:
            lane = self._free.pop() if self._free else self._open()
            self._taken.append(lane)
            return lane

    def give(self, lane: Lane) -> None:
        """Take a lane back; it is closed if there are enough."""
        with self._change:
            if lane in self._taken:
                self._taken.remove(lane)
            if len(self._free) < self.most:
                self._free.append(lane)
            else:
                lane.close()

    def drop(self, lane: Lane | None) -> None:
        """Close a lane that was taken."""
        if lane is None:
            return
        lane.close()
        with self._change:
            if lane in self._taken:
                self._taken.remove(lane)

    def _open(self) -> Lane:
        """Have a lane forked; starts the worker first, or again if it has ended."""
        for _ in range(_TRIES):
            mine, its = socket.socketpair()
            try:
                control = self._running()
                socket.send_fds(control, [b"+"], [its.fileno()])
            except OSError:
                mine.close()
                self._stop()
                continue
            finally:
                its.close()
            return Lane(mine)
        raise LostError("the worker does not start")

    def _running(self) -> socket.socket:
        if self._worker is not None and self._control is not None and self._worker.poll() is None:
            return self._control
        self._stop()  # a dead worker would keep its socket open
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        control, its = socket.socketpair()
        try:
            self._worker = subprocess.Popen(
                [sys.executable, "-P", "-W", "ignore", "-m", "sei.grading.worker"],
                stdin=its.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
            )
        finally:
            its.close()
        self._control = control
        return control

    def _stop(self) -> None:
        worker, self._worker = self._worker, None
        control, self._control = self._control, None
        if control is not None:
            control.close()
        if worker is not None:
            worker.kill()
            worker.wait()

    def _forget(self) -> None:
        """In a forked process: leave the lanes to the parent, and hold nothing of theirs open."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            for line in (self._control, *self._free, *self._taken):
                if line is not None:
                    line.close()
            self._worker = self._control = None
        self._free, self._taken = [], []
        self._change = threading.Lock()
        self._turn = threading.Semaphore(self.most)

    def close(self) -> None:
        """End the worker and its lanes."""
        with self._change:
            for lane in (*self._free, *self._taken):
                lane.close()
            self._free, self._taken = [], []
            self._stop()


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def waited(lanes: Sequence[Lane], seconds: float) -> None:
    """Wait until one of the lanes has something to say, at most that long."""
    select.select(lanes, [], [], seconds)
