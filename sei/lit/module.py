"""The LightningModule: supervised fine-tuning and greedy generation."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch

from sei.errors import NumericError
from sei.lit.batches import IGNORE

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class LitCausalLM(pl.LightningModule):
    """Loss on the solution only; AdamW with linear warm-up and decay; greedy generation.

    Batches are those of ``sei.lit.data``. ``curve`` collects (loss, supervised tokens) per step.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        lr: float = 0.0,
        warmup_ratio: float = 0.0,
        weight_decay: float = 0.0,
        max_new_tokens: int = 0,
        pad: int = 0,
    ) -> None:
        super().__init__()
        self.model = model
        self.lr, self.warmup_ratio, self.weight_decay = lr, warmup_ratio, weight_decay
        self.max_new_tokens, self.pad = max_new_tokens, pad
        self.curve: list[tuple[float, int]] = []

    def _loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        loss: torch.Tensor = self.model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            labels=batch["labels"],
            use_cache=False,
        ).loss
        return loss

    def training_step(self, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        """Return the mean loss over supervised tokens (scalar).

        Raises:
            NumericError: at the first loss that is NaN or infinite, before it reaches the weights.
        """
        loss = self._loss(batch)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise NumericError(
                f"loss is {value} at step {batch_idx + 1}: training stopped, nothing was saved. "
                "Remedy: a lower finetuner.lr, or finetuner.precision=32-true."
            )
        self.curve.append((value, int((batch["labels"][:, 1:] != IGNORE).sum())))
        return loss

    def validation_step(self, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        """Return the mean loss over supervised tokens (scalar)."""
        return self._loss(batch)

    def predict_step(self, batch: dict[str, Any], batch_idx: int) -> tuple[list[int], torch.Tensor]:
        """Generate greedily. Returns the items' indices and the new tokens (B, up to max_new_tokens)."""
        out = self.model.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            max_new_tokens=self.max_new_tokens,
            do_sample=False,
            pad_token_id=self.pad,
        )
        return batch["indices"], out[:, batch["input_ids"].shape[1] :]

    def configure_optimizers(self) -> Any:
        """AdamW over trainable weights, linear warm-up then linear decay to zero."""
        params = [p for p in self.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(params, lr=self.lr, weight_decay=self.weight_decay)
        total = int(self.trainer.estimated_stepping_batches)
        warm = max(1, round(total * self.warmup_ratio))

        def factor(step: int) -> float:
            if step < warm:
                return (step + 1) / (warm + 1)
            return max(0.0, (total - step) / max(1, total - warm))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Heartbeat(pl.Callback):
    """Reports progress to the one progress owner of the run."""

    def __init__(self, advance: Any) -> None:
        self.advance = advance
        self.last = time.monotonic()

    def on_train_batch_end(self, *args: Any) -> None:
        """One optimizer step done."""
        self.advance(1)
