"""What screening costs, and what its overlap rule may miss: ``SEI_DATA=DATA python -m experiments.screening [HELD]``.

Takes HELD (30,000) questions of the data folder as held out, test sets first, and recombines sentences of the others
into 3,000 candidates with new numbers. Prints the share of candidates that the overlap rule lets through, the
speed of the embedder on both, and, of all held-out pairs of at least eight words with a cosine above 0.95, how many
share how much. The last part embeds all of them: about 20 minutes on one core.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from sei.data.near import RougeIndex, words
from sei.models.embedder import SentenceEmbedder

_NAMES = ("question", "problem", "Problem", "query", "Question")


def questions(folder: Path) -> tuple[list[str], list[str]]:
    """Return all distinct questions of test and of training files, shuffled."""
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
    """Return n questions: the first half of one, the second half of another, other numbers."""
    rng = random.Random(0)
    parts = [[s for s in re.split(r"(?<=[.?!])\s+", q) if s] for q in rest]
    out = []
    for _ in range(n):
        a, b = rng.choice(parts), rng.choice(parts)
        text = " ".join([*a[: max(1, len(a) // 2)], *b[len(b) // 2 :]])
        out.append(re.sub(r"\d+", lambda _: str(rng.randint(1, 99)), text))
    return out


def near_pairs(held: list[str], least: float = 0.95) -> Counter[float]:
    """Return how many pairs above a cosine share which F-measure of words, in steps of 0.05."""
    some = [q for q in held if len(words(q)) >= 8]
    vectors, counted = SentenceEmbedder().embed(some), [Counter(words(q)) for q in some]
    shares: Counter[float] = Counter()
    for start in range(0, len(some), 1000):
        for i, j in np.argwhere(vectors[start : start + 1000] @ vectors.T > least).tolist():
            a, b = counted[start + i], counted[j]
            if start + i < j:
                shares[int(40 * (a & b).total() / (a.total() + b.total())) / 20] += 1
    return shares


def main() -> None:
    """Measure and print."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 30_000
    test, train = questions(Path(os.environ["SEI_DATA"]))
    more = max(0, n - len(test))
    held, candidates = (test + train[:more])[:n], recombined(train[more:], 3_000)
    index = RougeIndex(held)
    for least in (0.5, 0.6):
        share = sum(bool(index.overlapping(q, least)) for q in candidates) / len(candidates)
        print(f"{share:.1%} of {len(candidates)} candidates share {least} with one of {len(held)}", flush=True)
    embedder = SentenceEmbedder()
    for name, texts in (("candidates", candidates[:1000]), ("held-out questions", held[:1000])):
        start = time.perf_counter()
        embedder.embed(texts)
        print(f"{len(texts) / (time.perf_counter() - start):.0f} {name} a second", flush=True)
    shares = near_pairs(held)
    print(f"{shares.total()} near pairs by shared words: {sorted(shares.items())}")


if __name__ == "__main__":
    main()
