"""The method, one round as one short function. Read this file first.

problems --attempt--> attempts --grade--> bad cases --diagnose--> keyphrases --cluster--> error types
     ^                                                                                      |
     |                                                              synthesize (self-instruct, per type)
  next round <--evaluate-- checkpoint <--finetune-- refined set <--refine (one-shot)-- candidates
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from pydantic import Field

from sei.errors import ConfigError, DataError, TooManyBadRecordsError
from sei.parts import part, parts_in
from sei.ports import AttemptStage, DataSet, FinetuneStage, RefineStage, SecondOpinionStage, SynthesizeStage
from sei.records import (
    Checkpoint,
    Diagnosis,
    ErrorMap,
    ErrorType,
    Graded,
    Keyphrase,
    PoolProblem,
    RefinedSet,
    RefineInput,
    RoundRecord,
    Score,
    refusals,
)
from sei.scorer import Tested
from sei.screening.screen import Decontamination
from sei.stages.cluster import Cluster
from sei.stages.curriculum import Curriculum
from sei.stages.diagnose import Diagnose
from sei.stages.grade import GoldCheck, Grade, bad_cases, scores, solved
from sei.stages.type_names import last_seen
from sei.store import Store, Use


@part
class Method:
    """All stages of the method, built and checked.

    ``warm_up`` teaches the answer format on the data set's warm-up pairs before anything else;
    ``decontaminate`` keeps synthetic questions apart from held-out text; ``max_fail_share`` of
    diagnoses may be refused before a run stops; after ``patience`` rounds without a better dev
    accuracy it ends (0: never).
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
    patience: Annotated[int, Field(ge=0)]
    identity: ClassVar[str] = "method/self_error_instruct"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        """Refuse a refiner that tests on validation cases where there can be none.

        Raises:
            ConfigError: naming the share and the refiner.
        """
        testing = [type(p).__name__ for p in parts_in(self.refine) if isinstance(p, Tested)]
        if self.cluster.exemplar_share == 1 and testing:
            raise ConfigError(
                f"cluster.exemplar_share=1 leaves no validation case for refiner {testing[0]}, which tests candidates "
                "on them. Rule: synthesis and refinement see different bad cases. Remedy: refiner=none (or perplexity, "
                "random), or a smaller share."
            )


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

    ``current`` is used by every stage, ``base`` is where training starts unless told otherwise, ``history``
    is all refined sets, ``solved`` the problems that any checkpoint so far solved and that may be replayed,
    ``types`` the error types so far, by which those of the next round are named.
    """

    current: Checkpoint
    base: Checkpoint
    history: tuple[RefinedSet, ...] = ()
    solved: tuple[PoolProblem, ...] = ()
    types: tuple[ErrorType, ...] = ()


def run_round(
    method: Method, data: DataSet, state: RoundState, number: int, seed: int, store: Store
) -> tuple[RoundRecord, RoundState] | None:
    """Run one round of Self-Error-Instruct; ``None`` where no bad case is left, or none that problems come of."""

    def seed_of(stage: str) -> int:
        return derive_seed(seed, stage, number)

    graded = store.once(method.grade, store.each(method.attempt, state.current, items=data.pool))
    bad, right = bad_cases(graded), solved(graded)
    if not bad:
        return None
    diagnoses = store.each(method.diagnose, items=bad)
    phrases = keyphrases(diagnoses, method.max_fail_share, number)
    error_map = store.once(method.cluster, phrases, seed=seed_of("cluster"), earlier=state.types)
    opinion = store.once(method.second_opinion, diagnoses, error_map, seed=seed_of("second opinion"))
    apart = held_out_texts(data, error_map)
    screen = method.decontaminate.screen({**apart, "earlier": earlier_texts(state.history)})
    synthesis = store.once(
        method.synthesize,
        error_map,
        data.pool,
        screen,
        number,
        seed=seed_of("synthesize"),
        checkpoint=state.current,
        replay=right.replay,
    )
    if not synthesis.candidates:
        return None
    to_refine = RefineInput(
        checkpoint=state.current, error_map=error_map, candidates=synthesis.candidates, good=right.good
    )
    refined = store.once(method.refine, to_refine, seed=seed_of("refine"))
    replayable, history = union(state.solved, right.replay), (*state.history, refined)
    screen = method.decontaminate.screen(apart)
    lesson = store.once(method.curriculum, history, replayable, screen, seed=seed_of("replay"))
    initial = method.curriculum.start(state.base, state.current)
    trained = store.once(method.finetune, initial, lesson.examples, seed=seed_of("finetune"))
    evaluation = evaluate(method, data, trained.checkpoint, store)
    record = RoundRecord(
        round=number,
        graded=graded,
        diagnoses=diagnoses,
        error_map=error_map,
        synthesis=synthesis,
        refined=refined,
        training=lesson.examples,
        withheld=lesson.withheld,
        opinion=opinion,
        trained=trained,
        evaluation=evaluation,
        scores=scores(evaluation),
    )
    types = last_seen(state.types, error_map.types)
    return record, replace(state, current=trained.checkpoint, history=history, solved=replayable, types=types)


def run_rounds(
    method: Method, data: DataSet, rounds: int, seed: int, store: Store, base: Checkpoint
) -> Iterator[Evaluated]:
    """Yield the evaluated base, then every evaluated round until ``stop_reason`` gives one."""
    check_gold(method, data, store)
    start = starting_checkpoint(method, data, store, base)
    graded = evaluate(method, data, start, store)
    seen = [Evaluated(checkpoint=start, graded=graded, scores=scores(graded))]
    yield seen[0]
    state = RoundState(current=start, base=start)
    while len(seen) <= rounds and not on_plateau(seen, method.patience):
        used = len(store.uses)
        made = run_round(method, data, state, len(seen), seed, store)
        if made is None:
            return
        record, state = made
        uses = store.uses[used:]
        record = replace(record, seconds=seconds_by_stage(uses), devices=devices_by_stage(uses))
        seen.append(Evaluated(checkpoint=state.current, graded=record.evaluation, scores=record.scores, record=record))
        yield seen[-1]


def dev_accuracy(e: Evaluated) -> float:
    """Return the accuracy over all dev sets, 0 where there is none."""
    rows = [s for s in e.scores.values() if s.role == "dev"]
    return sum(s.correct for s in rows) / max(1, sum(s.n for s in rows))


def best_on_dev(seen: Sequence[Evaluated]) -> Evaluated:
    """Return the checkpoint with the best accuracy over dev sets; the earlier one where they tie."""
    return max(seen, key=dev_accuracy)


def on_plateau(seen: Sequence[Evaluated], patience: int) -> bool:
    """Say whether the last ``patience`` rounds brought no better dev accuracy than was there before them."""
    best = max(range(len(seen)), key=lambda i: (dev_accuracy(seen[i]), -i))
    return 0 < patience <= len(seen) - 1 - best


def stop_reason(seen: Sequence[Evaluated], rounds: int, patience: int) -> str:
    """Return why a finished run ended: ``rounds``, ``plateau`` or ``converged`` (nothing left to learn from)."""
    if len(seen) > rounds:
        return "rounds"
    return "plateau" if on_plateau(seen, patience) else "converged"


def seconds_by_stage(uses: Sequence[Use]) -> dict[str, float]:
    """Return the seconds that making each stage's results took, summed over its uses."""
    out: dict[str, float] = {}
    for u in uses:
        out[u.stage] = round(out.get(u.stage, 0.0) + u.seconds, 3)
    return out


def devices_by_stage(uses: Sequence[Use]) -> dict[str, str]:
    """Return the device that each stage's results were made on; a stage of entries that do not say is left out."""
    found: dict[str, set[str]] = {}
    for u in uses:
        found.setdefault(u.stage, set()).update(u.device.split(" + ") if u.device else ())
    return {stage: " + ".join(sorted(names)) for stage, names in found.items() if names}


def evaluate(method: Method, data: DataSet, checkpoint: Checkpoint, store: Store) -> tuple[Graded, ...]:
    """Attempt and grade all held-out sets."""
    return store.once(method.grade, store.each(method.attempt, checkpoint, items=data.held_out))


def starting_checkpoint(method: Method, data: DataSet, store: Store, base: Checkpoint) -> Checkpoint:
    """Return the base, or the base after a warm-up in the answer format where the data set brings one.

    The warm-up's seed is fixed: all runs of a comparison then start from the same weights.
    """
    if not data.warm_up:
        return base
    return store.once(method.warm_up, base, data.warm_up, seed=0).checkpoint.merged()


class RefusedDiagnosesError(TooManyBadRecordsError):
    """Too many diagnoses were refused; ``diagnoses`` are all of round ``number``, to be written for inspection."""

    def __init__(self, message: str, diagnoses: tuple[Diagnosis, ...], number: int) -> None:
        super().__init__(message)
        self.diagnoses, self.number = diagnoses, number


def keyphrases(diagnoses: tuple[Diagnosis, ...], max_fail_share: float, number: int) -> tuple[Keyphrase, ...]:
    """Return the keyphrases of all diagnoses of round ``number`` that gave one.

    Raises:
        RefusedDiagnosesError: when more than ``max_fail_share`` of them were refused.
    """
    found = tuple(d.keyphrase for d in diagnoses if d.keyphrase is not None)
    refused = [d.rejection for d in diagnoses if d.rejection is not None]
    if diagnoses and len(refused) / len(diagnoses) > max_fail_share:
        raise RefusedDiagnosesError(
            f"{len(refused)} of {len(diagnoses)} diagnoses were refused, more than max_fail_share={max_fail_share} "
            f"({refusals(refused)}). Remedy: mend what these words name; round_{number}/diagnoses.jsonl in the run "
            "folder holds every one of them. Or raise max_fail_share.",
            diagnoses,
            number,
        )
    return found


def held_out_texts(data: DataSet, error_map: ErrorMap) -> dict[str, list[str]]:
    """Return the questions that nothing trained on may come near: test, dev, validation of this round."""
    return {
        "test": [p.question for p in data.held_out if p.role != "dev"],
        "dev": [p.question for p in data.held_out if p.role == "dev"],
        "validation": [b.problem.question for t in error_map.types for b in t.validation],
    }


def earlier_texts(history: Sequence[RefinedSet]) -> list[str]:
    """Return the synthetic questions of earlier rounds, kept or not: asking for them again teaches nothing."""
    return [s.example.question for r in history for s in r.scored]


def union(before: Sequence[PoolProblem], now: Sequence[PoolProblem]) -> tuple[PoolProblem, ...]:
    """Return all problems, each once, in order of first appearance."""
    return tuple({p.id: p for p in (*before, *now)}.values())


def check_gold(method: Method, data: DataSet, store: Store) -> None:
    """Refuse a data set whose own gold answers the grader does not accept; checked once, then remembered.

    Raises:
        DataError: naming the first such problems.
    """
    failures = store.once(GoldCheck(grader=method.grade.grader), (*data.pool, *data.held_out))
    if failures:
        raise DataError(
            f"the grader refuses {len(failures)} gold answers of the data set: {', '.join(failures[:20])}"
            f"{' ...' if len(failures) > 20 else ''}. Rule: what the grader cannot accept it may not call wrong. "
            "Remedy: drop these rows or use a grader that reads their answers."
        )


def derive_seed(seed: int, stage: str, number: int) -> int:
    """Derive a stage's seed from (seed, stage, round)."""
    return int(hashlib.sha256(f"{seed}/{stage}/{number}".encode()).hexdigest()[:8], 16)
