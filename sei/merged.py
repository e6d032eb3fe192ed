"""Are served adapters answered as their merged weights are? Asked of some held-out problems, at the end of a run.

A served LoRA and the same LoRA merged into its weights differ by rounding, and a greedy answer may turn on that. So a
run can show how often: the same program serves the merged weights of every round once, after all other work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sei.choice import Evaluated
from sei.loop import Method
from sei.opened import Merging
from sei.records import BothAnswers, Graded, HeldOutProblem
from sei.store import Store


def against_merged(method: Method, evaluated: Sequence[Evaluated], store: Store) -> list[Evaluated]:
    """Return the same rounds; records of served adapters have the answers of the merged weights beside their own.

    Only an engine that serves adapters and sets ``compare_merged`` is asked. Its answers are in the store, so a second
    start does not ask again.
    """
    engine = getattr(method.attempt, "engine", None)
    if not isinstance(engine, Merging) or not (engine.compare_merged and engine.serves_adapters):
        return list(evaluated)
    stage: Any = replace(method.attempt, engine=engine.as_merged())  # type: ignore[type-var]  # a part, as it has one
    return [_compared(method, stage, e, store, engine.compare_merged) for e in evaluated]


def _compared(method: Method, stage: Any, e: Evaluated, store: Store, n: int) -> Evaluated:
    if e.record is None or e.checkpoint.kind != "adapter":
        return e
    served = {g.attempt.problem.id: g for g in spread(e.graded, n)}
    problems = [p for g in served.values() if isinstance(p := g.attempt.problem, HeldOutProblem)]
    merged = store.once(method.grade, store.each(stage, e.checkpoint, items=problems))
    rows = [_both(served[g.attempt.problem.id], g) for g in merged if not g.fault and not g.attempt.fault]
    return replace(e, record=replace(e.record, served_vs_merged=tuple(rows)))


def spread(graded: Sequence[Graded], n: int) -> list[Graded]:
    """Return at most ``n`` graded answers, evenly from all sets; those that failed are left out."""
    sound = [g for g in graded if not g.fault and not g.attempt.fault]
    return [sound[i * len(sound) // n] for i in range(n)] if len(sound) > n else sound


def _both(served: Graded, merged: Graded) -> BothAnswers:
    return BothAnswers(
        problem_id=served.attempt.problem.id,
        served=served.attempt.output,
        merged=merged.attempt.output,
        served_verdict=served.verdict,
        merged_verdict=merged.verdict,
    )
