"""Which device a stage computes on: chosen by name, and noted so that ledger and page can say so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

Accelerator = Literal["cpu", "gpu", "auto"]
_DRIVERS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd")  # of NVIDIA, of Windows' Linux, of AMD
_NOTED: list[set[str]] = []  # one set for each open ``noting`` block, the innermost last


def device_of(accelerator: Accelerator) -> str:
    """Return torch's name of the one device that a model is put on: ``cpu`` or ``cuda:0``.

    ``auto`` is the GPU where torch sees one. ``gpu`` is taken at its word: whether there is one is checked at the door.
    """
    if accelerator == "auto":
        return "cuda:0" if sees_gpu() else "cpu"
    return "cuda:0" if accelerator == "gpu" else "cpu"


def sees_gpu() -> bool:
    """Say whether torch can compute on a GPU here; a machine without a driver is told without importing torch."""
    if not any(Path(p).exists() for p in _DRIVERS):
        return False
    import torch

    return torch.cuda.is_available()


def type_of(device: str) -> str:
    """Return a device's type, which store keys hold: ``cuda`` of ``cuda:0``."""
    return device.partition(":")[0]


def note(device: str) -> None:
    """Say that what runs now computes on a device; without effect where nobody asked."""
    if _NOTED:
        _NOTED[-1].add(_named(device))


@contextmanager
def noting() -> Iterator[set[str]]:
    """Collect the devices that are noted inside the block."""
    _NOTED.append(set())
    try:
        yield _NOTED[-1]
    finally:
        _NOTED.pop()


def together(noted: set[str]) -> str:
    """Return the names of noted devices as one text; ``cpu`` where no model was used."""
    return " + ".join(sorted(noted)) or "cpu"


def _named(device: str) -> str:
    """Return the type of a device, with the maker's name of a GPU."""
    kind = type_of(device)
    if kind != "cuda":
        return kind
    import torch

    return f"{kind} ({torch.cuda.get_device_name(device)})" if torch.cuda.is_available() else kind
