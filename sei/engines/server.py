"""Runs one model server at a time. It is started for a folder of weights, and stopped before other weights.

While this process holds weights itself, the server stays, sleeps or is stopped (``release``).
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import logging
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sei.engines import vllm
from sei.engines.memory import available, size_of
from sei.engines.scale import Scale
from sei.engines.server_log import cause_of, port_is_taken
from sei.errors import BusyError, ConfigError
from sei.instructors.remote.reach import nobody_listens
from sei.models import portable

log = logging.getLogger(__name__)
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG: a killed run leaves no server on a GPU
_GRACE = 15  # seconds between SIGTERM and SIGKILL
_ENDING = 20.0  # seconds that a server may take to end after it has closed its address
_PORTS = 3  # free ports that are tried, because another program may take one before the server does
_BESIDE = 4  # weights, their gradients and two moments of the optimizer


@dataclass(frozen=True, kw_only=True)
class Launch:
    """What a server is started with.

    ``command``: its command line (``command_of``). ``model``: the place of the weights, and ``weights`` their digest.
    ``env``: further variables of its environment. ``rank``: the largest rank of the adapters that it will load; 0 for
    none. ``startup``: the seconds that it may take until it answers.
    """

    command: str
    model: str
    weights: str
    startup: float
    scale: Scale = field(default_factory=Scale)
    env: Mapping[str, str] = field(default_factory=dict)
    rank: int = 0

    def words(self, model: str, port: int) -> list[str]:
        """Return the words of the command line, with the options that scale and adapters need.

        Raises:
            ConfigError: see ``command_of`` and ``vllm.adapter_flags``.
        """
        words = [*command_of(self.command, model, port), *self.scale.flags()]
        knows_adapters = self.rank and vllm.is_vllm(shlex.split(self.command))
        return [*words, *(vllm.adapter_flags(words, self.rank) if knows_adapters else [])]

    def environment(self) -> dict[str, str]:
        """Return the variables of the server process: those of this process, and what its options need."""
        needed = {**(vllm.RUNTIME_ADAPTERS if self.rank else {}), **(vllm.DEV_MODE if self.sleeps() else {})}
        return {**os.environ, **needed, **self.scale.environment(), **self.env}

    def sleeps(self) -> bool:
        """Tell whether the server can give its memory free and take it again."""
        return self.scale.sleep or vllm.has_flag(shlex.split(self.command), vllm.SLEEP_MODE)

    def met_by(self, other: Launch) -> bool:
        """Tell whether a server that was started with ``other`` serves this launch too."""
        same = replace(other, rank=self.rank, model=self.model, startup=self.startup)
        return same == self and other.rank >= self.rank


@dataclass
class Running:
    """A running server. It answers at ``url`` (ending in ``/v1``) and reads the weights at ``model``.

    ``view``: the folder ``model`` if it is temporary (``sei.models.portable``), else ``None``. ``asleep``: it has given
    its memory free.
    """

    launch: Launch
    url: str
    model: str
    process: subprocess.Popen[bytes]
    output: Path
    view: Path | None
    asleep: bool = False


_running: Running | None = None


def command_of(template: str, model: str, port: int) -> list[str]:
    """Fill ``{model}``, ``{port}`` and ``{python}`` (the interpreter of this process) into a command line.

    Raises:
        ConfigError: if ``{model}`` or ``{port}`` is missing, or the program is not installed.
    """
    words = shlex.split(template)
    if not words or "{model}" not in template or "{port}" not in template:
        raise ConfigError(
            f"engine.command={template!r}: must contain {{model}} and {{port}}. Remedy: for example 'vllm serve "
            "{model} --port {port}'."
        )
    words = [
        w.replace("{model}", model).replace("{port}", str(port)).replace("{python}", sys.executable) for w in words
    ]
    if shutil.which(words[0]) is None:
        raise ConfigError(
            f"engine.command: the program {words[0]!r} is not on this machine. Remedy: install it (vllm, sglang), or "
            "engine=lightning (with '~engine.scale' '~engine.compare_merged' if the experiment sets them)."
        )
    return words


def serve(launch: Launch) -> Running:
    """Return a server for this launch: the one that runs if it serves it, else a new one, after stopping the other.

    If some servers would read a folder's settings differently from this process, a corrected view of the folder is
    served. The folder itself does not change.

    Raises:
        ConfigError: if the server exits while starting, with the cause from its log.
        BusyError: if it does not answer in time, or if other programs take every port first.
    """
    r = _running
    if r is not None and r.process.poll() is None and launch.met_by(r.launch) and _awake(r):
        return r
    stop()
    for _ in range(_PORTS):
        if (started := _start(launch)) is not None:
            return started
        log.info("another program took the port of the model server; starting it at another one")
    raise BusyError(
        f"the model server found its port taken by another program, {_PORTS} times. Rule: engine.command starts it at "
        "{port}, which was free just before. Remedy: run the same command again."
    )


def _start(launch: Launch) -> Running | None:
    """Start a server and wait until it answers; ``None`` if another program took its port."""
    global _running
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    folder = Path(launch.model)
    view = portable.view(folder) if folder.is_dir() else None
    model = launch.model if view is None else str(view)
    words = launch.words(model, port)
    output = Path(tempfile.mkstemp(prefix="sei-server-", suffix=".log")[1])
    log.info("starting %s", shlex.join(words))
    with output.open("wb") as f:
        process = subprocess.Popen(  # noqa: S603  # the user's own command line, without a shell
            words,
            stdout=f,
            stderr=subprocess.STDOUT,
            env=launch.environment(),
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
    _running = Running(launch, f"http://127.0.0.1:{port}/v1", model, process, output, view)
    return _running if _wait(_running, launch.startup) else None


def _awake(r: Running) -> bool:
    """Wake a server that sleeps; tell whether it can answer."""
    if not r.asleep:
        return True
    try:
        vllm.wake(r.url)
    except OSError as e:
        log.warning("the model server does not wake (%s); it is started again", e)
        return False
    r.asleep = False
    return True


def _die_with_parent() -> None:
    with contextlib.suppress(OSError, AttributeError):  # Linux only; elsewhere ``stop`` must suffice
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)


def _wait(r: Running, startup: float) -> bool:
    """Wait until a server answers; ``False`` if another program has its port."""
    start = time.monotonic()
    told = start
    while True:
        if r.process.poll() is not None:
            if port_is_taken(r.output):
                stop()
                return False
            code = r.process.returncode
            stop(keep_log=True)
            raise ConfigError(f"the model server ended with exit code {code} while starting: {cause_of(r.output)}")
        if _healthy(r.url):
            if _is_other(r):
                stop()
                return False
            log.info("the model server answers after %.0f s", time.monotonic() - start)
            return True
        now = time.monotonic()
        if now - start > startup:
            stop(keep_log=True)
            raise BusyError(
                f"the model server did not answer within engine.startup={startup:.0f} s. Remedy: raise engine.startup. "
                f"It said: {cause_of(r.output)}"
            )
        if now - told > 30:
            log.info("waiting for the model server (%.0f s)", now - start)
            told = now
        time.sleep(0.2)


def _is_other(r: Running) -> bool:
    """Tell whether the server that answers says that it serves another folder, so that it is not ours."""
    roots = {m.root for m in vllm.listed(r.url)} - {""}
    return bool(roots) and Path(r.model).is_dir() and r.model not in roots


def _healthy(url: str) -> bool:
    """Ask ``/health``, which all known servers have. A server without it is up if it lists its models."""
    for address in (f"{url.removesuffix('/v1')}/health", f"{url}/models"):
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310  # our own http address
                return True
        except urllib.error.HTTPError as e:
            if e.code >= 500:
                return False  # still loading
        except (OSError, ValueError):
            return False
    return False


def death() -> str | None:
    """Return how the last started server ended by itself, with the cause from its log; ``None`` if it has not.

    A server whose address refuses connections is about to end. It gets some seconds for that, and is then stopped.
    """
    r = _running
    if r is None:
        return None
    refuses = r.process.poll() is None and nobody_listens(r.url)
    if refuses:
        with contextlib.suppress(subprocess.TimeoutExpired):
            r.process.wait(_ENDING)
    code = r.process.poll()
    if code is None and not refuses:
        return None
    stop(keep_log=True)
    how = "listens no more, and was stopped" if code is None else f"ended with exit code {code}"
    return f"the model server {how}: {cause_of(r.output)}"


def release(device: str) -> None:
    """Free the memory that weights in this process need. ``device``: where they will be (``cpu``, ``cuda:0``).

    The server stays if it has GPUs of its own. It also stays if it loads adapters, this process computes on the CPU,
    and the machine has room for both: four times the size of the weights, as training needs at most. Otherwise it
    sleeps if it can, and is stopped if not.
    """
    r = _running
    if r is None or r.asleep or r.launch.scale.apart():
        return
    if r.process.poll() is None:
        if r.launch.rank and device == "cpu" and available() > _BESIDE * size_of(Path(r.model)):
            return
        if r.launch.sleeps():
            try:
                vllm.sleep(r.url)
            except OSError as e:
                log.warning("the model server does not sleep (%s); it is stopped", e)
            else:
                r.asleep = True
                log.info("the model server sleeps")
                return
    stop()


def stop(*, keep_log: bool = False) -> None:
    """Stop the server, if one is running, to free its memory for other weights or training."""
    global _running
    r, _running = _running, None
    if r is None:
        return
    for number, wait in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, _GRACE)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(r.process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            r.process.wait(wait)
            break
    if not keep_log:
        r.output.unlink(missing_ok=True)
    portable.discard(r.view)


atexit.register(stop)
