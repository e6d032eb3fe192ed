"""A second environment with an older transformers to read exports: made once, in the user's cache folder.

``python -m tests.models.older`` makes it and prints its place; takes about a minute and 1.5 GB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import filelock
import torch

TRANSFORMERS = "4.57.6"
TORCH = torch.__version__.split("+")[0]


class NotMadeError(Exception):
    """Why the environment cannot be made."""


def home() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (
        cache / "sei-tests" / f"transformers-{TRANSFORMERS}-torch-{TORCH}-py{sys.version_info[0]}{sys.version_info[1]}"
    )


def python() -> Path:
    """Return the environment's interpreter; the environment is made if missing.

    Raises:
        NotMadeError: with the last output of the failed command.
    """
    folder = home()
    folder.parent.mkdir(parents=True, exist_ok=True)
    done, found = folder / ".done", folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    with filelock.FileLock(f"{folder}.lock"):
        if not done.exists():
            venv.create(folder, clear=True, with_pip=True)
            packages = (f"torch=={TORCH}", f"transformers=={TRANSFORMERS}")
            command = [found, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages]
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            if made.returncode:
                raise NotMadeError(f"pip cannot install {' and '.join(packages)}: {made.stderr.strip()[-300:]}")
            done.touch()
    return found


if __name__ == "__main__":
    print(python())
