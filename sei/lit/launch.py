"""Starts processes on several devices for a fine-tune or for scores, follows them, and leaves none behind.

This process holds the store's lock and writes the run's files. The others are started by a launcher such as torchrun,
as ``trainer.launch`` says, and get their work through a folder (``sei.lit.fits``).
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from sei.errors import DeviceError
from sei.lit import fits
from sei.lit.launcher import search_path, words_of
from sei.lit.trainer import LESS_MEMORY, TrainerSettings

log = logging.getLogger(__name__)
POLL_S = 0.1
GRACE_S = 10.0  # between SIGTERM to the launcher and SIGKILL to it and its processes
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_LOG = "processes.log"
_REMEDIES = (  # by a word of what a process said
    ("out of memory", LESS_MEMORY),
    (
        "nccl",
        "the devices could not talk to each other; NCCL_DEBUG=INFO in front of the same command says why, and it goes "
        "on from the last resume point. trainer.devices=1 needs no NCCL.",
    ),
    ("deterministic implementation", "finetuner.deterministic=false; the same command then trains from the start."),
    ("", "the same command goes on from the last resume point."),
)


def fit(folder: Path, job: fits.Handover, model: Any, advance: Callable[[int], None]) -> fits.Followed:
    """Train in the processes of several devices. ``model`` then has the trained weights.

    ``folder``: of the fine-tune; the hand-over lies in ``fit/`` in it, and is removed afterwards. No process is left in
    any case.

    Raises:
        NumericError: as on one device.
        DeviceError: if a process ends, with what it said last.
        ConfigError: if the launcher is not there, or the model cannot be shared out.
    """
    home = emptied(folder / "fit")
    job.write(home)
    followed, curve = fits.Followed(), fits.Curve(home)

    def follow() -> None:
        for news in curve.news():
            advance(followed.take(news))

    run(home, job.finetuner.trainer, follow, "the fine-tune", home / "weights.pt")
    held = torch.load(home / "weights.pt", map_location="cpu", weights_only=True)
    _load(model, held)
    shutil.rmtree(home, ignore_errors=True)
    return followed


def emptied(home: Path) -> Path:
    """Return a folder for a hand-over, without what an interrupted one left."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    return home


def run(home: Path, machine: TrainerSettings, follow: Callable[[], None], what: str, made: Path | None = None) -> None:
    """Run the processes of a hand-over to their end. ``follow`` reads what they have written so far.

    ``what``: the work, for messages. ``made``: a file that exists if they have succeeded. No process is left.

    Raises:
        SeiError: the first one that a process met.
        DeviceError: if a process ends otherwise, with what it said last.
        ConfigError: if the launcher is not there.
    """
    words = words_of(machine.launch, devices=machine.devices, nodes=machine.num_nodes, job=home)
    with _running(words, home) as process:
        while (code := process.poll()) is None:
            follow()
            time.sleep(POLL_S)
        follow()
    _require_done(home, code, what, made)


@contextmanager
def _running(words: list[str], home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a launcher for the duration of a block. It and its processes have ended afterwards."""
    log.info("starting %s", shlex.join(words))
    with (home / _LOG).open("wb") as f:
        process = subprocess.Popen(  # noqa: S603  # the user's own command line, without a shell
            words,
            stdin=subprocess.DEVNULL,
            stdout=f,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": search_path(), "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")},
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
    try:
        yield process
    finally:
        _end(process, home)


def _die_with_parent() -> None:
    with contextlib.suppress(OSError, AttributeError):  # Linux only; elsewhere the processes watch this one
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)


def _end(process: subprocess.Popen[bytes], home: Path) -> None:
    """End the launcher and its processes on this machine. The launcher ends those on others."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for host, number in fits.ranks(home).values():
        if host == socket.gethostname():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(number, signal.SIGKILL)


def _require_done(home: Path, code: int, what: str, made: Path | None = None) -> None:
    """Refuse processes that have not done their work.

    Raises:
        SeiError: the first one that a process met, or a DeviceError with what was said last.
    """
    if code == 0 and (made is None or made.exists()):
        return
    found = fits.told(home)
    if isinstance(found, Exception):
        raise found
    said = _last_words(home / _LOG)
    log.error("the processes of %s said: %s", what, said)
    who = f"the process of device {found[0]} (0 is the first) ended in {what}: {found[1]}" if found else ""
    ended = who or f"the processes of {what} ended with exit code {code}: {_signal_of(said)}{_line(said)}"
    remedy = next(r for word, r in _REMEDIES if word in f"{ended} {said}".lower())
    raise DeviceError(f"{ended} Remedy: {remedy}")


def _signal_of(said: str) -> str:
    if "SIGKILL" in said:
        return "a process was killed (SIGKILL), mostly because the machine was out of memory. "
    return ""


def _line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if any(map(str.isalpha, line))]  # no ruled lines
    return lines[-1] if lines else "without a word."


def _last_words(file: Path, most: int = 4000) -> str:
    try:
        with file.open("rb") as f:
            f.seek(max(0, file.stat().st_size - most))
            return f.read().decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _load(model: Any, held: dict[str, torch.Tensor]) -> None:
    """Put trained weights into the model of this process."""
    trained = {name.removeprefix("model."): tensor for name, tensor in held.items()}
    wanted = {name for name, p in model.named_parameters() if p.requires_grad}
    if missing := wanted - trained.keys():
        raise DeviceError(
            f"the processes of the fine-tune returned {len(trained)} weights, and {sorted(missing)[0]} is not among "
            "them. Remedy: the same command with trainer.devices=1, and a report of this message."
        )
    model.load_state_dict(trained, strict=False)
