"""Runs one model server at a time. It is started for a folder of weights and stopped before other weights."""

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
from dataclasses import dataclass
from pathlib import Path

from sei.engines.server_log import cause_of
from sei.errors import BusyError, ConfigError
from sei.models import portable

log = logging.getLogger(__name__)
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG: a killed run leaves no server on a GPU
_GRACE = 15  # seconds between SIGTERM and SIGKILL


@dataclass
class Running:
    """A running server. It answers at ``url`` (ending in ``/v1``) and reads the weights at ``model``.

    ``weights``: their digest. ``view``: the folder ``model`` if it is temporary (``sei.models.portable``), else
    ``None``.
    """

    weights: str
    command: str
    url: str
    model: str
    process: subprocess.Popen[bytes]
    output: Path
    view: Path | None


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
            "engine=lightning."
        )
    return words


def serve(template: str, model: str, weights: str, *, startup: float) -> Running:
    """Return a server for these weights. A server with other weights is stopped first.

    ``weights`` is their digest. ``startup`` is the number of seconds that a server may take until it answers. If some
    servers would read a folder's settings differently from this process, a corrected view of the folder is served. The
    folder itself does not change.

    Raises:
        ConfigError: if the server exits while starting, with the cause from its log.
        BusyError: if it does not answer in time.
    """
    global _running
    r = _running
    if r is not None and (r.weights, r.command) == (weights, template) and r.process.poll() is None:
        return r
    stop()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    view = portable.view(Path(model)) if Path(model).is_dir() else None
    model = model if view is None else str(view)
    words = command_of(template, model, port)
    output = Path(tempfile.mkstemp(prefix="sei-server-", suffix=".log")[1])
    log.info("starting %s", shlex.join(words))
    with output.open("wb") as f:
        process = subprocess.Popen(  # noqa: S603  # the user's own command line, without a shell
            words, stdout=f, stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=_die_with_parent
        )
    _running = Running(weights, template, f"http://127.0.0.1:{port}/v1", model, process, output, view)
    _wait(_running, startup)
    return _running


def _die_with_parent() -> None:
    with contextlib.suppress(OSError, AttributeError):  # Linux only; elsewhere ``stop`` must suffice
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)


def _wait(r: Running, startup: float) -> None:
    start = time.monotonic()
    told = start
    while True:
        if r.process.poll() is not None:
            code = r.process.returncode
            stop(keep_log=True)
            raise ConfigError(f"the model server ended with exit code {code} while starting: {cause_of(r.output)}")
        if _healthy(r.url):
            log.info("the model server answers after %.0f s", time.monotonic() - start)
            return
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
    """Return exit code and cause if the last started server has exited by itself, else ``None``."""
    r = _running
    if r is None or r.process.poll() is None:
        return None
    stop(keep_log=True)
    return f"the model server ended with exit code {r.process.returncode}: {cause_of(r.output)}"


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
