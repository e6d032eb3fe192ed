"""The one-step test: train once on the candidate, measure validation cases of its error type, undo the step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sei.models.architecture import require_trainable
from sei.models.target import TargetModel
from sei.parts import IMMATERIAL, part
from sei.progress import progress
from sei.scorer import Candidates, by_type, kept_of_type, pair_of
from sei.store.journal import Journal

_GAP = 1.5  # cosines are at most 1, so a score with this gap is below the lowest one of a step


@part
class OneShotStep:
    """One training step on the candidate; the gain is measured on validation cases of its error type.

    Score: the validation loss (mean per solution token) before the step minus the loss after it. The gradient is scaled
    to unit length, so ``step_size`` is the length of every step. The weights are restored exactly. Types with fewer
    than ``min_validation`` cases are scored on the round's pooled cases. ``weights``: train all weights or a fresh LoRA
    adapter. ``supervised_logits``: leave out logits that no loss uses.

    ``exact``: the share of every type's candidates that is tested by the step. Below 1 the candidates are ranked first
    by the cosine of their gradient with that of the validation cases, and the best are tested. The others get scores
    below these, in the order of their cosines.
    """

    identity: ClassVar[str] = "refiner/one_shot_step"
    version: ClassVar[int] = 2
    target: TargetModel
    step_size: Annotated[float, Field(gt=0)] = 0.1
    min_validation: Annotated[int, Field(ge=1)] = 5
    max_validation: Annotated[int, Field(ge=1)] = 16
    weights: Literal["all", "lora"] = "all"
    # ``reads`` puts these into the key if they are set
    exact: Annotated[float, Field(gt=0, le=1), IMMATERIAL] = 1.0
    supervised_logits: Annotated[bool, IMMATERIAL] = False

    def reads(self) -> dict[str, str]:
        """Return the share of tested candidates if it is below 1, and ``supervised_logits`` if it is set."""
        exact = {"exact": str(self.exact)} if self.exact < 1 else {}
        return exact | ({"supervised_logits": "true"} if self.supervised_logits else {})

    def preflight(self) -> None:
        """Refuse ``supervised_logits`` for a model that needs all logits."""
        require_trainable(self.target, supervised_logits=self.supervised_logits)

    @property
    def independent(self) -> bool:
        """Return whether several processes can share the values out: each is made without the others."""
        return self.exact == 1

    def scores(self, given: Candidates, kept: Journal) -> list[float]:
        """Score every candidate on the validation cases of its type."""
        everything = list(range(len(given.examples)))
        if self.exact == 1:
            found = self._gains(given, kept, everything)
            return [found[i] for i in everything]
        cosines = self._cosines(given, kept)
        tested: list[int] = []
        for members in by_type(given.examples).values():
            best = sorted(members, key=lambda i: (-cosines[i], i))
            tested += best[: kept_of_type(len(members), self.exact)]
        return _joined(given, cosines, self._gains(given, kept, sorted(tested)))

    @property
    def _how(self) -> dict[str, bool]:
        return {"lora": self.weights == "lora", "supervised_logits": self.supervised_logits}

    def _gains(self, given: Candidates, kept: Journal, which: Sequence[int]) -> dict[int, float]:
        """Return the gain of a step on each of these candidates."""
        from sei.lit.one_step import OneStep

        out: dict[int, float] = {}
        tests = given.validation
        with self.target.open(given.checkpoint) as opened, progress("refinement", len(which)) as advance:
            step = OneStep(opened, step_size=self.step_size, seed=given.seed, **self._how)
            for i in which:
                c = given.examples[i]
                name, pairs, sample = tests.name(c), tests.pairs(c), pair_of(c)
                before = kept.once(f"before/{name}", partial(step.loss, name, pairs), 0.0)
                out[i] = before - kept.once(f"after/{i}", partial(step.loss_after, name, pairs, sample), 0.0)
                advance(1)
        return out

    def _cosines(self, given: Candidates, kept: Journal) -> list[float]:
        """Return the cosine of every candidate, from a model opened for this alone (an adapter stays on a model)."""
        from sei.lit.one_step import Gradients

        out = [0.0] * len(given.examples)
        tests, lora = given.validation, self.weights == "lora"
        by_cases: dict[str, list[int]] = {}
        for i, c in enumerate(given.examples):
            by_cases.setdefault(tests.name(c), []).append(i)
        with self.target.open(given.checkpoint) as opened, progress("ranking", len(out)) as advance:
            gradients = Gradients(opened, seed=given.seed, **self._how)
            for name, members in by_cases.items():
                if not lora:  # a gradient of all weights is as large as the model, so only one is kept
                    gradients = Gradients(opened, seed=given.seed, **self._how)
                for i in members:
                    c = given.examples[i]
                    cosine: Callable[[], float] = partial(gradients.cosine, name, tests.pairs(c), pair_of(c))
                    out[i] = kept.once(f"cosine/{i}", cosine)
                    advance(1)
        return out


def _joined(given: Candidates, cosines: Sequence[float], gains: dict[int, float]) -> list[float]:
    """Return the gains, and for candidates without one a score below those of their type."""
    out = [0.0] * len(cosines)
    for members in by_type(given.examples).values():
        lowest = min(gains[i] for i in members if i in gains)
        for i in members:
            out[i] = gains[i] if i in gains else lowest - (_GAP - cosines[i])
    return out
