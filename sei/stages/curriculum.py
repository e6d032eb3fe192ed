"""Curriculum: where a round's training starts and what it sees (section 3.4; the paper: base, accumulated)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sei.grading.said import without_thoughts
from sei.parts import IMMATERIAL, part
from sei.ports import Screen
from sei.prompts import asked
from sei.records import Checkpoint, PoolProblem, RefinedSet, Rejection, SyntheticExample, TrainingExample


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What one fine-tune sees, and what was withheld from it because this round's validation may not be trained on."""

    examples: tuple[TrainingExample, ...]
    withheld: tuple[Rejection, ...] = ()


@part
class Curriculum:
    """Chooses initial weights and training examples of a round.

    ``start_from``: ``base`` or ``previous`` (the checkpoint of the round before; with LoRA the same adapter
    with a fresh optimizer). ``train_on``: refined sets of all rounds so far, or of ``this_round`` alone.
    ``replay``: how many solved problems join them, against forgetting. ``thinking``: whether thoughts in solutions
    (``<think>``) are trained on (``keep``) or taken out (``strip``).
    """

    identity: ClassVar[str] = "stage/curriculum"
    version: ClassVar[int] = 2
    start_from: Literal["base", "previous"] = "base"
    train_on: Literal["accumulated", "this_round"] = "accumulated"
    replay: Annotated[int, Field(ge=0)] = 150
    thinking: Annotated[Literal["keep", "strip"], IMMATERIAL] = "keep"  # in the key by ``reads`` where it is not

    def reads(self) -> dict[str, str]:
        """Return that thoughts are taken out, where they are."""
        return {"thinking": self.thinking} if self.thinking == "strip" else {}

    def start(self, base: Checkpoint, current: Checkpoint) -> Checkpoint:
        """Return the initial weights."""
        return {"base": base, "previous": current}[self.start_from]

    def rounds_behind(self, number: int) -> tuple[int, ...]:
        """Return the rounds whose curated data the weights of round ``number`` were trained on; none of round 0."""
        first = {"base": max(1, number), "previous": 1}[self.start_from]
        return tuple(range(first, number + 1))

    def __call__(
        self, history: Sequence[RefinedSet], solved: Sequence[PoolProblem], screen: Screen, *, seed: int
    ) -> Lesson:
        """Return the examples of a round; ``history`` ends with the round's own refined set.

        Solved problems and synthetic items of earlier rounds pass the round's screen once more, since new
        validation cases have come since they were made.
        """
        sets = history if self.train_on == "accumulated" else history[-1:]
        synthetic = [self._pair(x, "synthetic") for r in sets for x in r.kept]
        order = random.Random(f"replay/{seed}").sample(list(solved), len(solved))
        replayable = [self._pair(p, "replay") for p in order]
        withheld: list[Rejection] = []

        def allowed(examples: Sequence[TrainingExample]) -> list[TrainingExample]:
            fine = []
            for x, near in zip(examples, screen.reasons([x.question for x in examples]), strict=True):
                reason = near if x.solution.strip() or self.thinking == "keep" else "only_thoughts"
                if reason is None:
                    fine.append(x)
                else:
                    withheld.append(Rejection(stage="curriculum", reason=reason, subject=x.id, detail=x.question[:300]))
            return fine

        kept = allowed(synthetic)
        wanted, at = len(kept) + self.replay, 0
        while len(kept) < wanted and at < len(replayable):
            chunk = replayable[at : at + wanted - len(kept)]
            kept += allowed(chunk)
            at += len(chunk)
        return Lesson(examples=tuple(kept), withheld=tuple(withheld))

    def _pair(self, x: PoolProblem | SyntheticExample, source: str) -> TrainingExample:
        question = asked(x.question, x.options)
        solution = without_thoughts(x.solution) if self.thinking == "strip" else x.solution
        return TrainingExample(id=x.id, question=question, solution=solution, source=source, options=x.options)
