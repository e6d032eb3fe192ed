"""Refine as in the paper (section 3.3): the candidate as the one in-context demonstration of a frozen model.

``OneShotContext`` counts right answers. ``OneShotLikelihood`` is another method: it looks at how likely the reference
solutions become, which costs one pass over them and no generation.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from sei.models.target import TargetModel
from sei.parts import part
from sei.ports import Grader
from sei.progress import progress
from sei.prompts import asked
from sei.records import Checkpoint, ErrorMap, PoolProblem, RefinedSet, SyntheticExample
from sei.stages.attempt import Engine, Limited
from sei.stages.racing import Race, run
from sei.stages.refine import AtLeast, Keep, by_type, decide, kept_of_type, untested, validation_sets
from sei.store.journal import Journal, journal

Questions = tuple[list[PoolProblem], list[PoolProblem]]
Answered = tuple[str, bool, str]  # text, whether it was finished, why there is none


@part
class OneShotContext:
    """The model answers validation questions with the candidate shown before each of them.

    Questions are ``bad`` validation cases of the candidate's error type (types with fewer than
    ``min_validation``: of the pooled ones) and ``good`` ones, which the model solved without help. Score =
    mean of the exact-match rates on both (0 to 1); where there are no good ones, the rate on the bad ones. A cut answer
    is judged like a cut attempt; what the server or the grader fails on is left out of the score.

    ``race``: a candidate that can no longer be kept is asked nothing more (``sei.stages.racing``), and its score is the
    most it could have reached; the kept set is the same. It saves answers, not time where batches shrink (a CPU), so
    it is for models that are paid by the answer. ``step``: questions of a candidate asked at a time.
    ``reuse_prefix``: a candidate is read once for all its questions, in batches of ``rows`` prompts
    (``sei.lit.shared_prefix``); a served model does so by itself, and the engine is asked.
    """

    identity: ClassVar[str] = "refiner/one_shot_context"
    version: ClassVar[int] = 5
    target: TargetModel
    engine: Engine
    grader: Grader
    keep: Keep = 0.2
    at_least: AtLeast = None
    bad: Annotated[int, Field(ge=1)] = 10
    good: Annotated[int, Field(ge=0)] = 10
    min_validation: Annotated[int, Field(ge=1)] = 5
    race: bool = False
    step: Annotated[int, Field(ge=1)] = 5
    reuse_prefix: bool = True
    rows: Annotated[int, Field(ge=1)] = 96

    def __call__(
        self,
        checkpoint: Checkpoint,
        error_map: ErrorMap,
        candidates: tuple[SyntheticExample, ...],
        good: tuple[PoolProblem, ...],
        *,
        seed: int,
        folder: Path | None = None,
    ) -> RefinedSet:
        """Score every candidate by what the frozen model solves with it in view."""
        of_type, share = validation_questions(error_map, good, self.min_validation, (self.bad, self.good), seed)
        if not of_type[""][0]:
            return untested(candidates)
        races = [
            Race(
                candidates=members,
                weights=_weights(of_type[name if name in of_type else ""]),
                keep=kept_of_type(len(members), self.keep) if self.race else len(members),
            )
            for name, members in by_type(candidates).items()
        ]
        questions = [(c, [p for g in of_type.get(c.error_type, of_type[""]) for p in g]) for c in candidates]
        total = sum(len(q) for _, q in questions)
        asks = itertools.count()
        with (
            self.engine.open(self.target, checkpoint) as opened,
            progress("refinement", total) as advance,
            journal(folder) as kept,
        ):

            def ask(pairs: list[tuple[int, int]]) -> list[bool | None]:
                """Judge the answers; what is asked rests on earlier judgements alone, so a number names it."""
                shown = [(questions[i][0], questions[i][1][q]) for i, q in pairs]
                answers = self._answers(opened, shown, kept, f"ask/{next(asks)}")
                advance(len(pairs))
                return [self._right(problem, a) for (_, problem), a in zip(shown, answers, strict=True)]

            advance(total - run(races, ask, step=self.step, rows=2 * self.rows))
        scores = [0.0] * len(candidates)
        for r in races:
            for i, score in zip(r.candidates, r.scores(), strict=True):
                scores[i] = score
        return RefinedSet(scored=decide(candidates, scores, self.keep, self.at_least), pooled_share=share)

    def _right(self, problem: PoolProblem, answer: Answered) -> bool | None:
        """Say whether an answer is right; None where the server or the grader is at fault, which says nothing of it."""
        text, finished, fault = answer
        if fault:
            return None
        outcome = self.grader.grade(problem, text, finished=finished)
        return None if outcome.fault else outcome.verdict == "right"

    def _answers(
        self, opened: Any, pairs: Sequence[tuple[SyntheticExample, PoolProblem]], kept: Journal, name: str
    ) -> list[Answered]:
        """Return the model's answer to every question after its candidate; those that are kept are not asked again."""
        prompts = [opened.prompts([asked(p.question, p.options)], (c.question, c.solution))[0] for c, p in pairs]
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

    def _from_engine(self, opened: Any, prompts: Sequence[str], kept: Journal, name: str) -> list[Answered]:
        """Ask the engine; an answer that could not be had is not kept, the next run asks again."""
        given = {i: kept.get(f"{name}/{i}") for i in range(len(prompts)) if f"{name}/{i}" in kept}
        for at, text, finished, fault in self.engine.answer(opened, prompts, frozenset(given), "answers"):
            given[at] = (text, finished, fault)
            if not fault:
                kept.put(f"{name}/{at}", (text, finished, fault))
        return [(text, finished, fault) for text, finished, fault in (given[i] for i in range(len(prompts)))]


@part
class OneShotLikelihood:
    """How much likelier the reference solutions become with the candidate shown before their questions.

    Not the paper's test, but a cheaper relative: nothing is generated. Questions are those of ``OneShotContext``.
    Score = mean over both groups of the mean log-probability per solution token (nats) with the candidate in view, less
    the same without it: above 0 the candidate helps.
    """

    identity: ClassVar[str] = "refiner/one_shot_likelihood"
    version: ClassVar[int] = 2
    target: TargetModel
    keep: Keep = 0.2
    at_least: AtLeast = None
    bad: Annotated[int, Field(ge=1)] = 10
    good: Annotated[int, Field(ge=0)] = 10
    min_validation: Annotated[int, Field(ge=1)] = 5
    rows: Annotated[int, Field(ge=1)] = 64

    def __call__(
        self,
        checkpoint: Checkpoint,
        error_map: ErrorMap,
        candidates: tuple[SyntheticExample, ...],
        good: tuple[PoolProblem, ...],
        *,
        seed: int,
        folder: Path | None = None,
    ) -> RefinedSet:
        """Score every candidate by the log-probability it lends to the reference solutions."""
        from sei.lit.shared_prefix import SharedPrefix

        of_type, share = validation_questions(error_map, good, self.min_validation, (self.bad, self.good), seed)
        if not of_type[""][0]:
            return untested(candidates)
        names = [c.error_type if c.error_type in of_type else "" for c in candidates]
        with (
            self.target.open(checkpoint) as opened,
            progress("refinement", len(candidates)) as advance,
            journal(folder) as kept,
        ):
            shared = SharedPrefix(opened, rows=self.rows)

            def groups(shown: Sequence[tuple[str, tuple[str, str] | None]]) -> list[float]:
                asks = [[p for g in of_type[name] for p in g] for name, _ in shown]
                texts = [
                    opened.prompts([asked(p.question, p.options) for p in problems], demonstration)
                    for problems, (_, demonstration) in zip(asks, shown, strict=True)
                ]
                values = shared.log_likelihoods(
                    [[(t, p.solution) for t, p in zip(ts, ps, strict=True)] for ts, ps in zip(texts, asks, strict=True)]
                )
                return [
                    sum(w * v for w, v in zip(_weights(of_type[name]), row, strict=True))
                    for (name, _), row in zip(shown, values, strict=True)
                ]

            alone = kept.once("alone", lambda: groups([(name, None) for name in of_type]))
            bare = dict(zip(of_type, alone, strict=True))
            scores = []
            for start in range(0, len(candidates), 16):
                block = range(start, min(start + 16, len(candidates)))
                shown = [(names[i], (candidates[i].question, candidates[i].solution)) for i in block]
                values = kept.once(f"block/{start}", partial(groups, shown))
                scores += [v - bare[name] for (name, _), v in zip(shown, values, strict=True)]
                advance(len(block))
        return RefinedSet(scored=decide(candidates, scores, self.keep, self.at_least), pooled_share=share)


def validation_questions(
    error_map: ErrorMap, good: Sequence[PoolProblem], least: int, most: tuple[int, int], seed: int
) -> tuple[dict[str, Questions], float]:
    """Return the (bad, good) questions of every error type with enough cases of its own, and of others under "".

    Args:
        error_map: the round's error types.
        good: solved problems that refinement may use.
        least: validation cases below which a type uses the pooled ones.
        most: of both kinds.
        seed: of the draws; the same questions for all candidates of a type.
    """
    validation = validation_sets(error_map, least, most[0], seed)
    solved = random.Random(f"good/{seed}").sample(list(good), min(most[1], len(good)))
    bad = {name: [b.problem for b in cases] for name, cases in validation.cases.items()}
    return {name: (problems, solved) for name, problems in bad.items()}, validation.pooled_share


def _weights(questions: Questions) -> list[float]:
    """Return the weight of every question such that both groups count alike, or the one there is for all."""
    groups = [g for g in questions if g]
    return [1 / (len(groups) * len(g)) for g in groups for _ in g]
