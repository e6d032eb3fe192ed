"""Answers of both decoders of ``engine=lightning``, in one process and in turn.

``python -m experiments.measurements.decoder [--checkpoint FOLDER...] [--problems N] [--repeats N] [sei overrides...]``.

The model's base and the given folders answer the problems of pool, dev and tests greedily, at most ``N`` of each set. A
row gives the number of answers, unequal ones, CPU seconds of ``generate`` and ``compact`` (means of all repeats), and
the ratios of the repeats.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean, median
from typing import Any

from experiments.measurements.refiners import parts
from sei.prompts import asked
from sei.records import Checkpoint


def answers(engine: Any, opened: Any, prompts: list[str]) -> tuple[list[tuple[str, bool]], float]:
    """Return text and end of every answer, and the CPU seconds that they took."""
    opened.predictor = None
    began = time.process_time()
    found = sorted(engine.answer(opened, prompts, frozenset(), "answers"))
    return [(a.text, a.finished) for a in found], time.process_time() - began


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, action="append", default=[])
    parser.add_argument("--problems", type=int)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("overrides", nargs="*")
    args = parser.parse_args()
    made = parts(*args.overrides)
    data, attempt = made["data"].load(), made["method"].attempt
    sets: dict[str, list[Any]] = {"pool": list(data.pool)}
    for p in data.held_out:
        sets.setdefault(p.set, []).append(p)
    problems = [p for found in sets.values() for p in found[: args.problems]]
    bases = [made["model"].base()]
    bases += [Checkpoint(digest=str(i), kind="full", folder=str(f.resolve())) for i, f in enumerate(args.checkpoint)]
    print("| checkpoint | answers | unequal | generate, CPU s | compact, CPU s | ratio | least | most |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for number, checkpoint in enumerate(bases):
        with attempt.target.open(checkpoint) as opened:
            prompts = opened.prompts([asked(p.question, p.options) for p in problems])
            spent: dict[str, list[float]] = {"generate": [], "compact": []}
            unequal: set[int] = set()
            for _ in range(args.repeats):
                given = {}
                for name, seconds in spent.items():
                    given[name], one = answers(replace(attempt.engine, decoder=name), opened, prompts)
                    seconds.append(one)
                pairs = zip(given["generate"], given["compact"], strict=True)
                unequal |= {i for i, (a, b) in enumerate(pairs) if a != b}
        ratios = [a / b for a, b in zip(*spent.values(), strict=True)]
        cells = [len(prompts), len(unequal), *(f"{mean(s):.1f}" for s in spent.values())]
        cells += [f"{x:.2f}" for x in (median(ratios), min(ratios), max(ratios))]
        print("|", " | ".join(map(str, ["base" if not number else f"round {number}", *cells])), "|", flush=True)
        for i in sorted(unequal)[:5]:
            print(f"  {given['generate'][i]!r}\n  {given['compact'][i]!r}", flush=True)


if __name__ == "__main__":
    main()
