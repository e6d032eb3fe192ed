"""A fit on two devices, also started by child processes of tests."""

from __future__ import annotations

from contextlib import nullcontext

from sei.finetuners import supervised as finetune
from sei.finetuners.supervised import Finetune
from sei.lit.batches import Epochs, TokenBudget
from sei.lit.trainer import TrainerSettings
from tests.builders import TINY, lessons

__all__ = ["TWO", "Epochs", "calling", "finetune", "fit", "lessons"]
TWO = TrainerSettings(devices=2, strategy="ddp")


def calling(advance):
    """A stand-in for ``progress`` that calls ``advance`` at every step."""
    return lambda what, total: nullcontext(advance)


def fit(examples, folder, trainer=TWO, start=None, **more):
    settings = {"schedule": TokenBudget(steps=6, tokens_per_step=300), "lr": 2e-3, **more}
    stage = Finetune(target=TINY, trainer=trainer, **settings)
    return stage(start or TINY.base(), examples, seed=1, folder=folder)
