"""``finetuner=grpo``: the reinforcement learning baseline, GRPO by TRL instead of supervised fine-tuning."""

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
from sei.finetuners.supervised import Weights, checkpoint_in, save_adapter, save_merged, with_adapter
from sei.lit.trainer import TrainerSettings
from sei.models.greedy import SAID_TO_TRL, changes_decoding
from sei.models.target import TargetModel
from sei.opened import OpenModel
from sei.outlook import Estimate, Outlook
from sei.parts import part
from sei.ports import Grader
from sei.progress import progress
from sei.records import Checkpoint, Problem, StepLog, Trained, TrainingExample
from sei.store import digest

_OLDEST = (1, 16)  # of TRL: rewards that are None stay out of a group's mean
_HALF_MADE = ("model", "adapter", "reference", "trl")


@part
class Groups:
    """How much is sampled: optimizer steps, questions a step, and sampled answers a question (the group, G)."""

    identity: ClassVar[str] = "schedule/groups"
    version: ClassVar[int] = 2
    steps: Annotated[int, Field(ge=1)] = 60
    prompts_per_step: Annotated[int, Field(ge=1)] = 16
    samples: Annotated[int, Field(ge=2)] = 8


@part
class GRPO:
    """Group Relative Policy Optimization (Shao et al. 2024, DeepSeekMath, arXiv 2402.03300, section 4.1).

    Kept: no value model; an answer's advantage is its reward less its group's mean, by the group's standard
    deviation (outcome supervision, 4.1.2); the loss is a mean over each answer's tokens, then over answers; the KL
    term to the initial weights is in the loss, with the paper's estimator and ``beta`` 0.04; one update a sample
    (4.2), which leaves nothing to clip. Left out: the reward model, whose place takes a rule (as in DeepSeek-R1,
    arXiv 2501.12948): 1 for what the grader calls right, else 0, also where it is unreadable; process supervision
    (4.1.3) and the iterations that renew reward model and reference (4.1.4; the reference is each round's start);
    64 samples a question and 1024 a step at lr 1e-6, which are settings here. The lr is constant.

    Where the grader itself fails an answer has no reward: it is in no mean, its advantage is 0, only KL holds it.
    A solution gives its question's gold answer and nothing else. Left out of training are repeated questions,
    those whose own solution the grader refuses, and what ``Finetune`` leaves out too: pairs longer than
    ``max_length`` tokens or with unknown words. ``Trained.examples`` counts what remained.

    ``temperature`` is of sampling and of the policy's probabilities, ``clip`` the gradient norm limit.
    ``micro_batch`` answers are trained on at once (0: a step's all) and bound memory, as does
    ``gradient_checkpointing``. Dropout is off, also in a LoRA: what samples must be what learns. Answers end at
    an end-of-text token or at ``max_new_tokens``; an engine's ``stop`` strings are not known here.

    The curve's ``loss`` is the share of a step's graded answers that were not right (1 - mean reward): GRPO's own
    loss is about 0 by construction. ``tokens`` are sampled ones, so budgets are not those of supervised tokens.
    An interrupted fit starts again. Needs the ``trl`` extra; nothing is sent, logged or drawn by it.
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
        """Refuse several devices, which TRL would need to be started on, and steps that are no whole micro-batches."""
        if self.trainer.devices > 1:
            raise ConfigError(
                f"finetuner=grpo with trainer.devices={self.trainer.devices}: it trains in one process on one device. "
                "Remedy: trainer.devices=1."
            )
        answers = self.schedule.prompts_per_step * self.schedule.samples
        if answers % (self.micro_batch or answers):
            raise ConfigError(
                f"finetuner.micro_batch={self.micro_batch}: it must divide prompts_per_step x samples = {answers}. "
                "Remedy: a divisor, or 0 for all at once."
            )

    def reads(self) -> dict[str, str]:
        """Return a digest of the base's decoding settings that answers were once sampled with; nothing for most."""
        unused = self.target.unused_generation()
        return {"decoding": digest(unused)} if changes_decoding(unused, SAID_TO_TRL) else {}

    def preflight(self) -> None:
        """Refuse where TRL is missing or too old (naming the extra that brings it), or would see several GPUs.

        Raises:
            ConfigError: for any of these.
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
            import torch  # seconds to import; a CPU needs no question

            if (gpus := torch.cuda.device_count()) > 1:
                raise ConfigError(
                    f"finetuner=grpo: {gpus} GPUs are visible, TRL takes one in a process. Remedy: "
                    "CUDA_VISIBLE_DEVICES=0."
                )

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return the answers that are sampled in a round."""
        answers = self.schedule.steps * self.schedule.prompts_per_step * self.schedule.samples
        return Estimate(generates={"in reinforcement learning": answers})

    def __call__(self, start: Checkpoint, examples: tuple[TrainingExample, ...], *, seed: int, folder: Path) -> Trained:
        """Train from ``start`` on what the grader says of sampled answers to the examples' questions.

        Raises:
            ConfigError: when TRL is missing, too few questions remain for one step, or the examples are warm-up pairs.
            NumericError: at the first loss or gradient that is not finite; nothing is saved then.
            TooManyBadRecordsError: when the grader fails on every answer of a step.
        """
        self.preflight()
        if examples and all(x.source == "warm_up" for x in examples):
            raise ConfigError(
                "finetuner=grpo with warm-up pairs: a reward cannot teach a format that the model never writes. "
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
        once = {x.question: x for x in reversed(examples)}  # of a repeated question the first stays
        found = [problem_of(x) for x in examples if once[x.question] is x]
        encoded = opened.encode([(p.question, p.solution) for p in found])
        fits = [not e.unknown and len(e.prompt) + len(e.completion) <= self.max_length for e in encoded]
        problems = [p for p, fine in zip(found, fits, strict=True) if fine and p.answer]
        refused = set(self.grader.check_gold(tuple(problems)))
        problems = [p for p in problems if p.id not in refused]
        if len(problems) < self.schedule.prompts_per_step:
            raise ConfigError(
                f"{len(problems)} of {len(examples)} training examples have a question of their own, an answer that "
                f"the grader accepts and at most finetuner.max_length={self.max_length} tokens. Rule: one step takes "
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
        if "ref" in getattr(model, "peft_config", {}):  # TRL's copy of the adapter that training went on in
            model.delete_adapter("ref")
        model.config.use_cache, model.config._name_or_path = True, named  # the trainer turns the cache off
        return model.eval(), tuple(rewards.curve)

    def _policy(self, opened: OpenModel, folder: Path) -> Any:
        """Return the model to train; where all weights move, the reference is written aside for TRL to read."""
        model: Any = opened.model
        if self.trainer.precision == "bf16-true":
            model = model.bfloat16()
        if self.method == "lora":  # with its adapter off the model is the reference
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
            "loss_type": "grpo",  # the paper's; TRL's default weighs answers by their length
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
            "logging_nan_inf_filter": False,  # it would hide what must end the fit
        }


def prompts_for_trl(opened: OpenModel, questions: Sequence[str]) -> list[str]:
    """Return prompts that TRL's tokenizing turns into the very tokens with which the engine asks the model.

    A chat template writes the begin-of-text token itself, and TRL has the tokenizer add it once more.

    Raises:
        ConfigError: where the tokens differ all the same.
    """
    tokenizer: Any = opened.tokenizer
    texts = opened.prompts(questions)
    asked = tokenizer(texts, add_special_tokens=opened.template == "plain")["input_ids"]
    if tokenizer(texts)["input_ids"] != asked:
        texts = [t.removeprefix(tokenizer.bos_token or "") for t in texts]
        if tokenizer(texts)["input_ids"] != asked:
            raise ConfigError(
                "finetuner=grpo: this model's tokenizer adds special tokens to a rendered prompt that cannot be taken "
                "away beforehand, so the model would not be asked as it is elsewhere. Remedy: another finetuner."
            )
    return texts


def _steps(rewards: Rewards, advance: Callable[[int], None]) -> Any:
    from transformers import TrainerCallback

    class Steps(TrainerCallback):  # type: ignore[misc]  # transformers counts as untyped
        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **more: Any) -> None:
            if logs and "loss" in logs:  # the last line of a fit sums up and has none
                rewards.step(logs)
                advance(1)

    return Steps()


def _libraries() -> tuple[Any, Any]:
    """Import TRL and datasets: seconds, and transformers prints a line where W&B is offline."""
    with redirect_stdout(io.StringIO()):
        return importlib.import_module("trl.trainer.grpo_trainer"), importlib.import_module("datasets")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the libraries' advice, and keep TRL from reporting its use over the network."""
    constants: Any = importlib.import_module("huggingface_hub.constants")
    loggers = [logging.getLogger(n) for n in ("trl", "transformers", "accelerate")]
    levels, reports = [lg.level for lg in loggers], constants.HF_HUB_DISABLE_TELEMETRY
    constants.HF_HUB_DISABLE_TELEMETRY = True
    for lg in loggers:
        lg.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # of TRL's and peft's own code, under a name that newer versions of transformers gave up
            warnings.filterwarnings("ignore", ".*gradient_checkpointing.* is deprecated", FutureWarning)
            yield
    finally:
        constants.HF_HUB_DISABLE_TELEMETRY = reports
        for lg, level in zip(loggers, levels, strict=True):
            lg.setLevel(level)
