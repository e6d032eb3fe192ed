"""Rewards for reinforcement learning: the grader's verdicts on sampled answers, and their training curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sei.errors import NumericError, TooManyBadRecordsError
from sei.exchange import Outcome
from sei.grading import extract_flexible, extract_strict
from sei.opened import OpenModel
from sei.ports import Grader
from sei.records import Problem, StepLog, TrainingExample


@dataclass(kw_only=True)
class Rewards:
    """The reward function for TRL, which also records the training curve."""

    grader: Grader
    problems: Sequence[Problem]
    opened: OpenModel
    curve: list[StepLog] = field(default_factory=list)
    given: list[float] = field(default_factory=list)
    tokens: int = 0

    def of(self, *, completion_ids: Sequence[Sequence[int]], at: Sequence[int], **more: Any) -> list[float | None]:
        """Return a reward per sampled answer. ``at`` gives the index of each answer's problem."""
        answers = [self._text(list(ids)) for ids in completion_ids]
        found = [
            reward(self.grader.grade(self.problems[i], text, finished=finished))
            for i, (text, finished) in zip(at, answers, strict=True)
        ]
        self.given += [r for r in found if r is not None]
        self.tokens += sum(len(ids) for ids in completion_ids)
        return found

    def _text(self, ids: list[int]) -> tuple[str, bool]:
        """Return an answer's text as the engine reads it, and whether it ended before the length cap."""
        tokenizer: Any = self.opened.tokenizer
        ends = getattr(getattr(self.opened.model, "generation_config", None), "eos_token_id", None)
        known = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}
        stop = next((n for n, token in enumerate(ids) if token in known), None)
        return tokenizer.decode(ids[:stop], skip_special_tokens=True).strip(), stop is not None

    def step(self, numbers: dict[str, Any]) -> None:
        """Finish one optimizer step. TRL reports its ``loss`` and ``grad_norm`` in ``numbers``."""
        at = len(self.curve) + 1
        for name in ("loss", "grad_norm"):
            if not math.isfinite(float(numbers.get(name, 0.0))):
                raise NumericError(
                    f"GRPO's {name} is {numbers[name]} at step {at}. Rule: it must be finite. Remedy: a lower "
                    "finetuner.lr, or trainer.precision=32-true."
                )
        if not self.given:
            raise TooManyBadRecordsError(
                f"the grader failed on every sampled answer of step {at}, so the step has no reward. Remedy: a larger "
                "finetuner.grader.seconds, or more finetuner.schedule.prompts_per_step."
            )
        wrong = 1 - sum(self.given) / len(self.given)
        self.curve.append(StepLog(step=at, loss=round(wrong, 6), tokens=self.tokens))
        self.given, self.tokens = [], 0


def reward(outcome: Outcome) -> float | None:
    """Return 1 for right, 0 for wrong or unreadable, and ``None`` if the grader failed."""
    if outcome.fault:
        return None
    return 1.0 if outcome.verdict == "right" else 0.0


def problem_of(example: TrainingExample) -> Problem:
    """Return an example as a problem. Its gold answer is the one stated by its solution, or empty."""
    answer = extract_strict(example.solution)
    if answer is None:
        stated = extract_flexible(example.solution)
        answer = stated.text if stated is not None else ""
    x = example
    return Problem(id=x.id, question=x.question, answer=answer, solution=x.solution, options=x.options)
