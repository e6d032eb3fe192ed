"""One model server at a time, started for a folder of weights and stopped when others are wanted."""

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
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG: a killed run leaves no server that holds a GPU
_GRACE = 15  # seconds between asking a server to end and ending it


@dataclass
class Running:
    """A server that answers at ``url`` (ending in ``/v1``) with the weights ``weights``, which it reads at ``model``.

    ``view``: the same place, where that is a temporary folder (``sei.models.portable``).
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
        ConfigError: where ``{model}`` or ``{port}`` is missing, or the program is not installed.
    """
    words = shlex.split(template)
    if not words or "{model}" not in template or "{port}" not in template:
        raise ConfigError(
            f"engine.command={template!r}: must name {{model}} and {{port}}. Remedy: for example 'vllm serve {{model}} "
            "--port {port}'."
        )
    words = [
        w.replace("{model}", model).replace("{port}", str(port)).replace("{python}", sys.executable) for w in words
    ]
    if shutil.which(words[0]) is None:
        raise ConfigError(
            f"engine.command: no program {words[0]!r} on this machine. Remedy: install it (vllm, sglang), or "
            "engine=lightning."
        )
    return words


def serve(template: str, model: str, weights: str, *, startup: float) -> Running:
    """Return a server for these weights; one that serves others is stopped first.

    ``weights`` is their digest, ``startup`` the seconds a server may take until it answers. A folder whose settings
    some servers would read otherwise than this process is served from a mended view; the folder stays as it is.

    Raises:
        ConfigError: when the server ends by itself while starting, with its last words.
        BusyError: when it does not answer in time.
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
    with contextlib.suppress(OSError, AttributeError):  # Linux only; elsewhere ``stop`` has to do
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
    """Ask ``/health``, which all known servers have; one without it is up when it lists its models."""
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
    """Return how the server that was started last ended by itself, with its cause; ``None`` while it runs."""
    r = _running
    if r is None or r.process.poll() is None:
        return None
    stop(keep_log=True)
    return f"the model server ended with exit code {r.process.returncode}: {cause_of(r.output)}"


def stop(*, keep_log: bool = False) -> None:
    """Stop the server, if one runs: its memory is wanted for other weights, or for training."""
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
