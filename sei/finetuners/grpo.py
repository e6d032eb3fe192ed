"""``finetuner=grpo``: the reinforcement learning baseline, TRL's GRPO instead of supervised fine-tuning."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import io
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from sei.errors import ConfigError
from sei.finetuners.rewards import Rewards, problem_of
from sei.lit.trainer import TrainerSettings
from sei.models.architecture import require_trainable
from sei.models.greedy import SAID_TO_TRL, changes_decoding
from sei.models.target import TargetModel
from sei.models.trained import Weights, checkpoint_in, save_adapter, save_merged, with_adapter
from sei.opened import OpenModel
from sei.outlook import Estimate, Outlook
from sei.parts import part
from sei.ports import Grader
from sei.progress import progress
from sei.records import Checkpoint, Problem, StepLog, Trained, TrainingExample
from sei.store import digest

_OLDEST = (1, 16)  # the first TRL version that leaves rewards of None out of a group's mean
_HALF_MADE = ("model", "adapter", "reference", "trl")


@part
class Groups:
    """The amount of sampling: optimizer steps, questions per step, and answers per question (the group size G)."""

    identity: ClassVar[str] = "schedule/groups"
    version: ClassVar[int] = 2
    steps: Annotated[int, Field(ge=1)] = 60
    prompts_per_step: Annotated[int, Field(ge=1)] = 16
    samples: Annotated[int, Field(ge=2)] = 8


@part
class GRPO:
    """Group Relative Policy Optimization (Shao et al. 2024, DeepSeekMath, arXiv 2402.03300, section 4.1).

    Kept from the paper: there is no value model. An answer's advantage is its reward minus the group's mean, divided by
    the group's standard deviation (outcome supervision, 4.1.2). The loss is a mean over each answer's tokens, then over
    answers. It includes the KL term to the initial weights, with the paper's estimator and ``beta`` 0.04. Each sample
    is used for one update (4.2), so clipping of the ratio has no effect.
    Left out: the reward model. A rule replaces it (as in DeepSeek-R1, arXiv 2501.12948): 1 if the grader says right, 0
    for wrong and unreadable answers. Process supervision (4.1.3). The iterations that update reward model and reference
    (4.1.4); here the reference is each round's start. The paper's 64 samples per question, 1024 per step and lr 1e-6
    are settings here. The lr is constant.

    An answer on which the grader fails has no reward: it counts in no mean, its advantage is 0, and only the KL term
    acts on it. A solution is used only for its gold answer. Training leaves out repeated questions, questions with a
    solution that the grader refuses, and, as in ``Finetune``, pairs longer than ``max_length`` tokens or with unknown
    words. ``Trained.examples`` counts the remaining ones.

    ``temperature`` applies to sampling and to the policy's probabilities. ``clip`` is the gradient norm limit.
    ``micro_batch`` is the number of answers trained on at once (0: all of a step). It limits memory, as does
    ``gradient_checkpointing``. Dropout is off, also in a LoRA, so that the sampling policy equals the trained one.
    Answers end at an end-of-text token or at ``max_new_tokens``; an engine's ``stop`` strings have no effect here.

    The curve's ``loss`` is the share of a step's graded answers that were not right (1 - mean reward), because GRPO's
    own loss is about 0 by construction. ``tokens`` counts sampled tokens, so budgets differ from those in supervised
    tokens. An interrupted fit starts again. It needs the ``trl`` extra. TRL sends and logs nothing.
    """

    identity: ClassVar[str] = "finetuner/grpo"
    version: ClassVar[int] = 2
    target: TargetModel
    trainer: TrainerSettings
    grader: Grader
    schedule: Groups
    method: Weights = "full"
    temperature: Annotated[float, Field(gt=0, le=2)] = 1.0
    max_new_tokens: Annotated[int, Field(ge=1)] = 96
    lr: Annotated[float, Field(gt=0, lt=1)] = 1e-6
    beta: Annotated[float, Field(ge=0)] = 0.04
    clip: Annotated[float, Field(gt=0)] = 1.0
    max_length: Annotated[int, Field(ge=8)] = 512
    micro_batch: Annotated[int, Field(ge=0)] = 0
    gradient_checkpointing: bool = False
    lora_r: Annotated[int, Field(ge=1)] = 16
    lora_alpha: Annotated[int, Field(ge=1)] = 32
    lora_targets: list[str] | Literal["all-linear"] = "all-linear"

    def __post_init__(self) -> None:
        """Refuse several devices, and steps that cannot be divided into whole micro-batches."""
        if self.trainer.devices > 1:
            raise ConfigError(
                f"finetuner=grpo with trainer.devices={self.trainer.devices}. Rule: it trains on one device. "
                "Remedy: trainer.devices=1."
            )
        answers = self.schedule.prompts_per_step * self.schedule.samples
        if answers % (self.micro_batch or answers):
            raise ConfigError(
                f"finetuner.micro_batch={self.micro_batch}: it must divide prompts_per_step x samples = {answers}. "
                "Remedy: a divisor, or 0 for all at once."
            )

    def reads(self) -> dict[str, str]:
        """Return a digest of the base's decoding settings if they change sampling beyond the settings TRL is given.

        Earlier versions sampled with them, so the digest keeps their results apart.
        """
        unused = self.target.unused_generation()
        return {"decoding": digest(unused)} if changes_decoding(unused, SAID_TO_TRL) else {}

    def preflight(self) -> None:
        """Check for a recent TRL, at most one visible GPU, and layers for the LoRA.

        Raises:
            ConfigError: if TRL is missing or too old (naming the extra to install), if several GPUs are visible, or if
                the model lacks a layer of ``lora_targets``.
        """
        if importlib.util.find_spec("trl") is None:
            raise ConfigError(
                "finetuner=grpo needs the trl package, which is not installed. Remedy: pip install 'sei[trl]', or "
                "another finetuner."
            )
        found = importlib.metadata.version("trl")
        if tuple(int(n) for n in found.split(".")[:2]) < _OLDEST:
            raise ConfigError(
                f"finetuner=grpo needs trl 1.16 or newer; {found} may count a fault of the grader as a wrong answer. "
                "Remedy: pip install -U 'sei[trl]'."
            )

        if self.trainer.accelerator != "cpu":
            import torch  # takes seconds to import, and a CPU needs no check

            if (gpus := torch.cuda.device_count()) > 1:
                raise ConfigError(
                    f"finetuner=grpo: {gpus} GPUs are visible. Rule: TRL uses one per process. Remedy: "
                    "CUDA_VISIBLE_DEVICES=0."
                )
        require_trainable(self.target, lora=self.lora_targets if self.method == "lora" else ())

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return the number of answers sampled in a round."""
        answers = self.schedule.steps * self.schedule.prompts_per_step * self.schedule.samples
        return Estimate(generates={"in reinforcement learning": answers})

    def __call__(self, start: Checkpoint, examples: tuple[TrainingExample, ...], *, seed: int, folder: Path) -> Trained:
        """Train from ``start`` on the grader's verdicts on sampled answers to the examples' questions.

        Raises:
            ConfigError: if TRL is missing, too few questions remain for one step, or the examples are warm-up pairs.
            NumericError: at the first loss or gradient that is not finite. Nothing is saved then.
            TooManyBadRecordsError: if the grader fails on every answer of a step.
        """
        self.preflight()
        if examples and all(x.source == "warm_up" for x in examples):
            raise ConfigError(
                "finetuner=grpo with warm-up pairs: rewards cannot teach a format that the model never writes. "
                "Remedy: data.warm_up=0, and a model that answers in the format."
            )
        for name in _HALF_MADE:
            shutil.rmtree(folder / name, ignore_errors=True)
        with _quiet(), self.target.open(start, keep_adapter=self.method == "lora") as opened:
            problems = self._problems(opened, examples)
            model, curve = self._fit(opened, problems, seed, folder)
            if self.method == "lora":
                save_adapter(model, self.target.source, folder)
            save_merged(model, opened.tokenizer, folder, self.method)
            del model
        for name in ("reference", "trl"):
            shutil.rmtree(folder / name, ignore_errors=True)
        return Trained(
            checkpoint=checkpoint_in(folder, start, self.method),
            curve=curve,
            steps=len(curve),
            tokens=sum(s.tokens for s in curve),
            examples=len(problems),
        )

    def _problems(self, opened: OpenModel, examples: Sequence[TrainingExample]) -> list[Problem]:
        once = {x.question: x for x in reversed(examples)}  # keep the first of repeated questions
        found = [problem_of(x) for x in examples if once[x.question] is x]
        encoded = opened.encode([(p.question, p.solution) for p in found])
        fits = [not e.unknown and len(e.prompt) + len(e.completion) <= self.max_length for e in encoded]
        problems = [p for p, fine in zip(found, fits, strict=True) if fine and p.answer]
        refused = set(self.grader.check_gold(tuple(problems)))
        problems = [p for p in problems if p.id not in refused]
        if len(problems) < self.schedule.prompts_per_step:
            raise ConfigError(
                f"only {len(problems)} of {len(examples)} training examples have a distinct question, an answer that "
                f"the grader accepts and at most finetuner.max_length={self.max_length} tokens. Rule: one step needs "
                f"finetuner.schedule.prompts_per_step={self.schedule.prompts_per_step}. Remedy: lower it, or more data."
            )
        return problems

    def _fit(
        self, opened: OpenModel, problems: Sequence[Problem], seed: int, folder: Path
    ) -> tuple[Any, tuple[StepLog, ...]]:
        trl, datasets = _libraries()
        from transformers import PrinterCallback, set_seed

        set_seed(seed)
        named = opened.model.config._name_or_path if opened.model is not None else ""
        model, rewards = self._policy(opened, folder), Rewards(grader=self.grader, problems=problems, opened=opened)
        texts = prompts_for_trl(opened, [p.question for p in problems])
        with progress("reinforcing", self.schedule.steps) as advance:
            trainer = trl.GRPOTrainer(
                model=model,
                reward_funcs=rewards.of,
                args=trl.GRPOConfig(**self._arguments(seed, folder)),
                train_dataset=datasets.Dataset.from_dict({"prompt": texts, "at": list(range(len(texts)))}),
                processing_class=opened.tokenizer,
                callbacks=[_steps(rewards, advance)],
            )
            trainer.remove_callback(PrinterCallback)  # it would print the curve
            trainer.train()
        if "ref" in getattr(model, "peft_config", {}):  # TRL's copy of the trained adapter
            model.delete_adapter("ref")
        model.config.use_cache, model.config._name_or_path = True, named  # the trainer turns the cache off
        return model.eval(), tuple(rewards.curve)

    def _policy(self, opened: OpenModel, folder: Path) -> Any:
        """Return the model to train. With full fine-tuning, also save the reference for TRL to read."""
        model: Any = opened.model
        if self.trainer.precision == "bf16-true":
            model = model.bfloat16()
        if self.method == "lora":  # the model without its adapter is the reference
            if hasattr(model, "peft_config"):
                return model
            return with_adapter(model, r=self.lora_r, alpha=self.lora_alpha, dropout=0.0, targets=self.lora_targets)
        if self.beta > 0:
            model.save_pretrained(folder / "reference", safe_serialization=True)
            model.config._name_or_path = str(folder / "reference")
        return model

    def _arguments(self, seed: int, folder: Path) -> dict[str, Any]:
        answers = self.schedule.prompts_per_step * self.schedule.samples
        at_once = self.micro_batch or answers
        return {
            "output_dir": str(folder / "trl"),
            "max_steps": self.schedule.steps,
            "per_device_train_batch_size": at_once,
            "gradient_accumulation_steps": answers // at_once,
            "num_generations": self.schedule.samples,
            "max_completion_length": self.max_new_tokens,
            "temperature": self.temperature,
            "top_p": 1.0,
            "top_k": 0,
            "repetition_penalty": 1.0,
            "learning_rate": self.lr,
            "lr_scheduler_type": "constant",
            "max_grad_norm": self.clip,
            "optim": "adamw_torch",
            "beta": self.beta,
            "loss_type": "grpo",  # the paper's; TRL's default weights answers by length
            "use_bias_correction_kl": False,  # the paper's estimator
            "disable_dropout": True,
            "gradient_checkpointing": self.gradient_checkpointing,
            "use_cpu": self.trainer.accelerator == "cpu",
            "bf16": self.trainer.precision == "bf16-mixed",
            "fp16": self.trainer.precision == "16-mixed",
            "dataloader_pin_memory": self.trainer.accelerator != "cpu",
            "seed": seed,
            "save_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
            "logging_steps": 1,
            "logging_nan_inf_filter": False,  # the filter would hide values that must stop the fit
        }


def prompts_for_trl(opened: OpenModel, questions: Sequence[str]) -> list[str]:
    """Return prompts that TRL tokenizes into the same tokens as the engine.

    A chat template writes the begin-of-text token itself, and TRL's tokenizer call would add it again.

    Raises:
        ConfigError: if the tokens still differ.
    """
    tokenizer: Any = opened.tokenizer
    texts = opened.prompts(questions)
    asked = tokenizer(texts, add_special_tokens=opened.template == "plain")["input_ids"]
    if tokenizer(texts)["input_ids"] != asked:
        texts = [t.removeprefix(tokenizer.bos_token or "") for t in texts]
        if tokenizer(texts)["input_ids"] != asked:
            raise ConfigError(
                "finetuner=grpo: this model's tokenizer adds special tokens to a rendered prompt, and they cannot be "
                "removed beforehand. Training prompts would differ from the engine's. Remedy: another finetuner."
            )
    return texts


def _steps(rewards: Rewards, advance: Callable[[int], None]) -> Any:
    from transformers import TrainerCallback

    class Steps(TrainerCallback):  # type: ignore[misc]  # transformers counts as untyped
        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **more: Any) -> None:
            if logs and "loss" in logs:  # the last line of a fit is a summary without it
                rewards.step(logs)
                advance(1)

    return Steps()


def _libraries() -> tuple[Any, Any]:
    """Import TRL and datasets, which takes seconds. Suppress a line that transformers prints if W&B is offline."""
    with redirect_stdout(io.StringIO()):
        return importlib.import_module("trl.trainer.grpo_trainer"), importlib.import_module("datasets")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the libraries' advice and keep TRL from sending telemetry."""
    constants: Any = importlib.import_module("huggingface_hub.constants")
    loggers = [logging.getLogger(n) for n in ("trl", "transformers", "accelerate")]
    levels, reports = [lg.level for lg in loggers], constants.HF_HUB_DISABLE_TELEMETRY
    constants.HF_HUB_DISABLE_TELEMETRY = True
    for lg in loggers:
        lg.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # TRL and peft use a name that newer versions of transformers deprecate
            warnings.filterwarnings("ignore", ".*gradient_checkpointing.* is deprecated", FutureWarning)
            yield
    finally:
        constants.HF_HUB_DISABLE_TELEMETRY = reports
        for lg, level in zip(loggers, levels, strict=True):
            lg.setLevel(level)
