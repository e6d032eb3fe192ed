"""The command line that starts the processes of a fine-tune on several devices: ``trainer.launch``."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import sys
from pathlib import Path

from sei.errors import ConfigError

TORCHRUN = "torchrun --standalone --nproc-per-node {devices} -m sei.lit.worker {job}"
_SEVERAL_NODES = (
    "srun --nodes {nodes} --ntasks-per-node 1 torchrun --nnodes {nodes} --nproc-per-node {devices} --rdzv-backend c10d "
    "--rdzv-endpoint {host}:{port} -m sei.lit.worker {job}"
)


def require_launch(launch: str, nodes: int) -> None:
    """Refuse a launcher that is not told what to do, or that starts processes on one machine of several.

    Raises:
        ConfigError: with a command line that works.
    """
    said = launch
    try:
        words = shlex.split(launch)
    except ValueError as e:
        words, said = [], f"{launch} ({e})"
    if not words or "{job}" not in launch:
        raise ConfigError(
            f"trainer.launch={said!r}. Rule: it starts 'python -m sei.lit.worker {{job}}' once for each device. "
            f"Remedy: {TORCHRUN!r}."
        )
    if nodes > 1 and "--standalone" in words:
        raise ConfigError(
            f"trainer.num_nodes={nodes} with trainer.launch={launch!r}. Rule: torchrun --standalone starts processes "
            f"on one machine alone. Remedy: inside a SLURM job trainer.launch={_SEVERAL_NODES!r}."
        )


def words_of(launch: str, *, devices: int, nodes: int, job: Path) -> list[str]:
    """Return the words of a launcher's command line, with its places filled in.

    ``{devices}``: of a machine. ``{nodes}``: machines. ``{job}``: the folder of the hand-over. ``{host}`` and
    ``{port}``: where the processes meet, on this machine. ``{python}``: the interpreter of this process.

    Raises:
        ConfigError: if the program is not on this machine.
    """
    held = {"devices": devices, "nodes": nodes, "job": job.resolve(), "host": socket.gethostname(),
            "port": _free_port(), "python": sys.executable}  # fmt: skip
    words = []
    for word in shlex.split(launch):
        for name, value in held.items():
            word = word.replace(f"{{{name}}}", str(value))
        words.append(word)
    found = shutil.which(words[0], path=search_path())
    if found is None:
        raise ConfigError(
            f"trainer.launch: the program {words[0]!r} is not on this machine. Remedy: a launcher that is, such as "
            "torchrun, which comes with torch; or trainer.devices=1."
        )
    return [found, *words[1:]]


def search_path() -> str:
    """Return the search path of programs, with those of this environment first."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
