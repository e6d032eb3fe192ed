"""Curriculum: a round's initial weights and training examples (section 3.4; the paper: base, accumulated)."""

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
    """The examples of one fine-tune, and the withheld ones, such as those too close to this round's validation."""

    examples: tuple[TrainingExample, ...]
    withheld: tuple[Rejection, ...] = ()


@part
class Curriculum:
    """Chooses the initial weights and training examples of a round.

    ``start_from``: ``base``, or ``previous`` for the checkpoint of the previous round (with LoRA the same adapter, with
    a fresh optimizer). ``train_on``: the refined sets of all rounds so far (``accumulated``) or of ``this_round``
    alone. ``replay``: the number of solved problems added against forgetting. ``thinking``: ``keep`` trains on thoughts
    in solutions (``<think>``); ``strip`` removes them.
    """

    identity: ClassVar[str] = "stage/curriculum"
    version: ClassVar[int] = 3
    start_from: Literal["base", "previous"] = "base"
    train_on: Literal["accumulated", "this_round"] = "accumulated"
    replay: Annotated[int, Field(ge=0)] = 150
    thinking: Annotated[Literal["keep", "strip"], IMMATERIAL] = "keep"  # ``reads`` puts ``strip`` into the key

    def reads(self) -> dict[str, str]:
        """Return the setting if thoughts are stripped, else nothing."""
        return {"thinking": self.thinking} if self.thinking == "strip" else {}

    def start(self, base: Checkpoint, current: Checkpoint) -> Checkpoint:
        """Return the initial weights."""
        return {"base": base, "previous": current}[self.start_from]

    def rounds_behind(self, number: int) -> tuple[int, ...]:
        """Return the rounds that contributed data to the weights of round ``number``; none for round 0."""
        first = {"base": max(1, number), "previous": 1}[self.start_from]
        return tuple(range(first, number + 1))

    def __call__(
        self, history: Sequence[RefinedSet], solved: Sequence[PoolProblem], screen: Screen, *, seed: int
    ) -> Lesson:
        """Return the examples of a round. ``history`` ends with the round's own refined set.

        All examples pass this round's screen, also those of earlier rounds, because the round has new validation cases.
        A problem without a solution is withheld, because it would teach an empty answer.
        """
        sets = history if self.train_on == "accumulated" else history[-1:]
        synthetic = [self._pair(x, "synthetic") for r in sets for x in r.kept]
        order = random.Random(f"replay/{seed}").sample(list(solved), len(solved))
        replayable = [self._pair(p, "replay") for p in order]
        withheld: list[Rejection] = []
        written = {x.id for r in sets for x in r.kept if x.solution.strip()}
        written |= {x.id for x in solved if x.solution.strip()}

        def allowed(examples: Sequence[TrainingExample]) -> list[TrainingExample]:
            fine = []
            for x, near in zip(examples, screen.reasons([x.question for x in examples]), strict=True):
                empty = "only_thoughts" if self.thinking == "strip" and x.id in written else "no_solution"
                reason = near if x.solution.strip() else empty
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
