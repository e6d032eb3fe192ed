"""Fine-tune the target model on the curated set, in Lightning (section 3.4)."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from sei.errors import ConfigError
from sei.lit.batches import Schedule
from sei.lit.trainer import TrainerSettings
from sei.models.target import TargetModel
from sei.parts import part
from sei.progress import progress
from sei.records import Checkpoint, StepLog, Trained, TrainingExample
from sei.store import folder_digest


@part
class Finetune:
    """Supervised fine-tuning, all weights or LoRA; the result is a merged Hugging Face folder.

    ``schedule`` decides the budget (a token budget, or epochs). ``clip`` is the gradient norm limit.
    Examples longer than ``max_length`` tokens, or with words the tokenizer does not know, are left out;
    ``Trained.examples`` says how many remained.
    LoRA settings default to the paper's (r 8, alpha 32, dropout 0.1, q/k/v/o).
    """

    version: ClassVar[int] = 1
    target: TargetModel
    trainer: TrainerSettings
    schedule: Schedule
    method: Literal["full", "lora"] = "full"
    lr: Annotated[float, Field(gt=0, lt=1)] = 5e-4
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] = 0.03
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip: Annotated[float, Field(gt=0)] = 1.0
    max_length: Annotated[int, Field(ge=8)] = 512
    lora_r: Annotated[int, Field(ge=1)] = 8
    lora_alpha: Annotated[int, Field(ge=1)] = 32
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    lora_targets: list[str] | Literal["all-linear"] = Field(
        default_factory=lambda: ["q_proj", "k_proj", "v_proj", "o_proj"]
    )

    def __call__(self, start: Checkpoint, examples: tuple[TrainingExample, ...], *, seed: int, folder: Path) -> Trained:
        """Train from ``start`` on (question, solution) pairs.

        Raises:
            ConfigError: when no example is short enough.
            NumericError: at the first NaN or infinite loss; nothing is saved then.
        """
        import pytorch_lightning as pl

        from sei.lit.data import SupervisedData
        from sei.lit.module import Heartbeat, LitCausalLM
        from sei.lit.trainer import quiet

        shutil.rmtree(folder, ignore_errors=True)  # a half-made fit of an earlier crash
        folder.mkdir(parents=True)
        with self.target.open(start) as opened:
            encoded = opened.encode([(x.question, x.solution) for x in examples])
            pairs = [(e.prompt, e.completion) for e in encoded if not e.unknown]
            pairs = [p for p in pairs if len(p[0]) + len(p[1]) <= self.max_length]
            if not pairs:
                raise ConfigError(
                    f"none of {len(examples)} training examples fits finetuner.max_length={self.max_length} tokens"
                )
            plan = self.schedule.plan([len(p) + len(c) for p, c in pairs], [len(c) for _, c in pairs], seed)
            with quiet():
                pl.seed_everything(seed, verbose=False)
                model = self._wrap(opened.model)
                lit = LitCausalLM(
                    model.train(), lr=self.lr, warmup_ratio=self.warmup_ratio, weight_decay=self.weight_decay
                )
                with progress("fine-tuning", len(plan)) as advance:
                    trainer = self.trainer.build(folder, clip=self.clip, callbacks=(Heartbeat(advance),))
                    trainer.fit(lit, datamodule=SupervisedData(pairs, plan, opened.tokenizer.pad_token_id))
            self._save(model, opened.tokenizer, folder / "model")
        curve = tuple(StepLog(step=i, loss=round(x, 6), tokens=n) for i, (x, n) in enumerate(lit.curve, 1))
        return Trained(
            checkpoint=Checkpoint(
                digest=folder_digest(folder / "model"), kind="full", folder=str((folder / "model").resolve())
            ),
            curve=curve,
            steps=len(curve),
            tokens=sum(s.tokens for s in curve),
            examples=len(pairs),
        )

    def _wrap(self, model: Any) -> Any:
        if self.method == "full":
            return model
        from peft import LoraConfig, get_peft_model

        targets: Sequence[str] | str = self.lora_targets
        return get_peft_model(
            model,
            LoraConfig(
                r=self.lora_r,
                lora_alpha=self.lora_alpha,
                lora_dropout=self.lora_dropout,
                target_modules=targets if isinstance(targets, str) else list(targets),
                task_type="CAUSAL_LM",
            ),
        )

    def _save(self, model: Any, tokenizer: Any, where: Path) -> None:
        merged = model.merge_and_unload() if self.method == "lora" else model
        if hasattr(merged.config, "quantization_config"):
            del merged.config.quantization_config  # the weights are plain now
        merged.save_pretrained(where, safe_serialization=True)
        tokenizer.save_pretrained(where)
