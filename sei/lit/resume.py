"""Resume points of a fit: where an interrupted fine-tune goes on, to the same weights.

A point holds trainable weights, optimizer, schedule, the curve so far and the random state. Points are
taken where a Lightning epoch ends, the only place from which Lightning 2.6 resumes exactly.
"""

from __future__ import annotations

import logging
import pickle
import zipfile
from pathlib import Path

import pytorch_lightning as pl
import torch

log = logging.getLogger(__name__)


def points(folder: Path) -> pl.Callback:
    """Return the callback that keeps the last two resume points in a folder."""
    return pl.callbacks.ModelCheckpoint(
        dirpath=folder, filename="{step:09d}", monitor="step", mode="max", save_top_k=2, save_on_train_epoch_end=True
    )


def latest(folder: Path) -> Path | None:
    """Return the newest resume point that can be read, or ``None``; damaged ones are named and removed."""
    for point in sorted(folder.glob("*.ckpt"), reverse=True):
        try:
            held = torch.load(point, map_location="cpu", weights_only=True)
            step = int(held["global_step"])
            if len(held["sei"]["curve"]) != step:
                raise ValueError(f"its curve has {len(held['sei']['curve'])} steps, not {step}")
        except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile) as e:
            log.warning("damaged resume point %s (%s): the one before it is used", point, e)
            point.unlink(missing_ok=True)
            continue
        log.info("fine-tuning goes on after step %d", step)
        return point
    return None
