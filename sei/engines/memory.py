"""The memory of this machine, and what weights take of it."""

from __future__ import annotations

import contextlib
from pathlib import Path

_WEIGHTS = (".safetensors", ".bin", ".gguf")


def size_of(model: Path) -> float:
    """Return the bytes of the weights in a folder; infinite for a hub name, whose size is not known here."""
    files = [p for p in model.iterdir() if p.suffix in _WEIGHTS] if model.is_dir() else []
    return sum(p.stat().st_size for p in files) if files else float("inf")


def available() -> float:
    """Return the bytes of memory that Linux can give; 0 where this is not known."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next((1024 * float(x.split()[1]) for x in lines if x.startswith("MemAvailable:")), 0.0)
    return 0.0
