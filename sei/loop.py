"""The method, one round as one short function. Read this file first.

problems --attempt--> attempts --grade--> bad cases --diagnose--> keyphrases --cluster--> error types
     ^                                                                                      |
     |                                                              synthesize (self-instruct, per type)
  next round <--evaluate-- checkpoint <--finetune-- refined set <--refine (one-shot)-- candidates
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sei.choice import Ending, Evaluated, on_plateau
from sei.errors import ConfigError
from sei.exchange import DataSet
from sei.parts import IMMATERIAL, part, parts_in
from sei.ports import AttemptStage, FinetuneStage, RefineStage, SecondOpinionStage, Skipping, SynthesizeStage
from sei.records import (
    Checkpoint,
    Diagnosis,
    ErrorMap,
    ErrorType,
    Graded,
    HeldOutProblem,
    Opinion,
    PoolProblem,
    RefinedSet,
    RefineInput,
    RoundRecord,
    Solved,
    Synthesis,
    Trained,
)
from sei.scorer import Tested
from sei.screening.held_out import earlier_texts, held_out_texts, questions
from sei.screening.screen import Decontamination
from sei.stages.cluster import Cluster
from sei.stages.curriculum import Curriculum, Lesson
from sei.stages.diagnose import Diagnose, keyphrases
from sei.stages.grade import GoldCheck, Grade, bad_cases, on_dev, require_readable, scores, solved, with_sound_gold
from sei.stages.sampled import draws
from sei.stages.type_names import last_seen
from sei.store import Store
from sei.store.uses import devices_by_stage, seconds_by_stage


@part
class Method:
    """All stages of the method, built and checked.

    ``warm_up`` teaches the answer format on the data set's warm-up pairs before the first round. ``decontaminate``
    keeps synthetic questions apart from held-out text. A run stops if more than ``max_unreadable`` of the base's
    answers on dev or pool are unreadable, or if more than ``max_fail_share`` of the diagnoses are refused.
    ``wrong_in``: the share of a problem's answers that must be wrong for a bad case. ``patience``: a run ends after
    this many rounds without a better dev accuracy (0: never). ``evaluate``: the held-out sets that checkpoints answer,
    ``all`` or those with the role ``dev`` alone.
    """

    attempt: AttemptStage
    grade: Grade
    diagnose: Diagnose
    cluster: Cluster
    second_opinion: SecondOpinionStage
    synthesize: SynthesizeStage
    refine: RefineStage
    curriculum: Curriculum
    finetune: FinetuneStage
    warm_up: FinetuneStage
    decontaminate: Decontamination
    max_fail_share: Annotated[float, Field(ge=0, le=1)]
    max_unreadable: Annotated[float, Field(ge=0, le=1)] = 0.5
    # these two only select inputs, which are in keys
    wrong_in: Annotated[float, Field(gt=0, le=1), IMMATERIAL] = 0.5
    evaluate: Annotated[Literal["all", "dev"], IMMATERIAL] = "all"
    patience: Annotated[int, Field(ge=0)]
    identity: ClassVar[str] = "method/self_error_instruct"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        """Refuse a refiner that needs validation cases if there can be none.

        Raises:
            ConfigError: naming the share and the refiner.
        """
        testing = [type(p).__name__ for p in parts_in(self.refine) if isinstance(p, Tested)]
        if self.cluster.exemplar_share == 1 and testing:
            raise ConfigError(
                f"cluster.exemplar_share=1 leaves no validation cases, and refiner {testing[0]} tests candidates on "
                "them. Rule: synthesis and refinement see different bad cases. Remedy: refiner=none (or perplexity, "
                "random), or a smaller share."
            )


@dataclass(frozen=True, kw_only=True)
class RoundState:
    """The state passed from one round to the next.

    ``current``: the checkpoint that every stage uses. ``base``: the start of training unless configured otherwise.
    ``history``: all refined sets. ``solved``: replayable problems that any checkpoint so far solved. ``types``: the
    error types so far, which give names to those of the next round.
    """

    current: Checkpoint
    base: Checkpoint
    history: tuple[RefinedSet, ...] = ()
    solved: tuple[PoolProblem, ...] = ()
    types: tuple[ErrorType, ...] = ()


@dataclass
class SoFar:
    """What a round has found so far, kept for inspection if an error ends it."""

    graded: tuple[Graded, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    synthesis: Synthesis = field(default_factory=lambda: Synthesis(candidates=(), rejections=()))


@dataclass(frozen=True, kw_only=True)
class Round:
    """The inputs of every step of one round; ``so_far`` collects what the round finds."""

    number: int
    method: Method
    data: DataSet
    state: RoundState
    store: Store
    seed: int
    so_far: SoFar = field(default_factory=SoFar)

    def seed_of(self, stage: str) -> int:
        """Return the seed of a stage that draws."""
        return derive_seed(self.seed, stage, self.number)


@dataclass(frozen=True, kw_only=True)
class Errors:
    """What a round found: graded attempts, solved problems, diagnoses, error types, and a second opinion on them."""

    graded: tuple[Graded, ...]
    right: Solved
    diagnoses: tuple[Diagnosis, ...]
    error_map: ErrorMap
    opinion: Opinion


def run_round(r: Round) -> tuple[RoundRecord, RoundState] | Ending:
    """Run one round of Self-Error-Instruct; if nothing is left to learn from, return the reason."""
    errors = find_errors(r)  # sections 3.1 and 3.2
    if isinstance(errors, str):
        return errors
    synthesis = write(r, errors)  # section 3.2
    if not synthesis.candidates:
        return "no_candidate"
    refined = keep(r, errors, synthesis)  # section 3.3
    history, replayable = (*r.state.history, refined), union(r.state.solved, errors.right.replay)
    lesson, trained = train(r, errors, history, replayable)  # section 3.4
    evaluation = evaluate(r.method, r.data, trained.checkpoint, r.store, r.seed)
    record = RoundRecord(
        round=r.number,
        graded=errors.graded,
        diagnoses=errors.diagnoses,
        error_map=errors.error_map,
        opinion=errors.opinion,
        synthesis=synthesis,
        refined=refined,
        training=lesson.examples,
        withheld=lesson.withheld,
        trained=trained,
        evaluation=evaluation,
        scores=scores(evaluation),
    )
    types = last_seen(r.state.types, errors.error_map.types)
    return record, replace(r.state, current=trained.checkpoint, history=history, solved=replayable, types=types)


def find_errors(r: Round) -> Errors | Ending:
    """Attempt the pool, diagnose its bad cases and group them into types; if there are none, return the reason.

    Raises:
        UnreadableAnswersError: if the base's answers cannot be read.
    """
    graded = try_pool(r)
    if r.number == 1:
        require_readable(graded, r.method.max_unreadable, "pool")
    return name_errors(r, graded)


def try_pool(r: Round) -> tuple[Graded, ...]:
    """Attempt and grade the pool."""
    r.so_far.graded = graded = attempted(r.method, r.data.pool, r.state.current, r.store, r.seed)
    return graded


def name_errors(r: Round, graded: tuple[Graded, ...]) -> Errors | Ending:
    """Diagnose the bad cases among graded attempts and group them into types; if there are none, return the reason."""
    method, store = r.method, r.store
    bad = bad_cases(graded, method.wrong_in)
    if not bad:
        return "unreadable" if any(g.verdict == "unreadable" for g in graded) else "converged"
    diagnoses = r.so_far.diagnoses = store.each(method.diagnose, items=bad)
    phrases = keyphrases(diagnoses, method.max_fail_share, r.number)
    error_map = store.once(method.cluster, phrases, seed=r.seed_of("cluster"), earlier=r.state.types)
    opinion = store.once(method.second_opinion, diagnoses, error_map, seed=r.seed_of("second opinion"))
    return Errors(
        graded=graded, right=solved(graded, method.wrong_in), diagnoses=diagnoses, error_map=error_map, opinion=opinion
    )


def write(r: Round, errors: Errors) -> Synthesis:
    """Synthesize new problems for every error type, apart from held-out text."""
    apart = held_out_texts(r.data, errors.error_map)
    r.so_far.synthesis = synthesis = r.store.once(
        r.method.synthesize,
        errors.error_map,
        r.data.pool,
        r.method.decontaminate.screen({**apart, "earlier": earlier_texts(r.state.history)}, questions(r.data.pool)),
        r.number,
        seed=r.seed_of("synthesize"),
        checkpoint=r.state.current,
        replay=errors.right.replay,
    )
    return synthesis


def keep(r: Round, errors: Errors, synthesis: Synthesis) -> RefinedSet:
    """Keep the candidates that help in one-shot learning."""
    given = RefineInput(
        checkpoint=r.state.current,
        error_map=errors.error_map,
        candidates=synthesis.candidates,
        good=errors.right.good,
    )
    return r.store.once(r.method.refine, given, seed=r.seed_of("refine"))


def train(
    r: Round, errors: Errors, history: tuple[RefinedSet, ...], replayable: tuple[PoolProblem, ...]
) -> tuple[Lesson, Trained]:
    """Choose the training examples and the starting weights, and fine-tune."""
    screen = r.method.decontaminate.screen(held_out_texts(r.data, errors.error_map), questions(r.data.pool))
    lesson = r.store.once(r.method.curriculum, history, replayable, screen, seed=r.seed_of("replay"))
    initial = r.method.curriculum.start(r.state.base, r.state.current)
    return lesson, r.store.once(r.method.finetune, initial, lesson.examples, seed=r.seed_of("finetune"))


def attempted(
    method: Method, problems: Sequence[PoolProblem | HeldOutProblem], checkpoint: Checkpoint, store: Store, seed: int
) -> tuple[Graded, ...]:
    """Attempt problems, several times if the engine samples, and grade the answers."""
    return store.once(method.grade, store.each(method.attempt, checkpoint, items=draws(method.attempt, problems, seed)))


def evaluate(method: Method, data: DataSet, checkpoint: Checkpoint, store: Store, seed: int) -> tuple[Graded, ...]:
    """Attempt and grade the held-out sets that the method evaluates on."""
    return attempted(method, data.evaluated(method.evaluate), checkpoint, store, seed)


class Rounds:
    """The rounds of a run, made on demand by iteration.

    ``ending`` is the reason if a round ended the run; ``so_far`` is what the last round found.
    """

    def __init__(self, method: Method, data: DataSet, rounds: int, seed: int, store: Store, base: Checkpoint) -> None:
        self.method, self.data, self.rounds, self.seed, self.store, self.base = method, data, rounds, seed, store, base
        self.ending: Ending | None = None
        self.so_far = SoFar()

    def __iter__(self) -> Iterator[Evaluated]:
        """Yield the evaluated base, then every evaluated round, until ``sei.choice.stop_reason`` applies."""
        method, store = self.method, self.store
        refused = store.once(GoldCheck(grader=method.grade.grader), (*self.data.pool, *self.data.held_out))
        grader = method.grade.grader
        data = with_sound_gold(self.data, refused, skip=isinstance(grader, Skipping) and grader.skip_bad_gold)
        start = starting_checkpoint(method, data, store, self.base)
        graded = evaluate(method, data, start, store, self.seed)
        took, where = seconds_by_stage(store.uses), devices_by_stage(store.uses)
        seen = [Evaluated(checkpoint=start, graded=graded, scores=scores(graded), seconds=took, devices=where)]
        yield seen[0]
        if not self.rounds:  # an evaluation of the base only, readable or not
            return
        require_readable(on_dev(graded), method.max_unreadable, "dev set")
        state = RoundState(current=start, base=start)
        while len(seen) <= self.rounds and not on_plateau(seen, method.patience):
            used, number = len(store.uses), len(seen)
            r = Round(number=number, method=method, data=data, state=state, store=store, seed=self.seed)
            self.so_far = r.so_far
            made = run_round(r)
            if isinstance(made, str):
                self.ending = made
                return
            record, state = made
            uses = store.uses[used:]
            record = replace(record, seconds=seconds_by_stage(uses), devices=devices_by_stage(uses))
            new = Evaluated(checkpoint=state.current, graded=record.evaluation, scores=record.scores, record=record)
            seen.append(new)
            yield new


def starting_checkpoint(method: Method, data: DataSet, store: Store, base: Checkpoint) -> Checkpoint:
    """Return the base, or the base after a warm-up in the answer format if the data set has warm-up pairs.

    The warm-up's seed is fixed, so all runs of a comparison start from the same weights.
    """
    if not data.warm_up:
        return base
    return store.once(method.warm_up, base, data.warm_up, seed=0).checkpoint.merged()


def derive_seed(seed: int, stage: str, number: int) -> int:
    """Derive a stage's seed from (seed, stage, round)."""
    return int(hashlib.sha256(f"{seed}/{stage}/{number}".encode()).hexdigest()[:8], 16)


def union(before: Sequence[PoolProblem], now: Sequence[PoolProblem]) -> tuple[PoolProblem, ...]:
    """Return all problems, each once, in order of first appearance."""
    return tuple({p.id: p for p in (*before, *now)}.values())
