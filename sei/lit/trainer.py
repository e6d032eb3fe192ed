"""The Lightning trainer for CPU, one GPU or several, set by one config group (``conf/trainer``)."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from sei.devices import Accelerator, device_of, sees_gpu, type_of
from sei.errors import ConfigError, DeviceError
from sei.parts import part

if TYPE_CHECKING:
    import pytorch_lightning as pl

log = logging.getLogger("sei.trainer")
LESS_MEMORY = (  # the remedy of a fit that runs out of memory
    "finetuner.gradient_checkpointing=true, with which the same command goes on from the last resume point; or "
    "finetuner.micro_batch=1 (rows at once), finetuner.supervised_logits=true, a shorter finetuner.max_length or "
    "trainer.precision=bf16-true, with which it trains from the start."
)
_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
_UNDETERMINED = "does not have a deterministic implementation"  # torch's words
_SPEAKERS = ("pytorch_lightning", "pytorch_lightning.utilities.rank_zero", "lightning_fabric")


@part
class TrainerSettings:
    """Settings of a Lightning ``Trainer`` about the machine. All of them can change weights.

    ``devices`` and ``strategy`` apply to the fine-tune. Everything else runs on one device.
    """

    identity: ClassVar[str] = "trainer/lightning"
    version: ClassVar[int] = 1
    accelerator: Accelerator = "cpu"
    devices: Annotated[int, Field(ge=1)] = 1
    strategy: Literal["auto", "ddp"] = "auto"
    precision: Literal["32-true", "bf16-true", "bf16-mixed", "16-mixed"] = "32-true"
    threads: Annotated[int, Field(ge=1, le=64)] = 1

    def __post_init__(self) -> None:
        """Refuse several devices without a strategy for them."""
        if self.devices > 1 and self.strategy == "auto":
            raise ConfigError(
                f"trainer.devices={self.devices}, trainer.strategy=auto. Rule: several devices need an explicit "
                "strategy. Remedy: trainer=ddp (all weights on each device), or trainer.devices=1. You can also start "
                "one sweep job per device (CUDA_VISIBLE_DEVICES=0, =1, ...); the jobs share the store."
            )

    def reads(self) -> dict[str, str]:
        """Return the type of the device that ``auto`` selects here, or nothing for the CPU."""
        found = type_of(device_of(self.accelerator)) if self.accelerator == "auto" else "cpu"
        return {} if found == "cpu" else {"device": found}

    def preflight(self) -> None:
        """Check that the requested GPUs exist. Warn if the CPU only emulates the precision.

        Raises:
            ConfigError: if there are too few GPUs, or if they do not support the precision.
        """
        if self.accelerator == "cpu" or (self.accelerator == "auto" and not sees_gpu()):
            if "bf16" in self.precision and not cpu_has_bf16():
                log.warning(
                    "trainer.precision=%s: this processor has no bfloat16 instructions and emulates them, many times "
                    "slower than float32. Remedy: trainer.precision=32-true model.dtype=float32",
                    self.precision,
                )
            return
        import torch  # takes seconds to import, and a CPU needs no check

        found = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if self.accelerator == "gpu" and not found:
            raise ConfigError(
                "trainer.accelerator='gpu': torch sees no CUDA device on this machine. Remedy: trainer=cpu, or a "
                "machine, driver and build of torch with CUDA (and look at CUDA_VISIBLE_DEVICES)."
            )
        if self.accelerator == "gpu" and found < self.devices:
            raise ConfigError(
                f"trainer.devices={self.devices}: torch sees {found} CUDA devices on this machine. Remedy: "
                f"trainer.devices={found} (and look at CUDA_VISIBLE_DEVICES)."
            )
        if found and "bf16" in self.precision and not torch.cuda.is_bf16_supported():
            raise ConfigError(
                f"trainer.precision={self.precision!r}: this GPU does not compute in bfloat16. Remedy: "
                "trainer.precision=16-mixed or 32-true."
            )

    def build(
        self,
        folder: Path,
        *,
        clip: float | None = None,
        callbacks: tuple[Any, ...] = (),
        epochs: int = 1,
        devices: int = 1,
        deterministic: bool = True,
    ) -> pl.Trainer:
        """Return a quiet Trainer without logger, progress bar or checkpoints, except those of a callback.

        The records contain the curve. Several ``devices`` run as child processes of this one, because Lightning's other
        way would start the whole command again.
        """
        import pytorch_lightning as pl  # takes seconds to import, and a job of store hits needs none
        from pytorch_lightning.plugins.environments import LightningEnvironment

        from sei.lit.one_device import OneDevice

        device = device_of(self.accelerator)
        return pl.Trainer(
            # ignore the launcher of this process: with a SLURM task's variables each child would be rank 0 of 1
            plugins=[LightningEnvironment()],
            accelerator="gpu" if type_of(device) == "cuda" else "cpu",
            devices=devices,
            strategy=OneDevice(device) if devices == 1 else "ddp_spawn",
            use_distributed_sampler=False,  # the data module knows its share
            precision=self.precision,
            max_epochs=epochs,
            reload_dataloaders_every_n_epochs=1,
            logger=False,
            enable_checkpointing=any(isinstance(c, pl.callbacks.Checkpoint) for c in callbacks),
            enable_progress_bar=False,
            enable_model_summary=False,
            gradient_clip_val=clip,
            callbacks=list(callbacks),
            default_root_dir=str(folder),
            deterministic=deterministic,
        )


def cpu_has_bf16() -> bool:
    """Tell whether this processor computes in bfloat16 (AVX-512 BF16, AMX or similar)."""
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@contextmanager
def determinism(on: bool, what: str = "the fine-tune", remedy: str = "finetuner.deterministic=false") -> Iterator[None]:
    """Let torch use deterministic algorithms alone, or any, inside a block. What was set before holds again after it.

    ``what`` and ``remedy`` are words of the error.

    Raises:
        ConfigError: if an operation of the block has no deterministic algorithm; names it.
    """
    import torch

    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    workspace = os.environ.get(_WORKSPACE)
    torch.use_deterministic_algorithms(on)
    if on:
        os.environ[_WORKSPACE] = ":4096:8"  # NVIDIA's condition for equal results of its matrix products
    try:
        yield
    except RuntimeError as e:
        if _UNDETERMINED not in str(e):
            raise
        operation = str(e).partition(f" {_UNDETERMINED}")[0]
        raise ConfigError(
            f"{what} uses {operation}, which has no deterministic algorithm on this device. Rule: every operation must "
            f"have one, so that the same seed gives the same results. Remedy: {remedy}."
        ) from e
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        if workspace is None:
            os.environ.pop(_WORKSPACE, None)
        else:
            os.environ[_WORKSPACE] = workspace


@contextmanager
def enough_memory() -> Iterator[None]:
    """Name the remedies if a GPU's memory is used up inside a block.

    Raises:
        DeviceError: then.
    """
    import torch

    try:
        yield
    except torch.cuda.OutOfMemoryError as e:
        said = str(e).partition(". ")[0].rstrip(".")
        raise DeviceError(f"the fine-tune needs more memory than the device has ({said}). Remedy: {LESS_MEMORY}") from e


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Lightning's start-up lines and its advice on data loader workers (ready-made batches need none)."""
    loggers = _loggers()
    levels = [lg.level for lg in loggers]
    try:
        with warnings.catch_warnings():
            hush()
            yield
    finally:
        for lg, level in zip(loggers, levels, strict=True):
            lg.setLevel(level)


def hush() -> None:
    """Silence as in ``quiet``, for the rest of the process."""
    for lg in _loggers():
        lg.setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*GPU available but not used.*")
    warnings.filterwarnings("ignore", message=".*defined a `validation_step` but have no.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
    # on a cluster: the trainer decides on the processes, not srun
    warnings.filterwarnings("ignore", message=".*srun. command is available.*")
    # warnings from Lightning's and peft's own code with newer torch and transformers
    warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")


def _loggers() -> list[logging.Logger]:
    return [logging.getLogger(n) for n in _SPEAKERS]
