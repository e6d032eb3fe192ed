"""The LightningModule: supervised fine-tuning and generation."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch

from sei.errors import NumericError
from sei.lit.batches import IGNORE, micro_batches
from sei.lit.decoder import Decoder, Row, Tokens
from sei.lit.draws import OwnDraws
from sei.lit.losses import mean_loss
from sei.lit.throughput import Meter, Sizes, sizes_of
from sei.records import Throughput

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from sei.opened import Sampling


class LitCausalLM(pl.LightningModule):
    """Trains on the solution only, with AdamW, linear warm-up and decay. Also generates.

    Batches are those of ``sei.lit.data``. ``curve`` collects (loss, supervised tokens) per step, and ``speeds`` the
    throughput by step. With ``micro_batch``, at most that many rows are in memory: a step adds up the gradients of its
    parts, weighted by supervised tokens. Generation needs a ``decoder``; it is greedy unless ``sampling`` is set, and
    draws from generators of its own.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        lr: float = 0.0,
        warmup_ratio: float = 0.0,
        weight_decay: float = 0.0,
        total_steps: int = 0,
        micro_batch: int = 0,
        supervised_logits: bool = False,
        gradient_checkpointing: bool = False,
        decoder: Decoder | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.lr, self.warmup_ratio, self.weight_decay = lr, warmup_ratio, weight_decay
        self.total_steps = total_steps
        self.micro_batch, self.supervised_logits = micro_batch, supervised_logits
        self.gradient_checkpointing = gradient_checkpointing
        self.decoder = decoder
        self.max_new_tokens = 0
        self.stopped: Callable[[Tokens], bool] | None = None
        self.curve: list[tuple[float, int]] = []
        self.speeds: dict[int, Throughput] = {}
        self._meter: Meter | None = None
        self._sizes = Sizes(0, 1, 0, 0)
        self._in_parts = False
        self.strict_loading = False  # resume points contain only trainable weights
        self._random: dict[str, Any] | None = None
        self.sampling: Sampling | None = None
        self.beat: Callable[[str], None] = _unheard  # is told the number of generated tokens of a batch
        # resume points, and the weights that other processes return, contain only trainable weights
        self.trainable_only = self.register_state_dict_post_hook(_without_frozen)

    def on_fit_start(self) -> None:
        """Turn on checkpointing of activations. A model with it cannot be sent to child processes."""
        if self.gradient_checkpointing:
            with _without_new_names():
                self.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})

    def on_fit_end(self) -> None:
        """Turn it off again."""
        if self.gradient_checkpointing:
            with _without_new_names():
                self.model.gradient_checkpointing_disable()

    def _loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return mean_loss(self.model, batch, supervised_logits=self.supervised_logits)

    def training_step(self, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        """Return the mean loss over supervised tokens (scalar).

        Raises:
            NumericError: at the first loss that is NaN or infinite, before it changes the weights.
        """
        parts = micro_batches(batch, self.micro_batch)
        tokens = [supervised_tokens(part) for part in parts]
        whole = sum(tokens)
        losses, last = self.accumulate(parts, [n / max(1, whole) for n in tokens])
        self._sizes = sizes_of(parts)
        self.note(weighted_mean(losses, tokens), whole)
        return last

    def accumulate(
        self, parts: list[dict[str, torch.Tensor]], weights: list[float]
    ) -> tuple[list[float], torch.Tensor]:
        """Add up the weighted gradients of all parts but the last, which is left to Lightning.

        Returns:
            The loss of every part, and the last one's weighted loss (scalar).
        """
        self._in_parts = len(parts) > 1
        if self._in_parts:
            self.zero_grad()  # Lightning would do it after the first parts
        losses = []
        for number, (part, weight) in enumerate(zip(parts, weights, strict=True), 1):
            loss = self._loss(part)
            losses.append(float(loss.detach()))
            loss = loss * weight
            if number < len(parts):
                with torch.autocast(self.device.type, enabled=False):  # as Lightning's own backward pass
                    self.trainer.strategy.backward(loss, None)
        return losses, loss

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: torch.optim.Optimizer) -> None:
        """Keep the gradients of a step's first parts. Lightning calls this before the last part's backward pass."""
        if not self._in_parts:
            super().optimizer_zero_grad(epoch, batch_idx, optimizer)

    def note(self, loss: float, tokens: int) -> None:
        """Add a step to the curve.

        Raises:
            NumericError: if its loss is not finite.
        """
        if not math.isfinite(loss):
            raise NumericError(
                f"loss is {loss} at step {len(self.curve) + 1}: training stopped, nothing was saved. "
                "Remedy: a lower finetuner.lr, or trainer.precision=32-true."
            )
        self.curve.append((loss, tokens))

    def on_train_start(self) -> None:
        """Prepare to measure the steps, now that the model is on its device."""
        how = {"devices": self.trainer.world_size, "supervised_logits": self.supervised_logits}
        self._meter = Meter(self.model, str(self.trainer.precision), **how)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Restore the random state of a resume point once, before the first draw, and start the step's clock."""
        if self._random is not None:
            set_random_state(self._random)
            self._random = None
        self.start_clock()

    def start_clock(self) -> None:
        """Start to measure a step."""
        if self._meter is not None:
            self._meter.start()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Note the throughput of a step."""
        if self._meter is not None:
            self.note_speed(len(self.curve), self._meter.stop(self._sizes))

    def note_speed(self, step: int, found: Throughput) -> None:
        """Keep the throughput of a step."""
        self.speeds[step] = found

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the curve so far and the random state, which Lightning does not save."""
        self.require_finite()
        speeds = {step: asdict(found) for step, found in self.speeds.items()}
        checkpoint["sei"] = {"curve": self.curve, "random": random_state(), "speeds": speeds}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Read the curve and the random state. The latter is set when the next batch starts."""
        self.curve = [(float(x), int(n)) for x, n in checkpoint["sei"]["curve"]]
        self._random = checkpoint["sei"]["random"]
        held = checkpoint["sei"].get("speeds", {})  # older points have none
        self.speeds = {int(step): Throughput(**found) for step, found in held.items()}

    def require_finite(self) -> None:
        """Refuse weights that are not finite.

        Raises:
            NumericError: names the first such weight.
        """
        if name := not_finite(self):
            raise NumericError(self.said_of(f"weight {name}"))

    def said_of(self, weight: str) -> str:
        """Return the message for a weight that is not finite."""
        return (
            f"{weight} is not finite after step {len(self.curve)}: training stopped, nothing was saved. "
            "Remedy: a lower finetuner.lr, or trainer.precision=32-true."
        )

    def validation_step(self, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        """Return the mean loss over supervised tokens (scalar)."""
        return self._loss(batch)

    def predict_step(self, batch: dict[str, Any], batch_idx: int) -> tuple[list[int], list[Tokens]]:
        """Generate and return the items' indices and their new tokens, up to the token that ends an answer."""
        assert self.decoder is not None, "set for generation"
        rows = _rows(batch)
        draws = None
        if self.sampling is not None:
            seeds = [self.sampling.seed_of(i) for i in batch["indices"]]
            draws = OwnDraws(seeds, self.sampling.temperature, self.max_new_tokens)
        found = self.decoder.tokens(rows, self.max_new_tokens, draws=draws, stopped=self.stopped, beat=self._step)
        return batch["indices"], [found[r.at] for r in rows]

    def _step(self, made: int) -> None:
        if made % 16 == 0:
            self.beat(f"token {made} of at most {self.max_new_tokens}")

    def configure_optimizers(self) -> Any:
        """Return AdamW over trainable weights, with linear warm-up and then linear decay to zero."""
        params = [p for p in self.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(params, lr=self.lr, weight_decay=self.weight_decay)
        total = self.total_steps  # Lightning's estimate is wrong: its epochs are resume intervals of uneven length
        warm = max(1, round(total * self.warmup_ratio))

        def factor(step: int) -> float:
            if step < warm:
                return (step + 1) / (warm + 1)
            return max(0.0, (total - step) / max(1, total - warm))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


@contextmanager
def _without_new_names() -> Iterator[None]:
    """Ignore that transformers 5.23 has new names for checkpointing, which earlier versions lack."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*gradient_checkpointing_.*able. is deprecated.*")
        yield


def _without_frozen(module: torch.nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    trainable = {prefix + n for n, p in module.named_parameters() if p.requires_grad}
    for name in [k for k in state if k not in trainable]:
        del state[name]


def not_finite(module: torch.nn.Module) -> str:
    """Return the name of the first trainable weight that is not finite in this process, or nothing."""
    for name, p in module.named_parameters():
        held = p.to_local() if hasattr(p, "to_local") else p  # of a shared-out weight, the part of this device
        if p.requires_grad and not bool(torch.isfinite(held).all()):
            return name
    return ""


def supervised_tokens(batch: dict[str, torch.Tensor]) -> int:
    """Return the number of labels that count in a batch's loss."""
    return int((batch["labels"][:, 1:] != IGNORE).sum())


def weighted_mean(losses: list[float], tokens: list[int]) -> float:
    """Return the mean of the parts' losses, weighted by supervised tokens."""
    if len(losses) == 1:
        return losses[0]
    return sum(x * n for x, n in zip(losses, tokens, strict=True)) / sum(tokens)


def random_state() -> dict[str, Any]:
    """Return the state of torch's generators. Dropout uses no others."""
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}


def set_random_state(state: dict[str, Any]) -> None:
    """Set a state returned by ``random_state``."""
    torch.set_rng_state(state["cpu"].cpu())
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([s.cpu() for s in state["cuda"]])


def _unheard(_: str) -> None:
    """Do nothing. A module-level function can be sent to child processes."""


def _rows(batch: dict[str, Any]) -> list[Row]:
    """Return the prompts of a batch of ``PromptData``, with the beginning that all of them share as their prefix."""
    lengths = batch["attention_mask"].sum(1).tolist()
    ids = [row[len(row) - n :] for row, n in zip(batch["input_ids"].tolist(), lengths, strict=True)]
    first, last = min(ids), max(ids)  # what these two share, all share
    shared = next((k for k, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    shared = min(shared, min(map(len, ids)) - 1)
    return [Row(i, row[:shared], row[shared:]) for i, row in enumerate(ids)]


class Heartbeat(pl.Callback):
    """Reports progress to the run's progress bar."""

    def __init__(self, advance: Any) -> None:
        self.advance = advance

    def on_train_start(self, trainer: pl.Trainer, *_: Any) -> None:
        """Count the steps before a resume point as done."""
        self.advance(trainer.global_step)

    def on_train_batch_end(self, *args: Any) -> None:
        """Count one optimizer step."""
        self.advance(1)
