"""Trains a planned fit with Lightning, in this process alone or as one of several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sei.lit import resume
from sei.lit.data import SupervisedData
from sei.lit.fits import Fit
from sei.lit.module import LitCausalLM
from sei.lit.trainer import TrainerSettings, determinism, enough_memory

if TYPE_CHECKING:
    import pytorch_lightning as pl


def run(
    lit: LitCausalLM,
    fit: Fit,
    machine: TrainerSettings,
    folder: Path,
    *,
    resume_in: Path,
    point: Path | None,
    callbacks: Sequence[Any] = (),
    **how: Any,
) -> pl.Trainer:
    """Train a module and return its trainer. ``how``: how several processes are started (``TrainerSettings.build``).

    ``point``: the resume point to go on from, if there is one. New ones go into the folder ``resume_in``. A fit of one
    interval has none, so an interrupted one starts again.

    Raises:
        NumericError: at the first loss that is NaN or infinite, or if a trained weight is.
        DeviceError: if the device's memory is used up.
        ConfigError: if an operation has no deterministic algorithm, and all must.
    """
    data = SupervisedData(fit.pairs, fit.plan, fit.pad, fit.interval)
    points = (resume.points(resume_in),) if data.num_intervals > 1 else ()
    with determinism(fit.deterministic), enough_memory():  # a trainer sets the former for the whole process
        trainer = machine.build(
            folder,
            clip=fit.clip,
            callbacks=(*callbacks, *points),
            epochs=data.num_intervals,
            deterministic=fit.deterministic,
            **how,
        )
        trainer.fit(lit, datamodule=data, ckpt_path=point, weights_only=True)
    lit.require_finite()
    assert len(lit.curve) == len(fit.plan), "every step of the plan is taken once"
    return trainer
