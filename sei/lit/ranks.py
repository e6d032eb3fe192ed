"""One of several processes of a fine-tune: its module, and how the weights lie on the devices (DDP or FSDP2).

The batch of a step does not depend on the number of devices. Every device takes a share of its rows, weighted by their
supervised tokens, so the sum of the gradients is that of the whole batch.
"""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Sequence
from typing import Any

import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.strategies import DDPStrategy, ModelParallelStrategy, ParallelStrategy

from sei.errors import ConfigError, NumericError
from sei.lit.batches import MOST_ROWS, SPARE, micro_batches
from sei.lit.fits import Curve
from sei.lit.module import LitCausalLM, not_finite, supervised_tokens
from sei.lit.throughput import Sizes, sizes_of
from sei.records import Throughput


class EndAtOnce(Callback):
    """Lets SIGTERM end a process at once.

    Lightning's handler tells the other processes of the signal while they add up gradients. Sometimes both then wait
    for each other, until torchrun kills them after 30 seconds. Nothing is lost: resume points are files.
    """

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Take the handler away, which Lightning has set by now."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


class RankCausalLM(LitCausalLM):
    """The module of one of several processes. The first one writes each step's loss and tokens to ``steps``.

    Dropout has its own seed for each step and device, so a resumed fit equals an uninterrupted one. ``shard``: the
    weights are shared out among the devices (FSDP2), one decoder layer at a time.
    """

    def __init__(self, model: Any, *, seed: int, steps: Curve, shard: bool, **settings: Any) -> None:
        super().__init__(model, **settings)
        self.seed, self.steps, self.shard = seed, steps, shard
        self._sharded = False

    def configure_model(self) -> None:
        """Share out the weights, if they are to be: every decoder layer, then the rest."""
        if not self.shard or self._sharded:
            return
        from torch.distributed.fsdp import fully_shard

        mesh = self.device_mesh["data_parallel"]  # set by the strategy
        for layer in decoder_layers(self.model):
            fully_shard(layer, mesh=mesh)
        fully_shard(self.model, mesh=mesh)
        self.trainable_only.remove()  # the strategy leaves out frozen weights itself
        self._sharded = True

    def on_train_start(self) -> None:
        """Write the steps that a resume point already contains."""
        super().on_train_start()
        if self.global_rank == 0:
            for loss, tokens in self.curve:
                self.steps.step(loss, tokens)
            for step, found in self.speeds.items():
                self.steps.speed(step, found)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed the draws of this device at this step."""
        key = f"{self.seed}/{len(self.curve)}/{self.global_rank}"
        torch.manual_seed(int(hashlib.sha256(key.encode()).hexdigest()[:8], 16))
        self.start_clock()

    def note_speed(self, step: int, found: Throughput) -> None:
        """Keep the throughput of a step, and write it."""
        super().note_speed(step, found)
        if self.global_rank == 0:
            self.steps.speed(step, found)

    def training_step(self, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        """Return this device's part of the whole batch's mean loss, times the number of devices, by which each divides.

        Raises:
            NumericError: on every device, if the loss of the whole batch is NaN or infinite.
        """
        parts = micro_batches(batch, self.micro_batch)
        if self.shard and self.micro_batch:  # devices exchange weights in every pass, so all take equally many
            missing = -(-batch[MOST_ROWS] // self.micro_batch) - len(parts)
            parts = [*parts, *[spare_of(batch)] * missing]
        own = [0 if SPARE in part else supervised_tokens(part) for part in parts]
        self._sizes = Sizes(*self._sum(sizes_of(parts)))
        tokens = self._sizes.supervised
        losses, mine = self.accumulate(parts, [n * self.trainer.world_size / tokens for n in own])
        (total,) = self._sum([sum(x * n for x, n in zip(losses, own, strict=True))])
        self.note(total / tokens, int(tokens))
        if self.global_rank == 0:
            self.steps.step(*self.curve[-1])
        return mine

    def require_finite(self) -> None:
        """Refuse weights that are not finite, on every device if they are so on one.

        Raises:
            NumericError: names the first such weight.
        """
        found = not_finite(self)
        (devices,) = self._sum([1.0 if found else 0.0])
        if devices:
            named = f"weight {found}" if found else "a weight on another device"
            raise NumericError(self.said_of(named))

    def _sum(self, numbers: Sequence[float]) -> list[float]:
        """Return the sums of numbers over all devices."""
        own = torch.tensor(list(numbers), device=self.device, dtype=torch.float32)
        summed: list[float] = self.trainer.strategy.reduce(own, reduce_op="sum").tolist()
        return summed


def spare_of(batch: dict[str, Any]) -> dict[str, Any]:
    """Return the first row of a batch, marked as spare."""
    return {**{name: batch[name][:1] for name in ("input_ids", "attention_mask", "labels")}, SPARE: True}


def decoder_layers(model: torch.nn.Module) -> list[torch.nn.Module]:
    """Return a model's decoder layers: the modules that its author says must not be split.

    Raises:
        ConfigError: if it names none, or has none of them.
    """
    names = {name for m in model.modules() for name in getattr(m, "_no_split_modules", None) or ()}
    found = [m for m in model.modules() if type(m).__name__ in names]
    if not found:
        raise ConfigError(
            f"trainer.strategy=fsdp: {type(model).__name__} names no decoder layers (_no_split_modules). Rule: weights "
            "are shared out layer by layer. Remedy: trainer=ddp, with all weights on each device."
        )
    return found


class Sharded(ModelParallelStrategy):
    """FSDP2 over all devices. Resume points and trained weights are whole tensors in one file, without frozen ones."""

    def __init__(self, devices: int) -> None:
        super().__init__(data_parallel_size=devices, tensor_parallel_size=1, save_distributed_checkpoint=False)

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """Return the trainable weights, whole, on the first process; nothing on the others."""
        return whole_weights(self.lightning_module)


def whole_weights(module: Any) -> dict[str, Any]:
    """Return the trainable weights of shared-out modules, put together on the first process. All processes call it."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)
    return get_model_state_dict(module, options=options)


def strategy_of(name: str, devices: int, accelerator: str) -> ParallelStrategy:
    """Return Lightning's strategy for ``ddp`` or ``fsdp`` on so many devices in all."""
    if name == "fsdp":
        return Sharded(devices)
    return DDPStrategy(process_group_backend="gloo" if accelerator == "cpu" else "nccl")
