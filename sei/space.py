"""Whether the disks have room for the weights that a run writes."""

from __future__ import annotations

import contextlib
import logging
import shutil
from pathlib import Path

from sei.models.target import TargetModel

log = logging.getLogger(__name__)
_BYTES = {"float32": 4, "bfloat16": 2}
_SMALL = 10**8  # bytes of one set of weights that no disk notices


def tell_of_space(target: TargetModel, rounds: int, store: Path, folder: Path) -> None:
    """Warn if the weights of a run may not fit on the disks. Every round's are in the store, the best are copied.

    ``rounds``: fine-tunes of the run. Nothing is said if the base's weights are not on this machine, or are in a GGUF
    file. Rounds that the store has already are counted too.
    """
    each = _numbers_in(_weights_of(target)) * _BYTES[target.dtype]
    if each < _SMALL or not rounds:
        return
    needs: dict[int, float] = {}
    places: dict[int, Path] = {}
    for place, size in ((store, each * rounds), (folder, each)):
        there = next(p for p in (place, *place.absolute().parents) if p.exists())
        disk = there.stat().st_dev
        needs[disk] = needs.get(disk, 0) + size
        places.setdefault(disk, there)
    for disk, need in needs.items():
        free = shutil.disk_usage(places[disk]).free
        if need > free:
            log.warning(
                "%s: this run may write %.0f GB of weights there (%.1f GB each), and %.0f GB are free. A run that "
                "finds the disk full ends with exit code 74, and the same command goes on from there. Remedy: "
                "store=PATH (SEI_STORE) on a larger disk, or python -m sei.store prune --unused",
                *(places[disk], need / 1e9, each / 1e9, free / 1e9),
            )


def _weights_of(target: TargetModel) -> Path | None:
    """Return the folder of the base's weights, or ``None`` if it is not on this machine."""
    from huggingface_hub import try_to_load_from_cache

    if (folder := target.folder()) is not None:
        return folder if folder.is_dir() else None
    held = try_to_load_from_cache(target.source, "config.json", revision=target.revision)
    return Path(held).parent if isinstance(held, str) else None


def _numbers_in(folder: Path | None) -> int:
    """Return the number of weights in a folder's safetensors files, from their headers."""
    from safetensors import SafetensorError, safe_open

    total = 0
    for file in sorted(folder.glob("*.safetensors")) if folder else ():
        with contextlib.suppress(SafetensorError, OSError), safe_open(file, framework="numpy") as held:  # read later
            for name in held.keys():  # noqa: SIM118 (it is no mapping)
                size = 1
                for n in held.get_slice(name).get_shape():
                    size *= n
                total += size
    return total
