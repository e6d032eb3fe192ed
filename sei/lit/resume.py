"""Resume points of a fit. An interrupted fine-tune continues from one and ends with the same weights.

A point contains trainable weights, optimizer, schedule, the curve so far and the random state. Points are saved at the
end of a Lightning epoch, because Lightning 2.6 resumes exactly only from there.
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
