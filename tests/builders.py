"""Makes records for tests, each with as little said as the test needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sei.records import Checkpoint, ErrorMap, PoolProblem, RefinedSet, RefineInput, SyntheticExample
from sei.stages.refine import Refine


def refine(
    refiner: Any,
    checkpoint: Checkpoint,
    error_map: ErrorMap,
    candidates: tuple[SyntheticExample, ...],
    good: tuple[PoolProblem, ...] = (),
    *,
    seed: int,
    folder: Path | None = None,
    **rules: Any,
) -> RefinedSet:
    """Refine with a stage, or with a scorer and the ``rules`` of its stage (``keep``, ``at_least``)."""
    stage = refiner if callable(refiner) else Refine(scorer=refiner, **rules)
    given = RefineInput(checkpoint=checkpoint, error_map=error_map, candidates=candidates, good=good)
    return stage(given, seed=seed, folder=folder)
