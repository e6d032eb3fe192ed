"""What ``refiner.exact`` saves and changes: ``python -m experiments.measurements.preranked_steps [OVERRIDE ...]``.

Candidates of round 1 of the composed run are scored by the one-step test, by the gradient's cosine alone, and by the
one-step test of the best by cosine (``--exact``). Printed are processor seconds, in turn in one process and without the
loading of the model, the rank correlation within error types, and the share of the kept half that stays.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.measurements.refiners import parts
from sei.loop import Rounds
from sei.records import RefineInput, SyntheticExample
from sei.scorer import by_type
from sei.stages.grade import solved
from sei.stages.refine import decide
from sei.store import Store


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Return Spearman's correlation of two sequences without ties."""
    ranks = [np.argsort(np.argsort(x)) for x in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


def within_types(found: Sequence[float], whole: Sequence[float], candidates: Sequence[SyntheticExample]) -> float:
    """Return the mean rank correlation over types with five candidates or more, weighted by size."""
    groups = [g for g in by_type(candidates).values() if len(g) > 4]
    each = [rank_correlation([found[i] for i in g], [whole[i] for i in g]) for g in groups]
    return float(np.average(each, weights=[len(g) for g in groups]))


def kept(scores: Sequence[float], candidates: tuple[SyntheticExample, ...]) -> set[str]:
    """Return the ids of the better half of every type."""
    return {s.example.id for s in decide(candidates, scores, 0.5, None) if s.kept}


def scored(refine: Any, given: RefineInput) -> tuple[list[float], float]:
    """Return the scores and the processor seconds."""
    start = time.process_time()
    found = refine(given, seed=0)
    return [s.score for s in found.scored], time.process_time() - start


def main() -> None:
    """Print one line per share."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--exact", type=float, nargs="+", default=[0.1, 0.25, 0.5])
    parser.add_argument("--turns", type=int, default=5)
    args = parser.parse_args()
    common = tuple(args.overrides)
    made = parts(*common, "refiner=none")
    with tempfile.TemporaryDirectory() as folder:
        rounds = Rounds(made["method"], made["data"].load(), 1, 0, Store(root=Path(folder)), made["model"].base())
        record = next(r.record for r in rounds if r.record is not None)
    candidates = record.synthesis.candidates
    given = RefineInput(
        checkpoint=made["model"].base(),
        error_map=record.error_map,
        candidates=candidates,
        good=solved(record.graded).good,
    )
    ways = {
        "step": ("refiner=one_shot_step",),
        "cosine alone": ("refiner=gradient", "refiner.weights=all"),
        **{f"exact {x}": ("refiner=one_shot_step", f"refiner.exact={x}") for x in args.exact},
    }
    stages = {name: parts(*common, *more)["method"].refine for name, more in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    scores: dict[str, list[float]] = {}
    for _ in range(args.turns):
        for name, stage in stages.items():
            scores[name], spent = scored(stage, given)
            seconds[name].append(spent)
    whole = scores["step"]
    print(f"{len(candidates)} candidates, {len(by_type(candidates))} types, {args.turns} turns")
    for name in ways:
        faster = statistics.median(a / b for a, b in zip(seconds["step"], seconds[name], strict=True))
        same = len(kept(scores[name], candidates) & kept(whole, candidates)) / len(kept(whole, candidates))
        print(
            f"{name:<13} {1000 * statistics.median(seconds[name]) / len(candidates):6.1f} ms a candidate, "
            f"{faster:.2f} times as fast; Spearman {within_types(scores[name], whole, candidates):.3f}; "
            f"of the kept half {same:.3f} the same",
            flush=True,
        )


if __name__ == "__main__":
    main()
