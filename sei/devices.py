"""Chooses the device of a stage by name, and notes it for the ledger and the page."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

Accelerator = Literal["cpu", "gpu", "auto"]
_DRIVERS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd")  # NVIDIA, Linux on Windows (WSL), AMD
_NOTED: list[set[str]] = []  # one set for each open ``noting`` block, the innermost last


def device_of(accelerator: Accelerator) -> str:
    """Return torch's name of the device for a model: ``cpu`` or ``cuda:0``.

    ``auto`` means the GPU if torch sees one. ``gpu`` is not checked here; that happens before the run.
    """
    if accelerator == "auto":
        return "cuda:0" if sees_gpu() else "cpu"
    return "cuda:0" if accelerator == "gpu" else "cpu"


def sees_gpu() -> bool:
    """Say whether torch can compute on a GPU here; on a machine without a driver, torch is not imported."""
    if not any(Path(p).exists() for p in _DRIVERS):
        return False
    import torch

    return torch.cuda.is_available()


def type_of(device: str) -> str:
    """Return the type of a device for store keys: ``cuda`` for ``cuda:0``."""
    return device.partition(":")[0]


def note(device: str) -> None:
    """Note the device of the current computation. Does nothing outside a ``noting`` block."""
    if _NOTED:
        _NOTED[-1].add(_named(device))


@contextmanager
def noting() -> Iterator[set[str]]:
    """Collect the devices noted inside the block."""
    _NOTED.append(set())
    try:
        yield _NOTED[-1]
    finally:
        _NOTED.pop()


def together(noted: set[str]) -> str:
    """Return the names of noted devices as one text; ``cpu`` if no model was used."""
    return " + ".join(sorted(noted)) or "cpu"


def return_memory() -> None:
    """Return freed memory to the system. The C library keeps blocks of up to 32 MB, gigabytes after a model's work."""
    with suppress(OSError, AttributeError):  # other C libraries have no such function
        ctypes.CDLL(None).malloc_trim(0)


def _named(device: str) -> str:
    """Return the type of a device and, for a GPU, its product name."""
    kind = type_of(device)
    if kind != "cuda":
        return kind
    import torch

    return f"{kind} ({torch.cuda.get_device_name(device)})" if torch.cuda.is_available() else kind
