"""Refine as in the paper (section 3.3): the candidate is the only in-context demonstration of a frozen model."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from sei.models.target import TargetModel
from sei.opened import Engine, Limited, OpenModel
from sei.outlook import Estimate, Outlook
from sei.parts import part
from sei.ports import Grader
from sei.progress import progress
from sei.prompts import asked
from sei.records import PoolProblem, SyntheticExample
from sei.refiners.questions import questions_of, weights_of
from sei.refiners.racing import Race, run
from sei.returned import answered, graded_all
from sei.scorer import Candidates, by_type, kept_of_type, pair_of
from sei.store.journal import Journal

Answered = tuple[str, bool, str]  # text, whether it is finished, reason if there is no text


@part
class OneShotContext:
    """The model answers validation questions with the candidate shown before each of them.

    Questions: up to ``bad`` validation cases of the candidate's error type (pooled ones for types with fewer than
    ``min_validation``), and up to ``good`` questions that the model solved without help. Score: the mean of the
    exact-match rates on both groups (0 to 1), or the rate on one group if the other is empty. An answer cut at the
    length cap is judged like a cut attempt. A question on which the server or the grader fails does not count.

    ``race``: stop asking about candidates that can no longer be kept (``sei.refiners.racing``). Their scores are upper
    bounds; the kept set is the same. This saves answers, but no time on a CPU, where batches only get smaller. Use it
    for models that are paid per answer. ``step``: the number of questions per candidate to ask at a time.
    ``reuse_prefix``: read a candidate once for all its questions, in batches of ``rows`` prompts
    (``sei.lit.shared_prefix``). A served model reuses prefixes by itself and is asked through the engine.
    """

    identity: ClassVar[str] = "refiner/one_shot_context"
    version: ClassVar[int] = 5
    target: TargetModel
    engine: Engine
    grader: Grader
    bad: Annotated[int, Field(ge=1)] = 10
    reads_solutions: ClassVar[bool] = False  # it compares final answers
    good: Annotated[int, Field(ge=0)] = 10
    min_validation: Annotated[int, Field(ge=1)] = 5
    race: bool = False
    step: Annotated[int, Field(ge=1)] = 5
    reuse_prefix: bool = True
    rows: Annotated[int, Field(ge=1)] = 96

    @property
    def max_validation(self) -> int:
        """Return the largest number of validation cases per candidate."""
        return self.bad

    def scores(self, given: Candidates, kept: Journal) -> list[float]:
        """Score every candidate by the questions that the frozen model solves with it as demonstration."""
        of_type = questions_of(given, self.good)
        candidates = given.examples
        races = [
            Race(
                candidates=members,
                weights=weights_of(of_type[name if name in of_type else ""]),
                keep=kept_of_type(len(members), given.keep) if self.race else len(members),
            )
            for name, members in by_type(candidates).items()
        ]
        questions = [(c, [p for g in of_type.get(c.error_type, of_type[""]) for p in g]) for c in candidates]
        total = sum(len(q) for _, q in questions)
        asks = itertools.count()
        with (
            self.engine.open(self.target, given.checkpoint) as opened,
            progress("refinement", total) as advance,
        ):

            def ask(pairs: list[tuple[int, int]]) -> list[bool | None]:
                """Judge the answers. Each batch depends only on earlier judgements, so a counter identifies it."""
                shown = [(questions[i][0], questions[i][1][q]) for i, q in pairs]
                answers = self._answers(opened, shown, kept, f"ask/{next(asks)}")
                advance(len(pairs))
                return self._right([problem for _, problem in shown], answers)

            advance(total - run(races, ask, step=self.step, rows=2 * self.rows))
        scores = [0.0] * len(candidates)
        for r in races:
            for i, score in zip(r.candidates, r.scores(), strict=True):
                scores[i] = score
        return scores

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return one answer per question and candidate."""
        if outlook.candidates is None:
            return Estimate(unknown="it asks the target model for every candidate, and their number is not estimated")
        return Estimate(generates={"for refinement": outlook.candidates * (self.bad + self.good)})

    def _right(self, problems: Sequence[PoolProblem], answers: Sequence[Answered]) -> list[bool | None]:
        """Tell of every answer whether it is right, or None if the server or the grader failed."""
        rows = [(p, text, fine) for p, (text, fine, fault) in zip(problems, answers, strict=True) if not fault]
        outcomes = graded_all(self.grader, rows)
        given = [None if fault else next(outcomes) for _, _, fault in answers]
        return [None if o is None or o.fault else o.verdict == "right" for o in given]

    def _answers(
        self, opened: OpenModel, pairs: Sequence[tuple[SyntheticExample, PoolProblem]], kept: Journal, name: str
    ) -> list[Answered]:
        """Return the model's answer to every question after its candidate. Stored answers are not generated again."""
        prompts = [opened.prompts([asked(p.question, p.options)], pair_of(c))[0] for c, p in pairs]
        if not (self.reuse_prefix and getattr(opened, "model", None) and isinstance(self.engine, Limited)):
            return self._from_engine(opened, prompts, kept, name)
        from sei.lit.shared_prefix import SharedPrefix

        groups: dict[str, list[int]] = {}
        for i, (c, _) in enumerate(pairs):
            groups.setdefault(c.id, []).append(i)
        shared = SharedPrefix(opened, rows=self.rows)
        asks = [[prompts[i] for i in g] for g in groups.values()]
        found: dict[int, Answered] = {}
        given = shared.answers(asks, *self.engine.limits(), kept=kept, name=name)
        for rows, group in zip(groups.values(), given, strict=True):
            found.update((i, (a.text, a.finished, a.fault)) for i, a in zip(rows, group, strict=True))
        return [found[i] for i in range(len(pairs))]

    def _from_engine(self, opened: OpenModel, prompts: Sequence[str], kept: Journal, name: str) -> list[Answered]:
        """Ask the engine. A failed answer is not stored, so the next run asks again."""
        given = {i: kept.get(f"{name}/{i}") for i in range(len(prompts)) if f"{name}/{i}" in kept}
        for at, text, finished, fault in answered(self.engine, opened, prompts, frozenset(given), "answers"):
            given[at] = (text, finished, fault)
            if not fault:
                kept.put(f"{name}/{at}", (text, finished, fault))
        return [(text, finished, fault) for text, finished, fault in (given[i] for i in range(len(prompts)))]
