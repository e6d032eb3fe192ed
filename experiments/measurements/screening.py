"""The cost of screening, and what its overlap rule may miss.

``SEI_DATA=DATA python -m experiments.measurements.screening``.

Takes 30,000 questions of the data folder as held out, test sets first, and recombines sentences of the others into
candidates with new numbers. Prints the time of all rules for ``--candidates`` (100,000) on ``--threads`` threads, and
what each rule drops. With ``--pairs`` it prints instead the word overlap of all held-out pairs of at least eight words
with a cosine above 0.95; this embeds everything and takes about 20 minutes on one core.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np

from sei.models.embedder import SentenceEmbedder
from sei.screening.near import RougeIndex, words
from sei.screening.overlap import Overlap
from sei.screening.screen import Decontamination

_NAMES = ("question", "problem", "Problem", "query", "Question")
_HELD = 30_000
_AT_ONCE = 2_000


def questions(folder: Path) -> tuple[list[str], list[str]]:
    """Return all distinct questions of test files and of training files, shuffled."""
    found: tuple[list[str], list[str]] = ([], [])
    for path in sorted(folder.rglob("*.jsonl.gz")):
        if "badcases" in path.parts:
            continue
        with gzip.open(path, "rt", encoding="utf-8") as f:
            rows = [json.loads(line) for line in f]
        name = next((n for n in _NAMES if rows and n in rows[0]), None)
        if name is not None:
            found["train" in str(path.relative_to(folder))].extend(str(r[name]) for r in rows)
    rng = random.Random(0)
    out = [list(dict.fromkeys(qs)) for qs in found]
    for qs in out:
        rng.shuffle(qs)
    return out[0], out[1]


def recombined(rest: list[str], n: int) -> list[str]:
    """Return n questions: the first half of one, the second half of another, with other numbers."""
    rng = random.Random(0)
    parts = [[s for s in re.split(r"(?<=[.?!])\s+", q) if s] for q in rest]
    out = []
    for _ in range(n):
        a, b = rng.choice(parts), rng.choice(parts)
        text = " ".join([*a[: max(1, len(a) // 2)], *b[len(b) // 2 :]])
        out.append(re.sub(r"\d+", lambda _: str(rng.randint(1, 99)), text))
    return out


def screen(held: list[str], candidates: list[str], threads: int) -> None:
    """Print the seconds that all rules take together, and what they drop."""
    rules = Decontamination(embedder=SentenceEmbedder(threads=threads))
    rules.embedder.embed(["loads the weights"])
    start = time.perf_counter()
    held_out, reasons = rules.screen({"test": held}), Counter[str | None]()
    for at in range(0, len(candidates), _AT_ONCE):
        reasons.update(held_out.reasons(candidates[at : at + _AT_ONCE]))
        done = min(at + _AT_ONCE, len(candidates))
        print(f"{done}/{len(candidates)} after {time.perf_counter() - start:.0f} s", flush=True)
    print(f"{len(held)} held out, {threads} threads: {dict(reasons.most_common())}", flush=True)


def near_pairs(held: list[str], least: float = 0.95) -> Counter[float]:
    """Count pairs above a cosine by their weighted F-measure of words, in steps of 0.05."""
    some = [q for q in held if len(words(q)) >= 8]
    vectors, overlap = SentenceEmbedder().embed(some), Overlap([RougeIndex(some)])
    shares: Counter[float] = Counter()
    for start in range(0, len(some), 1000):
        for i, j in np.argwhere(vectors[start : start + 1000] @ vectors.T > least).tolist():
            if start + i < j:
                shares[_shared(overlap, some[start + i], j)] += 1
    return shares


def _shared(overlap: Overlap, text: str, other: int) -> float:
    """Return the largest step of 0.05 at which a text still overlaps with another one."""
    at = 20
    while at and other not in overlap.rows([text], at / 20)[0]:
        at -= 1
    return at / 20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", action="store_true")
    args = parser.parse_args()
    test, train = questions(Path(os.environ["SEI_DATA"]))
    more = max(0, _HELD - len(test))
    held = (test + train[:more])[:_HELD]
    if args.pairs:
        shares = near_pairs(held)
        print(f"{shares.total()} near pairs by shared words: {sorted(shares.items())}")
    else:
        screen(held, recombined(train[more:], args.candidates), args.threads)


if __name__ == "__main__":
    main()
