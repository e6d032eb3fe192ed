"""The cost of in-context scoring.

``python -m experiments.measurements.in_context_cost --store FOLDER [sei overrides...]``.

Makes the candidates of a first round (or takes them from the store). Then scores them one way after another in the same
process: with the naive loop (each prompt separately, Hugging Face ``generate`` in batches of 16), with prefixes read
once, with racing in addition, and by likelihood. Prints seconds, tokens through the model (padding included), their
ratio to the naive loop's, the agreement of the kept sets with the naive loop's (Jaccard), and Spearman's correlation of
scores if all are exact. If arithmetic limits the processor, the ratio of tokens is the largest possible saving.

The paper's size is ``refiner.keep=0.05 refiner.bad=10 refiner.good=10``. On the embedded model it takes a minute; for
SmolLM2: ``experiment=smollm2_words data.pool=150 budget.candidates=100``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from scipy.stats import spearmanr

from experiments.measurements.refiners import parts
from sei.loop import Rounds, derive_seed
from sei.records import RefinedSet
from sei.stages.grade import solved
from sei.store import Store

WAYS: dict[str, tuple[str, ...]] = {
    "naive, batch 16": ("refiner.reuse_prefix=false", "engine.batch_size=16"),
    "prefix read once": (),
    "prefix read once, racing": ("refiner.race=true",),
    "likelihood": ("refiner=one_shot_likelihood",),
}


@contextmanager
def counted() -> Iterator[list[int]]:
    """Count the tokens read by every model call inside this block."""
    seen: list[int] = []

    def look(module: torch.nn.Module, args: tuple[Any, ...]) -> None:
        if isinstance(module, torch.nn.Embedding):
            seen.append(args[0].numel())

    hook = torch.nn.modules.module.register_module_forward_pre_hook(look)
    try:
        yield seen
    finally:
        hook.remove()


def jaccard(one: RefinedSet, other: RefinedSet) -> float:
    """Return the share of candidates kept by either that both keep."""
    a, b = ({e.id for e in r.kept} for r in (one, other))
    return len(a & b) / max(1, len(a | b))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("overrides", nargs="*")
    args = parser.parse_args()
    common = (*(o for o in args.overrides if not o.startswith("refiner")), "rounds=1", "refiner=none")
    made = parts(*common)
    data, store = made["data"].load(), Store(root=args.store)
    quick = replace(data, held_out=data.held_out[:1])  # nothing is evaluated here
    base, last = list(Rounds(made["method"], quick, 1, 0, store, made["model"].base()))
    record: Any = last.record
    good, seed = solved(record.graded).good, derive_seed(0, "refine", 1)
    rows: dict[str, tuple[float, int, RefinedSet]] = {}
    for name, how in WAYS.items():
        chosen = [o for o in args.overrides if not o.startswith("refiner")] + ["refiner=one_shot_context"]
        chosen += [o for o in args.overrides if o.startswith("refiner.")]
        refine = parts(*chosen, *how)["method"].refine
        start = time.perf_counter()
        with counted() as tokens:
            refined = refine(base.checkpoint, record.error_map, record.synthesis.candidates, good, seed=seed)
        rows[name] = (time.perf_counter() - start, sum(tokens), refined)
        print(f"{name}: {rows[name][0]:.1f} s", flush=True)
    show(rows)


def show(rows: dict[str, tuple[float, int, RefinedSet]]) -> None:
    """Print seconds, tokens, ratios, agreement of the kept sets and correlation of scores."""
    slow, many, reference = rows["naive, batch 16"]
    n = len(reference.scored)
    print(f"{n} candidates, {len(reference.kept)} kept")
    print("| way | s a candidate | naive / this | tokens a candidate | naive / this | Jaccard of kept | Spearman |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, (seconds, tokens, refined) in rows.items():
        scores = [[x.score for x in r.scored] for r in (reference, refined)]
        rho = "-" if "racing" in name else f"{spearmanr(*scores).statistic:.2f}"  # a raced score may be a bound
        cost = f"{seconds / n:.2f} | {slow / seconds:.1f} | {tokens / n:,.0f} | {many / tokens:.1f}"
        print(f"| {name} | {cost} | {jaccard(reference, refined):.2f} | {rho} |")


if __name__ == "__main__":
    main()
