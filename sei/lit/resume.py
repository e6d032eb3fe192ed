"""Resume points of a fit. An interrupted fine-tune continues from one and ends with the same weights.

A point contains trainable weights, optimizer, schedule, the curve so far and the random state. Points are saved at the
end of a Lightning epoch, because Lightning 2.6 resumes exactly only from there.
"""

from __future__ import annotations

import json
import logging
import pickle
import zipfile
from pathlib import Path

import pytorch_lightning as pl
import torch

from sei.store import write_atomic

log = logging.getLogger(__name__)


def points(folder: Path) -> pl.Callback:
    """Return the callback that keeps the last two resume points in a folder."""
    return pl.callbacks.ModelCheckpoint(
        dirpath=folder, filename="{step:09d}", monitor="step", mode="max", save_top_k=2, save_on_train_epoch_end=True
    )


def interval_of(folder: Path, wanted: int) -> int:
    """Return the steps between resume points: those of the fit that began in a folder, or ``wanted`` if none did.

    A point counts epochs of this length, so a fit goes on with the length that it began with. Points of earlier
    versions do not tell it, and are removed.
    """
    file = folder / "interval.json"
    try:
        held = int(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        for point in folder.glob("*.ckpt"):
            log.warning("resume point %s does not tell its interval: not used", point)
            point.unlink(missing_ok=True)
        write_atomic(file, f"{wanted}\n".encode())
        return wanted
    if held != wanted:
        log.info("resume points stay every %d steps, as this fine-tune began", held)
    return held


def latest(folder: Path) -> Path | None:
    """Return the newest readable resume point, or ``None``. Damaged ones are logged and removed."""
    for point in sorted(folder.glob("*.ckpt"), reverse=True):
        try:
            held = torch.load(point, map_location="cpu", weights_only=True)
            step = int(held["global_step"])
            if len(held["sei"]["curve"]) != step:
                raise ValueError(f"its curve has {len(held['sei']['curve'])} steps, not {step}")
        except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile) as e:
            log.warning("damaged resume point %s (%s): using the one before it", point, e)
            point.unlink(missing_ok=True)
            continue
        log.info("fine-tuning continues after step %d", step)
        return point
    return None
