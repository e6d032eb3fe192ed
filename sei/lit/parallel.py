"""One fine-tune on several devices (DDP). This process starts one child per device and alone writes the run's files.

The batch of a step does not depend on the number of devices. Every device takes a share of its rows, weighted by their
supervised tokens, so the sum of the gradients is that of the whole batch.
"""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.multiprocessing.spawn import ProcessException, ProcessExitedException

from sei.errors import DeviceError, SeiError
from sei.lit.batches import SPARE, micro_batches
from sei.lit.module import LitCausalLM, supervised_tokens
from sei.lit.throughput import Sizes, sizes_of
from sei.lit.trainer import LESS_MEMORY, hush
from sei.records import Throughput

if TYPE_CHECKING:
    import pytorch_lightning as pl

log = logging.getLogger(__name__)
POLL_S = 0.1
_REMEDIES = (  # by a word in the last line of a child's traceback
    (
        "out of memory",
        LESS_MEMORY,
    ),
    (
        "nccl",
        "the devices could not talk to each other; NCCL_DEBUG=INFO in front of the same command says why, and it goes "
        "on from the last resume point. trainer.devices=1 needs no NCCL.",
    ),
    ("deterministic implementation", "finetuner.deterministic=false; the same command then trains from the start."),
    ("", "sei.log and the console hold what the process said; the same command goes on from the last resume point."),
)


class ParallelCausalLM(LitCausalLM):
    """The module of one of several processes. The first sends each step's loss and tokens to the parent.

    Dropout has its own seed for each step and device, so a resumed fit equals an uninterrupted one.
    """

    def __init__(self, model: Any, *, seed: int, threads: int, to_parent: Connection, **settings: Any) -> None:
        super().__init__(model, **settings)
        self.seed, self.threads, self.to_parent = seed, threads, to_parent

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Silence Lightning in a child, before Lightning has logged anything."""
        super().__setstate__(state)
        hush()

    def setup(self, stage: str) -> None:
        """Use the configured number of threads, as in the parent, and end when the parent ends."""
        torch.set_num_threads(self.threads)
        threading.Thread(target=_end_with, args=[os.getppid()], daemon=True).start()

    def on_train_start(self) -> None:
        """Send the parent the steps that a resume point already contains."""
        super().on_train_start()
        for loss, tokens in self.curve:
            self._tell((loss, tokens))
        for step, found in self.speeds.items():
            self._tell((step, found))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed the draws of this device at this step."""
        key = f"{self.seed}/{len(self.curve)}/{self.global_rank}"
        torch.manual_seed(int(hashlib.sha256(key.encode()).hexdigest()[:8], 16))
        self.start_clock()

    def note_speed(self, step: int, found: Throughput) -> None:
        """Keep the throughput of a step, and send it to the parent."""
        super().note_speed(step, found)
        self._tell((step, found))

    def training_step(self, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        """Return this device's part of the whole batch's mean loss, times the number of devices, by which DDP divides.

        Raises:
            NumericError: on every device, if the loss of the whole batch is NaN or infinite.
        """
        parts = micro_batches(batch, self.micro_batch)
        own = [0 if SPARE in part else supervised_tokens(part) for part in parts]
        self._sizes = Sizes(*self._sum(sizes_of(parts)))
        tokens = self._sizes.supervised
        losses, mine = self.accumulate(parts, [n * self.trainer.world_size / tokens for n in own])
        (total,) = self._sum([sum(x * n for x, n in zip(losses, own, strict=True))])
        with self._telling():
            self.note(total / tokens, int(tokens))
        self._tell(self.curve[-1])
        return mine

    def _sum(self, numbers: Sequence[float]) -> list[float]:
        """Return the sums of numbers over all devices."""
        own = torch.tensor(list(numbers), device=self.device, dtype=torch.float32)
        summed: list[float] = self.trainer.strategy.reduce(own, reduce_op="sum").tolist()
        return summed

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save as on one device, and send errors to the parent."""
        with self._telling():
            super().on_save_checkpoint(checkpoint)

    def _tell(self, what: Any) -> None:
        if self.global_rank == 0:
            self.to_parent.send(what)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Send one of our errors to the parent, which raises it again instead of a traceback in text."""
        try:
            yield
        except SeiError as e:
            self._tell(e)
            raise


def fit(
    model: Any,
    data: pl.LightningDataModule,
    trainer: pl.Trainer,
    point: Path | None,
    advance: Callable[[int], None],
    **settings: Any,
) -> ParallelCausalLM:
    """Train in child processes. ``model`` then has the trained weights, and the returned module has the curve.

    ``settings`` are those of ``ParallelCausalLM`` without its connection. No child process is left in any case.

    Raises:
        NumericError: as on one device.
        DeviceError: if a child process ends.
    """
    receive, send = multiprocessing.get_context("spawn").Pipe(duplex=False)
    lit = ParallelCausalLM(model, to_parent=send, **settings)
    others = multiprocessing.active_children()
    errors: list[SeiError] = []
    try:
        with _listening(receive, lit, errors, advance):
            try:
                trainer.fit(lit, datamodule=data, ckpt_path=point, weights_only=True)
            finally:
                _end_children(others)
    except ProcessException as e:
        if errors:
            raise errors[0] from e
        log.error("a process of the fine-tune ended: %s", e)  # its traceback, if it has one
        raise _ended(e, trainer.num_devices) from e
    finally:
        receive.close()
        send.close()
    return lit


@contextmanager
def _listening(
    receive: Connection, lit: LitCausalLM, errors: list[SeiError], advance: Callable[[int], None]
) -> Iterator[None]:
    """Receive what the first child sends, until the block has ended and the pipe is empty."""
    over = threading.Event()

    def listen() -> None:
        while not over.is_set() or receive.poll():
            if receive.poll(POLL_S):
                said = receive.recv()
                if isinstance(said, SeiError):
                    errors.append(said)
                elif isinstance(said[1], Throughput):
                    lit.speeds[said[0]] = said[1]
                else:
                    lit.curve.append(said)
                    advance(1)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield
    finally:
        over.set()
        listener.join()


def _ended(error: ProcessException, devices: int) -> DeviceError:
    """Return the error for a child that ended, with the usual cause and its remedy."""
    who = f"the process of device {error.error_index} of {devices} (0 is the first) ended in the fine-tune"
    if isinstance(error, ProcessExitedException):
        by = f"signal {error.signal_name}" if error.signal_name else f"exit code {error.exit_code}"
        killed = error.signal_name == "SIGKILL"
        memory = " SIGKILL mostly means that the machine's memory was used up." if killed else ""
        return DeviceError(f"{who}: {by}.{memory} Remedy: {_REMEDIES[0 if killed else -1][1]}")
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[-1] if lines else "without a word"
    remedy = next((r for word, r in _REMEDIES if word in said.lower()), _REMEDIES[-1][1])
    return DeviceError(f"{who}: {said} Remedy: {remedy}")


def _end_with(parent: int) -> None:
    """End a child after its parent was killed. It would otherwise write into the folder of the repeated command."""
    while os.getppid() == parent:
        time.sleep(POLL_S)
    os._exit(1)


def _end_children(others: Collection[Any]) -> None:
    """Kill children that still train after an interruption. Python would otherwise wait for them at exit."""
    for child in multiprocessing.active_children():
        if child not in others:
            child.kill()
            child.join()
