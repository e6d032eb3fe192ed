"""How well refiners rank flawed candidates below correct ones.

``python -m experiments.measurements.refiners --store FOLDER``.

The symbolic instructor puts five kinds of flaws into a known share of its problems (``--rates``). For every seed, a run
without refinement is made (or taken from the store), and every refiner scores the candidates of its first and second
round with the checkpoint at the start of the round: the base, and the model after one round. AUC is the share of pairs
(correct, flawed) *of one error type* in which the correct one has the higher score; ties count one half. Refiners
decide within a type, so pairs across types are irrelevant. Mean over seeds with a 95 % t-interval, and ms per
candidate.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from sei.__main__ import CONF, check
from sei.build import build
from sei.loop import Rounds, derive_seed
from sei.records import Checkpoint, RoundRecord
from sei.stages.grade import solved
from sei.statistics import t_interval
from sei.store import Store

SEEDS = (301, 302, 303, 304, 305)
REFINERS: dict[str, tuple[str, ...]] = {
    "one training step (seed)": ("refiner=one_shot_step",),
    "one training step, lr 0.3": ("refiner=one_shot_step", "refiner.step_size=0.3"),
    "gradient cosine, all weights": ("refiner=gradient", "refiner.weights=all"),
    "gradient cosine, LoRA": ("refiner=gradient",),
    "in context (paper)": ("refiner=one_shot_context",),
    "in-context likelihood": ("refiner=one_shot_likelihood",),
    "perplexity (control)": ("refiner=perplexity",),
    "difficulty window": ("refiner=difficulty",),
    "diversity": ("refiner=diversity",),
    "random (control)": ("refiner=random",),
}


def parts(*overrides: str) -> dict[str, Any]:
    """Return data, target model and method of a composed config, as ``sei`` builds them."""
    OmegaConf.register_new_resolver("sei_hex", lambda: "000000", replace=True)
    OmegaConf.register_new_resolver("sei_name", str, replace=True)
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        cfg = compose("config", overrides=list(overrides), return_hydra_config=True)
    choices = dict(cfg.hydra.runtime.choices)
    OmegaConf.set_struct(cfg, False)
    del cfg["hydra"]
    plain = check(cfg, choices)
    return {k: build(plain[k], k, ()) for k in ("data", "model", "method")}


def auc(scores: Sequence[float], flawed: Sequence[bool], types: Sequence[str]) -> tuple[float, int]:
    """Return the sum over all pairs (correct, flawed) of one type (1, or 0.5 at a tie) and their number."""
    groups: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for score, bad, name in zip(scores, flawed, types, strict=True):
        groups[name][bad].append(score)
    value, pairs = 0.0, 0
    for sound, bad in groups.values():
        apart = np.subtract.outer(sound, bad) if sound and bad else np.zeros((0, 0))
        value += float((apart > 0).sum() + 0.5 * (apart == 0).sum())
        pairs += apart.size
    return value, pairs


def measure(seed: int, rate: float, budget: int, store: Path) -> Iterable[dict[str, Any]]:
    """Yield one row per round and refiner: AUC over all flaws and per kind, seconds, candidates."""
    common = (f"seed={seed}", f"instructor.flaw_rate={rate}", f"budget.candidates={budget}", "rounds=2", "patience=0")
    made = parts(*common, "refiner=none")
    seen = list(Rounds(made["method"], made["data"].load(), 2, seed, Store(root=store), made["model"].base()))
    for before, after in itertools.pairwise(seen):
        if after.record is not None:
            for name, overrides in REFINERS.items():
                refine = parts(*common, *overrides)["method"].refine
                yield {
                    "seed": seed,
                    "rate": rate,
                    "refiner": name,
                    **_row(refine, after.record, before.checkpoint, seed),
                }


def _row(refine: Any, record: RoundRecord, checkpoint: Checkpoint, seed: int) -> dict[str, Any]:
    candidates = record.synthesis.candidates
    start = time.perf_counter()
    refined = refine(
        checkpoint,
        record.error_map,
        candidates,
        solved(record.graded).good,
        seed=derive_seed(seed, "refine", record.round),
    )
    seconds = time.perf_counter() - start
    scores, types = [s.score for s in refined.scored], [c.error_type for c in candidates]
    kinds = {c.flaw for c in candidates if c.flaw}
    found = {"all": auc(scores, [bool(c.flaw) for c in candidates], types)}
    for kind in sorted(kinds):
        at = [i for i, c in enumerate(candidates) if c.flaw in ("", kind)]
        found[kind] = auc([scores[i] for i in at], [bool(candidates[i].flaw) for i in at], [types[i] for i in at])
    flawed = sum(bool(c.flaw) for c in candidates)
    return {"round": record.round, "n": len(candidates), "flawed": flawed, "seconds": seconds, "auc": found}


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return Markdown lines, one per refiner: AUC by rate and checkpoint, then by kind of flaw over everything."""
    rates, rounds = sorted({r["rate"] for r in rows}), sorted({r["round"] for r in rows})
    kinds = sorted({k for r in rows for k in r["auc"]} - {"all"})
    where = {1: "base", 2: "after round 1"}
    heads = [f"{rate:.0%} flawed, {where[n]}" for rate in rates for n in rounds]
    lines = [
        f"| refiner | {' | '.join([*heads, *kinds])} | ms a candidate |",
        "|---|" + "---:|" * (len(heads) + len(kinds) + 1),
    ]
    for name in REFINERS:
        mine = [r for r in rows if r["refiner"] == name]
        cells = [_cell([r for r in mine if (r["rate"], r["round"]) == (a, b)], "all") for a in rates for b in rounds]
        cells += [_cell(mine, kind) for kind in kinds]
        ms = 1000 * sum(r["seconds"] for r in mine) / max(1, sum(r["n"] for r in mine))
        lines.append(f"| {name} | {' | '.join(cells)} | {ms:.1f} |")
    return lines


def _cell(rows: Sequence[dict[str, Any]], kind: str) -> str:
    """Return the mean AUC over seeds with the half width of its interval; the pairs of a seed are pooled."""
    pooled: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for r in rows:
        value, pairs = r["auc"].get(kind, (0.0, 0))
        pooled[r["seed"]][0] += value
        pooled[r["seed"]][1] += pairs
    values = [v / n for v, n in pooled.values() if n]
    if len(values) < 2:
        return f"{values[0]:.2f}" if values else "-"
    found = t_interval(values)
    return f"{found.mean:.2f} ± {found.high - found.mean:.2f}"


def main() -> None:
    """Measure, write every row at once to ``rows.jsonl`` in the store's folder, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--rates", type=float, nargs="+", default=[0.10, 0.25])
    parser.add_argument("--candidates", type=int, default=200)
    args = parser.parse_args()
    args.store.mkdir(parents=True, exist_ok=True)
    log = args.store / "rows.jsonl"
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    done = {(r["seed"], r["rate"]) for r in rows}
    for rate in args.rates:
        for seed in args.seeds:
            if (seed, rate) in done:
                continue
            found = list(measure(seed, rate, args.candidates, args.store))
            with log.open("a", encoding="utf-8") as f:
                f.writelines(json.dumps(r) + "\n" for r in found)
            rows += found
            print(f"seed {seed}, {rate:.0%} flawed: done", flush=True)
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
