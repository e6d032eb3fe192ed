"""The method, one round as one short function. Read this file first.

problems --attempt--> attempts --grade--> bad cases --diagnose--> keyphrases --cluster--> error types
     ^                                                                                      |
     |                                                              synthesize (self-instruct, per type)
  next round <--evaluate-- checkpoint <--finetune-- refined set <--refine (one-shot)-- candidates
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from sei.data.screen import HeldOutScreen
from sei.errors import DataError, TooManyBadRecordsError
from sei.parts import part
from sei.ports import AttemptStage, DataSet, FinetuneStage, RefineStage, SynthesizeStage
from sei.records import (
    Checkpoint,
    Diagnosis,
    ErrorMap,
    Graded,
    Keyphrase,
    RefinedSet,
    RoundRecord,
    Score,
    TrainingExample,
)
from sei.stages.cluster import Cluster
from sei.stages.diagnose import Diagnose
from sei.stages.grade import Grade, bad_cases, scores, solved
from sei.store import Store


@part
class Method:
    """All stages of the method, built and checked.

    ``warm_up`` teaches the answer format on the data set's warm-up pairs before anything else; ``replay``
    is how many solved problems join the training set; ``screen_rouge_l`` is the screen's threshold
    (1: masked signature alone); ``max_fail_share`` of diagnoses may be refused before a run stops.
    """

    attempt: AttemptStage
    grade: Grade
    diagnose: Diagnose
    cluster: Cluster
    synthesize: SynthesizeStage
    refine: RefineStage
    finetune: FinetuneStage
    warm_up: FinetuneStage
    replay: Annotated[int, Field(ge=0)]
    screen_rouge_l: Annotated[float, Field(gt=0, le=1)]
    max_fail_share: Annotated[float, Field(ge=0, le=1)]
    version: ClassVar[int] = 1


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """A checkpoint with its graded held-out answers and, from round 1 on, the record of the round that made it."""

    checkpoint: Checkpoint
    graded: tuple[Graded, ...]
    scores: dict[str, Score]
    record: RoundRecord | None = None


@dataclass(frozen=True, kw_only=True)
class RoundState:
    """What goes from round to round.

    ``current`` is used by every stage, ``base`` is where training starts, ``history`` is all refined sets.
    """

    current: Checkpoint
    base: Checkpoint
    history: tuple[RefinedSet, ...] = ()


def run_round(method: Method, data: DataSet, state: RoundState, number: int, seed: int, store: Store) -> RoundRecord:
    """Run one round of Self-Error-Instruct from the current checkpoint."""

    def seed_of(stage: str) -> int:
        return derive_seed(seed, stage, number)

    graded = store.once(method.grade, store.each(method.attempt, state.current, items=data.pool))
    right = solved(graded)
    diagnoses = store.each(method.diagnose, items=bad_cases(graded))
    error_map = store.once(method.cluster, keyphrases(diagnoses, method.max_fail_share), seed=seed_of("cluster"))
    screen = build_screen(data, error_map, state.history, method.screen_rouge_l)
    synthesis = store.once(method.synthesize, error_map, data.pool, screen, number, seed=seed_of("synthesize"))
    refined = store.once(
        method.refine, state.current, error_map, synthesis.candidates, right.good, seed=seed_of("refine")
    )
    training = curriculum((*state.history, refined), right.replay, method.replay, seed_of("replay"))
    trained = store.once(method.finetune, state.base, training, seed=seed_of("finetune"))
    evaluation = evaluate(method, data, trained.checkpoint, store)
    return RoundRecord(
        round=number,
        graded=graded,
        diagnoses=diagnoses,
        error_map=error_map,
        synthesis=synthesis,
        refined=refined,
        training=training,
        trained=trained,
        evaluation=evaluation,
        scores=scores(evaluation),
    )


def run_rounds(
    method: Method, data: DataSet, rounds: int, seed: int, store: Store, base: Checkpoint
) -> Iterator[Evaluated]:
    """Yield the evaluated base, then every evaluated round; ends early when no bad case is left to learn from."""
    check_gold(method, data)
    start = starting_checkpoint(method, data, store, base)
    graded = evaluate(method, data, start, store)
    yield Evaluated(checkpoint=start, graded=graded, scores=scores(graded))
    state = RoundState(current=start, base=start)
    for number in range(1, rounds + 1):
        used = len(store.uses)
        record = run_round(method, data, state, number, seed, store)
        record = replace(record, seconds={u.stage: u.seconds for u in store.uses[used:]})
        made = record.trained.checkpoint
        yield Evaluated(checkpoint=made, graded=record.evaluation, scores=record.scores, record=record)
        if not record.synthesis.candidates:
            return
        state = replace(state, current=made, history=(*state.history, record.refined))


def evaluate(method: Method, data: DataSet, checkpoint: Checkpoint, store: Store) -> tuple[Graded, ...]:
    """Attempt and grade all held-out sets."""
    return store.once(method.grade, store.each(method.attempt, checkpoint, items=data.held_out))


def starting_checkpoint(method: Method, data: DataSet, store: Store, base: Checkpoint) -> Checkpoint:
    """Return the base, or the base after a warm-up in the answer format where the data set brings one.

    The warm-up's seed is fixed: all runs of a comparison then start from the same weights.
    """
    if not data.warm_up:
        return base
    return store.once(method.warm_up, base, data.warm_up, seed=0).checkpoint


def keyphrases(diagnoses: tuple[Diagnosis, ...], max_fail_share: float) -> tuple[Keyphrase, ...]:
    """Return the keyphrases of all diagnoses that gave one.

    Raises:
        TooManyBadRecordsError: when more than ``max_fail_share`` of them were refused.
    """
    found = tuple(d.keyphrase for d in diagnoses if d.keyphrase is not None)
    refused = len(diagnoses) - len(found)
    if diagnoses and refused / len(diagnoses) > max_fail_share:
        reasons = sorted({d.rejection.reason for d in diagnoses if d.rejection is not None})
        raise TooManyBadRecordsError(
            f"{refused} of {len(diagnoses)} diagnoses were refused ({', '.join(reasons)}), more than "
            f"max_fail_share={max_fail_share}. Remedy: look at diagnoses.jsonl, or raise max_fail_share."
        )
    return found


def build_screen(data: DataSet, error_map: ErrorMap, history: tuple[RefinedSet, ...], rouge_l: float) -> HeldOutScreen:
    """Build the screen that keeps synthetic questions apart from test, dev, validation and earlier ones."""
    validation = [b.problem.question for t in error_map.types for b in t.validation]
    earlier = [s.example.question for r in history for s in r.scored]
    test = [p.question for p in data.held_out if p.role != "dev"]
    dev = [p.question for p in data.held_out if p.role == "dev"]
    return HeldOutScreen({"test": test, "dev": dev, "validation": validation, "earlier": earlier}, rouge_l)


def curriculum(
    history: tuple[RefinedSet, ...], replayable: tuple[Any, ...], replay: int, seed: int
) -> tuple[TrainingExample, ...]:
    """Return what training sees: all refined sets so far and a sample of solved problems."""
    rng = random.Random(f"replay/{seed}")
    chosen = rng.sample(list(replayable), min(replay, len(replayable)))
    new = [s for r in history for s in r.kept]
    return (
        *(TrainingExample(id=x.id, question=x.question, solution=x.solution, source="synthetic") for x in new),
        *(TrainingExample(id=p.id, question=p.question, solution=p.solution, source="replay") for p in chosen),
    )


def check_gold(method: Method, data: DataSet) -> None:
    """Refuse a data set whose own gold answers the grader does not accept.

    Raises:
        DataError: naming the first such problems.
    """
    check: Callable[..., list[str]] = method.grade.grader.check_gold
    failures = check((*data.pool, *data.held_out))
    if failures:
        raise DataError(
            f"the grader refuses {len(failures)} gold answers of the data set, first: {failures[:5]}. "
            "Remedy: drop these rows or use a grader that reads their answers."
        )


def derive_seed(seed: int, stage: str, number: int) -> int:
    """Derive a stage's seed from (seed, stage, round)."""
    return int(hashlib.sha256(f"{seed}/{stage}/{number}".encode()).hexdigest()[:8], 16)
