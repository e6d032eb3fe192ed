"""Fine-tune the target model on the curated set, in Lightning (section 3.4)."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from sei.devices import device_of, note
from sei.errors import ConfigError
from sei.lit.batches import Epochs, Schedule
from sei.lit.fits import Fit, Followed, Handover, Pair
from sei.lit.trainer import TrainerSettings
from sei.lit.window import window_of
from sei.models.architecture import require_trainable
from sei.models.target import TargetModel
from sei.models.trained import (
    Weights,
    checkpoint_in,
    require_checkpointing,
    save_adapter,
    save_merged,
    with_adapter,
    write,
)
from sei.opened import OpenModel
from sei.parts import IMMATERIAL, part
from sei.progress import progress
from sei.records import Checkpoint, StepLog, Trained, TrainingExample

if TYPE_CHECKING:
    from sei.lit.module import LitCausalLM

log = logging.getLogger(__name__)
_LOST_BELOW = 1e-4  # a step of AdamW is about this large, and bfloat16 loses what is below 1/256 of a weight


@part
class Finetune:
    """Supervised fine-tuning of all weights or a LoRA. The result is a merged Hugging Face folder.

    A start checkpoint with a LoRA continues in the same adapter with a fresh optimizer. Any other start gets a new
    adapter. An interrupted fit continues from its last resume point, written every ``resume_every`` optimizer steps,
    and ends with the same weights as an uninterrupted one.

    ``schedule`` sets the budget: a token budget or epochs. ``clip`` is the gradient norm limit. Examples longer than
    ``max_length`` tokens or the model's window, or with words that the tokenizer does not know, are left out;
    ``Trained.examples`` counts the remaining ones.

    LoRA settings default to the paper's (r 8, alpha 32, dropout 0.1, q/k/v/o). ``quantize=nf4`` (QLoRA,
    Dettmers et al. 2023) trains the adapter on frozen 4-bit weights and merges it into the unquantized weights.

    Two settings save memory. With ``micro_batch``, a device has at most that many rows in memory: a step adds up their
    gradients, weighted by supervised tokens. This changes results by rounding only, except that dropout draws other
    numbers. ``gradient_checkpointing`` computes the layers' activations again in the backward pass, with equal results
    (4-bit training always does). ``supervised_logits`` leaves out logits that no loss uses (``sei.lit.losses``).
    ``deterministic`` lets torch use deterministic algorithms alone. On a CPU it changes nothing.
    """

    identity: ClassVar[str] = "finetuner/supervised"
    version: ClassVar[int] = 2
    target: TargetModel
    trainer: TrainerSettings
    schedule: Schedule
    method: Weights = "full"
    lr: Annotated[float, Field(gt=0, lt=1)] = 5e-4
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] = 0.03
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip: Annotated[float, Field(gt=0)] = 1.0
    max_length: Annotated[int, Field(ge=8)] = 512
    resume_every: Annotated[int, IMMATERIAL, Field(ge=1)] = 200
    quantize: Literal["none", "nf4"] = "none"
    # ``reads`` puts those that change results into the key if they are set, so that earlier keys stay valid
    micro_batch: Annotated[int, IMMATERIAL, Field(ge=0)] = 0
    gradient_checkpointing: Annotated[bool, IMMATERIAL] = False
    supervised_logits: Annotated[bool, IMMATERIAL] = False
    deterministic: Annotated[bool, IMMATERIAL] = True
    lora_r: Annotated[int, Field(ge=1)] = 8
    lora_alpha: Annotated[int, Field(ge=1)] = 32
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    lora_targets: list[str] | Literal["all-linear"] = Field(
        default_factory=lambda: ["q_proj", "k_proj", "v_proj", "o_proj"]
    )

    def __post_init__(self) -> None:
        """Refuse 4-bit weights with full fine-tuning or with several devices, and batches smaller than the devices."""
        if self.quantize != "none" and self.method != "lora":
            raise ConfigError(
                f"finetuner.quantize={self.quantize} with finetuner.method={self.method}: 4-bit weights are frozen. "
                "Rule: they take an adapter only. Remedy: finetuner=lora, or finetuner.quantize=none."
            )
        devices = self.trainer.world_size
        if self.quantize != "none" and devices > 1:
            raise ConfigError(
                f"finetuner.quantize={self.quantize} with trainer.devices={devices}. Rule: 4-bit training uses one "
                "device. Remedy: trainer=gpu, or finetuner.quantize=none."
            )
        if isinstance(self.schedule, Epochs) and self.schedule.batch_size < devices:
            raise ConfigError(
                f"finetuner.schedule.batch_size={self.schedule.batch_size} with trainer.devices={devices}. Rule: each "
                f"device needs a row of every batch. Remedy: finetuner.schedule.batch_size={devices} or more, or "
                "trainer.devices=1."
            )

    def reads(self) -> dict[str, str]:
        """Return the settings that change results by rounding, if they are set."""
        held = {"micro_batch": self.micro_batch, "supervised_logits": self.supervised_logits}
        out = {name: str(value).lower() for name, value in held.items() if value}
        return out if self.deterministic else {**out, "deterministic": "false"}

    def preflight(self) -> None:
        """Refuse 4-bit training if its library is missing, and settings that the architecture does not allow."""
        if self.quantize != "none" and importlib.util.find_spec("bitsandbytes") is None:
            raise ConfigError(
                f"finetuner.quantize={self.quantize} needs the bitsandbytes package, which is not installed. Remedy: "
                "pip install 'sei[quantized]', or finetuner.quantize=none."
            )
        if self.method == "full" and self.trainer.precision == "bf16-true" and self.lr < _LOST_BELOW:
            log.warning(
                "finetuner.lr=%g with trainer.precision=bf16-true: most updates of all weights are too small for "
                "bfloat16 and are lost. Remedy: trainer.precision=bf16-mixed model.dtype=float32 (more memory), or "
                "finetuner=lora",
                self.lr,
            )
        require_trainable(
            self.target,
            lora=self.lora_targets if self.method == "lora" else (),
            dropout=self.lora_dropout,
            checkpointing=self.gradient_checkpointing,
            supervised_logits=self.supervised_logits,
        )

    def __call__(self, start: Checkpoint, examples: tuple[TrainingExample, ...], *, seed: int, folder: Path) -> Trained:
        """Train from ``start`` on (question, solution) pairs.

        Raises:
            ConfigError: if no example can be used (too long, or unknown words).
            NumericError: at the first NaN or infinite loss. Nothing is saved then.
            DeviceError: if the device's memory is used up.
        """
        for half_made in ("model", "adapter"):
            shutil.rmtree(folder / half_made, ignore_errors=True)
        several = self.trainer.world_size > 1
        if several:  # each device's process opens its own copy
            note(device_of(self.trainer.accelerator))
        with self.trainable(start, seed, device="cpu" if several else None) as (model, opened):
            pairs = self._pairs(opened, examples)
            plan = self.schedule.plan([len(p) + len(c) for p, c in pairs], [len(c) for _, c in pairs], seed)
            job = self._job(pairs, plan, opened.tokenizer.pad_token_id, seed, folder)
            fit = self._fit_on_devices(start, model, job, folder) if several else self._fit_here(model, job, folder)
            curve = tuple(
                StepLog(step=i, loss=round(x, 6), tokens=n, throughput=fit.speeds.get(i))
                for i, (x, n) in enumerate(fit.curve, 1)
            )
            self._save(model, opened.tokenizer, folder)
            del model  # free memory before the plain weights are read
        if self.quantize != "none":
            self._merge_into_plain(start, folder)
        shutil.rmtree(folder / "resume", ignore_errors=True)
        return Trained(
            checkpoint=checkpoint_in(folder, start, self.method),
            curve=curve,
            steps=len(curve),
            tokens=sum(s.tokens for s in curve),
            examples=len(pairs),
        )

    def _pairs(self, opened: OpenModel, examples: Sequence[TrainingExample]) -> list[tuple[Any, Any]]:
        encoded = opened.encode([(x.question, x.solution) for x in examples])
        known = [(e.prompt, e.completion) for e in encoded if not e.unknown]
        window = window_of(opened.weights.config)
        longest = self.max_length if window is None else min(self.max_length, window)
        pairs = [p for p in known if len(p[0]) + len(p[1]) <= longest]
        if not pairs:
            raise none_left(len(examples), len(known), longest, self.target.source)
        return pairs

    @contextmanager
    def trainable(self, start: Checkpoint, seed: int, *, device: str | None = None) -> Iterator[tuple[Any, OpenModel]]:
        """Open the weights for training, with a LoRA if the method has one, and seed the draws.

        ``device`` replaces the trainer's device; with several processes each places its own copy.

        Raises:
            ConfigError: if the model does not support checkpointing of activations, which is asked for.
        """
        import pytorch_lightning as pl

        from sei.lit.trainer import quiet

        how: dict[str, Any] = {"keep_adapter": self.method == "lora", "quantize": self.quantize, "device": device}
        with self.target.open(start, **how) as opened:
            pl.seed_everything(seed, verbose=False)
            with quiet():
                model = self._wrap(opened.weights).train()
            if self.gradient_checkpointing:
                require_checkpointing(opened.weights)
            yield model, opened
            del model

    def _job(self, pairs: Sequence[Pair], plan: Sequence[Sequence[int]], pad: int, seed: int, folder: Path) -> Fit:
        from sei.lit import resume

        settings: dict[str, Any] = {
            "lr": self.lr,
            "warmup_ratio": self.warmup_ratio,
            "weight_decay": self.weight_decay,
            "total_steps": len(plan),
            "micro_batch": self.micro_batch,
            "supervised_logits": self.supervised_logits,
            "gradient_checkpointing": self.gradient_checkpointing,
        }
        return Fit(
            pairs=pairs,
            plan=plan,
            pad=pad,
            interval=resume.interval_of(folder / "resume", self.resume_every),
            seed=seed,
            settings=settings,
            clip=self.clip,
            deterministic=self.deterministic,
        )

    def _fit_here(self, model: Any, job: Fit, folder: Path) -> LitCausalLM:
        """Train in this process."""
        from sei.lit import fitting, resume
        from sei.lit.module import Heartbeat, LitCausalLM
        from sei.lit.trainer import quiet

        lit, points = LitCausalLM(model, **job.settings), folder / "resume"
        where: dict[str, Any] = {"resume_in": points, "point": resume.latest(points)}
        with quiet(), progress("fine-tuning", len(job.plan)) as advance:
            fitting.run(lit, job, self.trainer, folder, callbacks=[Heartbeat(advance)], **where)
        return lit

    def _fit_on_devices(self, start: Checkpoint, model: Any, job: Fit, folder: Path) -> Followed:
        """Train in the processes of several devices."""
        from sei.lit import launch, resume

        _tell_of_idle_devices(job.plan, self.trainer.world_size)
        handover = Handover(
            finetuner=self,
            start=start,
            fit=job,
            resume=folder / "resume",
            point=resume.latest(folder / "resume"),
            parent=(socket.gethostname(), os.getpid()),
        )
        with progress("fine-tuning", len(job.plan)) as advance:
            return launch.fit(folder, handover, model, advance)

    def _wrap(self, model: Any) -> Any:
        from peft import PeftModel

        if self.method == "full" or isinstance(model, PeftModel):
            return model
        if self.quantize != "none":
            from peft import prepare_model_for_kbit_training

            model = prepare_model_for_kbit_training(model)
        return with_adapter(
            model, r=self.lora_r, alpha=self.lora_alpha, dropout=self.lora_dropout, targets=self.lora_targets
        )

    def _save(self, model: Any, tokenizer: Any, folder: Path) -> None:
        if self.method == "lora":
            save_adapter(model, self.target.source, folder)
        if self.quantize == "none":
            save_merged(model, tokenizer, folder, self.method)

    def _merge_into_plain(self, start: Checkpoint, folder: Path) -> None:
        """Merge the adapter into the unquantized weights."""
        from peft import PeftModel

        onto = start.onto if start.kind == "adapter" and start.onto is not None else start
        with self.target.open(onto) as opened:
            merged = PeftModel.from_pretrained(opened.weights, folder / "adapter").merge_and_unload()
            write(merged, opened.tokenizer, folder / "model")


def none_left(examples: int, known: int, longest: int, source: str) -> ConfigError:
    """Return the error for no usable training example: all too long, or with words unknown to the tokenizer."""
    if not known:
        return ConfigError(
            f"all {examples} training examples have words that the tokenizer of model.source={source} does not know. "
            "Rule: a word-level model reads only its own domain. Remedy: a model that reads this data "
            "(model=smollm2_135m, or model.source=FOLDER), or data=arithmetic."
        )
    strange = f" ({examples - known} others have words that the tokenizer does not know)" if known < examples else ""
    return ConfigError(
        f"none of {known} training examples fits {longest} tokens{strange}. Rule: finetuner.max_length and the model's "
        "window limit their length. Remedy: raise finetuner.max_length, or take a model with a larger window."
    )


def _tell_of_idle_devices(plan: Sequence[Sequence[int]], devices: int) -> None:
    idle = sum(len(batch) < devices for batch in plan)
    if idle > len(plan) / 10:
        log.warning(
            "trainer.devices=%d: in %d of %d steps the batch has fewer rows than devices, so some devices are idle. "
            "Remedy: larger batches (finetuner.schedule), or fewer devices",
            *(devices, idle, len(plan)),
        )
