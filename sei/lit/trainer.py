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
from sei.lit.launcher import TORCHRUN, require_launch, words_of
from sei.parts import IMMATERIAL, part

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
    """Settings of a Lightning ``Trainer`` about the machine. All but ``launch`` can change weights.

    ``devices`` (of a machine), ``num_nodes`` (machines) and ``strategy`` apply to the fine-tune. Everything else runs
    on one device. ``ddp`` has all weights on each device; ``fsdp`` (FSDP2) shares them out, one decoder layer at a
    time. ``launch`` is the command line that starts the processes; its places are ``{job}`` (required), ``{devices}``,
    ``{nodes}``, ``{host}``, ``{port}`` and ``{python}``.
    """

    identity: ClassVar[str] = "trainer/lightning"
    version: ClassVar[int] = 1
    accelerator: Accelerator = "cpu"
    devices: Annotated[int, Field(ge=1)] = 1
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    precision: Literal["32-true", "bf16-true", "bf16-mixed", "16-mixed"] = "32-true"
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    num_nodes: Annotated[int, IMMATERIAL, Field(ge=1)] = 1  # ``reads`` puts more than one into the key
    launch: Annotated[str, IMMATERIAL] = TORCHRUN

    def __post_init__(self) -> None:
        """Refuse several devices without a strategy for them, and a launcher that cannot start them."""
        require_launch(self.launch, self.num_nodes)
        if self.strategy == "fsdp" and self.precision == "16-mixed":
            raise ConfigError(
                "trainer.strategy=fsdp with trainer.precision=16-mixed. Rule: the scaling of float16 losses needs all "
                "gradients on one device. Remedy: trainer.precision=bf16-true or bf16-mixed."
            )
        if self.world_size > 1 and self.strategy == "auto":
            nodes = f", trainer.num_nodes={self.num_nodes}" if self.num_nodes > 1 else ""
            raise ConfigError(
                f"trainer.devices={self.devices}{nodes}, trainer.strategy=auto. Rule: "
                "several devices need an explicit strategy. Remedy: trainer=ddp (all weights on each device), "
                "trainer=fsdp (weights shared out), or trainer.devices=1. You can also start one sweep job per device "
                "(CUDA_VISIBLE_DEVICES=0, =1, ...); the jobs share the store."
            )

    @property
    def world_size(self) -> int:
        """The number of devices on all machines."""
        return self.devices * self.num_nodes

    @property
    def kind(self) -> str:
        """The type of device: ``cpu`` or ``cuda``."""
        return type_of(device_of(self.accelerator))

    def reads(self) -> dict[str, str]:
        """Return the type of device if ``auto`` selects a GPU, and the number of machines if there are several."""
        found = type_of(device_of(self.accelerator)) if self.accelerator == "auto" else "cpu"
        more = {} if self.num_nodes == 1 else {"num_nodes": str(self.num_nodes)}
        return more if found == "cpu" else {"device": found, **more}

    def preflight(self) -> None:
        """Check that the requested GPUs and machines exist. Warn if the CPU only emulates the precision.

        Raises:
            ConfigError: if there are too few GPUs or machines, if the GPUs lack the precision, or if the launcher is
                missing.
        """
        self._require_allocation()
        if self.world_size > 1:
            words_of(self.launch, devices=self.devices, nodes=self.num_nodes, job=Path())
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

    def _require_allocation(self) -> None:
        """Refuse more machines than a SLURM job has. Point out machines and GPUs that it has and that stay idle."""
        nodes, gpus = _number("SLURM_JOB_NUM_NODES", "SLURM_NNODES"), _number("SLURM_GPUS_ON_NODE")
        if nodes and nodes < self.num_nodes:
            raise ConfigError(
                f"trainer.num_nodes={self.num_nodes}: this SLURM job has {nodes} (SLURM_JOB_NUM_NODES). Rule: the job "
                f"has a machine for each. Remedy: sbatch --nodes={self.num_nodes}, or trainer.num_nodes={nodes}."
            )
        if nodes > self.num_nodes:
            log.warning(
                "this SLURM job has %s machines, and trainer.num_nodes=%d uses %d. Remedy: trainer=ddp or trainer=fsdp "
                "with trainer.num_nodes=%s, or sbatch --nodes=%d",
                *(nodes, self.num_nodes, self.num_nodes, nodes, self.num_nodes),
            )
        if gpus > self.devices:
            log.warning(
                "this SLURM job has %d GPUs on this machine, of which the fine-tune uses %d. Remedy: trainer=ddp or "
                "trainer=fsdp with trainer.devices=%d, or sbatch --gpus-per-node=%d",
                *(gpus, self.devices, gpus, self.devices),
            )

    def build(
        self,
        folder: Path,
        *,
        clip: float | None = None,
        callbacks: tuple[Any, ...] = (),
        epochs: int = 1,
        devices: int = 1,
        nodes: int = 1,
        strategy: Any = None,
        environment: Any = None,
        deterministic: bool = True,
    ) -> pl.Trainer:
        """Return a quiet Trainer without logger, progress bar or checkpoints, except those of a callback.

        The records contain the curve. ``strategy`` and ``environment`` are given in a process of several
        (``sei.lit.worker``), because Lightning alone would start the whole command again.
        """
        import pytorch_lightning as pl  # takes seconds to import, and a job of store hits needs none
        from pytorch_lightning.plugins.environments import LightningEnvironment

        from sei.lit.one_device import OneDevice

        device = device_of(self.accelerator)
        return pl.Trainer(
            # ignore the launcher of this process: with a SLURM task's variables it would be one task of many
            plugins=[environment or LightningEnvironment()],
            accelerator="gpu" if type_of(device) == "cuda" else "cpu",
            devices=devices,
            num_nodes=nodes,
            strategy=strategy or OneDevice(device),
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


def _number(*names: str) -> int:
    """Return the first of these environment variables that is a number, or 0."""
    return next((int(v) for name in names if (v := os.environ.get(name, "")).isdecimal()), 0)


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
