"""Fast screening decides as a plain one does, which compares every pair of texts by the rules as they are stated."""

from __future__ import annotations

import math
import random
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from rapidfuzz.distance import LCSseq

from sei.exchange import Draft
from sei.parts import part
from sei.screening.group import plain
from sei.screening.near import RougeIndex, StockPhrases, runs, words
from sei.screening.overlap import Overlap
from sei.screening.screen import Decontamination
from sei.signature import masked_signature
from sei.stages.harvest import Sieve

_NAMES = ("Ada", "Ben", "Cora", "Dan")
_THINGS = ("apples", "pens", "coins", "cards", "books", "shells")


@part
class Hashed:
    """Embeds a text by its words: the same words in any order are the same vector."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([hashed(t) for t in texts])


@cache
def hashed(text: str) -> np.ndarray:
    out = np.zeros(64, dtype=np.float32)
    for w in words(text) or ["none"]:
        out[zlib.crc32(w.encode()) % 64] += 1
    return out / np.linalg.norm(out)


def question(rng: random.Random) -> str:
    a, b = rng.sample(_NAMES, 2)
    thing, n, m = rng.choice(_THINGS), rng.randint(2, 6), rng.randint(2, 6)
    parts = [
        f"{a} has {n} {thing}.",
        f"{b} has {m} times as many {thing} as {a} has, and then {b} gives {n} of them away.",
        f"Then {a} buys {m} boxes of {n} {thing} each.",
        f"How many {thing} does {b} have in the end?",
        "If m and n are relatively prime positive integers find the sum of both of them now please.",
        "小明有三个苹果",
    ]
    text = " ".join(p for p in parts if rng.random() < 0.7)
    row = text.split()
    if rng.random() < 0.2:
        rng.shuffle(row)
    return " ".join(w for w in row if rng.random() < 0.95)


def the_plain_reason(q: str, apart: dict[str, list[str]], pool: list[str], rules: Decontamination) -> str | None:
    """Return the reason of one question by comparing it with every held-out text."""
    row, n = words(q), rules.ngram
    found = next((name for name, texts in reversed(apart.items()) if plain(q) in map(plain, texts)), None)
    if found:
        return f"{found}_exact"
    held = [t for texts in apart.values() for t in texts]
    stock = stock_of(tuple(held), tuple(pool), n, rules.boilerplate)
    own = runs(row, n) if n else []
    for name, texts in apart.items():
        known = {run for t in texts for run, _ in runs(words(t), n)} if n else set()
        shared = [at for run, at in own if run in known]
        if 2 * len(shared) >= len(own) and shared:
            return f"{name}_ngram"
        if any(not stock.fill(row[at : at + n]) for at in shared):
            return f"{name}_ngram"
    own_mask = masked_signature(q)
    found = next((name for name, texts in reversed(apart.items()) if own_mask in map(mask, texts)), None)
    if found:
        return f"{found}_signature"
    for name, texts in apart.items():
        if any(plain_rouge(row, words(t)) > rules.rouge_l for t in texts):
            return f"{name}_rouge"
    own_vector = hashed(q)
    for name, texts in apart.items():
        for t in texts:
            near = float(hashed(t) @ own_vector) > rules.embedding
            if near and plain_overlap(row, t, held, rules.overlap):
                return f"{name}_embedding"
    return None


mask = cache(masked_signature)


def plain_rouge(a: list[str], b: list[str]) -> float:
    return 2 * LCSseq.similarity(a, b) / (len(a) + len(b)) if a or b else 0.0


def plain_overlap(row: list[str], text: str, held: list[str], least: float) -> bool:
    """Say whether two texts overlap by the weighted F-measure of their common words, as the index did word by word."""
    other, texts_with = words(text), texts_by_word(tuple(held))
    if len(row) < 8 and len(other) < 8:
        return True

    def weight(w: str) -> float:
        return math.log1p(len(held) / max(1, texts_with[w]))

    counts, theirs = Counter(row), Counter(other)
    shared = sum(weight(w) * min(n, theirs[w]) for w, n in counts.items())
    return 2 * shared >= least * (sum(map(weight, row)) + sum(map(weight, other))) - 1e-9


@cache
def stock_of(held: tuple[str, ...], pool: tuple[str, ...], n: int, least: int) -> StockPhrases:
    return StockPhrases(held, pool, n or 9, least)


@cache
def texts_by_word(held: tuple[str, ...]) -> Counter[str]:
    return Counter(w for t in held for w in set(words(t)))


def corpus(seed: int) -> tuple[dict[str, list[str]], list[str], list[str]]:
    rng = random.Random(seed)
    apart = {name: [question(rng) for _ in range(n)] for name, n in (("test", 30), ("dev", 10), ("none", 0))}
    apart["validation"] = [question(rng) for _ in range(10)] + apart["dev"][:2] + [""]
    held = [t for texts in apart.values() for t in texts]
    copies = (
        [t.replace("Ada", "Eva") for t in held[:12]] + [t.replace("5", "6") for t in held[12:24]] + apart["dev"][:4]
    )
    return apart, [question(rng) for _ in range(20)], [*(question(rng) for _ in range(50)), *copies, "", "x", "?"]


@pytest.mark.parametrize(("seed", "ngram"), [(0, 0), (1, 0), (2, 9)])
def test_every_reason_is_that_of_a_plain_screen(seed, ngram):
    apart, pool, asked = corpus(seed)
    rules = Decontamination(embedder=Hashed(), ngram=ngram, rouge_l=0.8, embedding=0.93)
    wanted = [the_plain_reason(q, apart, pool, rules) for q in asked]
    assert rules.screen(apart, pool).reasons(asked) == wanted
    again = rules.screen({**apart, "earlier": asked[:20]}, pool)  # another screen over the same groups
    bigger = {**apart, "earlier": asked[:20]}
    assert again.reasons(asked) == [the_plain_reason(q, bigger, pool, rules) for q in asked]
    kinds = {reason.rpartition("_")[2] for reason in wanted if reason}
    assert kinds >= {"exact", "embedding", "ngram" if ngram else "signature"}
    assert ngram or "rouge" in kinds


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9])
def test_a_growing_index_finds_what_all_pairs_show(threshold):
    rng = random.Random(1)
    held, asked = [question(rng) for _ in range(100)], [question(rng) for _ in range(80)]
    index, plainly = RougeIndex(held), [words(t) for t in held]
    index.look_ahead(asked[::2], threshold)
    for text in asked:
        row = words(text)
        scores = [f for other in plainly if (f := plain_rouge(row, other)) > threshold]
        assert index.closest(text, threshold) == (scores[0] if scores else None)
        index.add(text)
        plainly.append(row)


@pytest.mark.parametrize("least", [0.3, 0.5, 0.8])
def test_overlapping_texts_are_those_of_every_pair(least):
    rng = random.Random(2)
    held, asked = [question(rng) for _ in range(50)] + [""], [question(rng) for _ in range(30)] + ["", "x"]
    found = Overlap([RougeIndex(held[:30]), RougeIndex(), RougeIndex(held[30:])]).rows(asked, least)
    assert found == [[i for i, t in enumerate(held) if plain_overlap(words(q), t, held, least)] for q in asked]


def test_a_sieve_accepts_what_a_plain_one_accepts():
    rng = random.Random(3)
    known, drafts = [question(rng) for _ in range(20)], [question(rng) for _ in range(120)]
    screen = Decontamination(embedder=Hashed(), ngram=0, rouge_l=0.9, embedding=1).screen({"test": known[:5]})
    sieve, accepted, signatures = Sieve(known, screen, 0.8), list(known), {masked_signature(q) for q in known}
    for start in range(0, len(drafts), 20):
        reply = [Draft(question=q, solution="s", answer="1") for q in drafts[start : start + 20]]
        sieve.look_at(reply)
        for draft in reply:
            near = any(plain_rouge(words(draft.question), words(q)) > 0.8 for q in accepted)
            copied = masked_signature(draft.question) in signatures
            reason = "duplicate_signature" if copied else screen.reason(draft.question) or ("rouge_l" if near else None)
            reason = reason if draft.question.strip() else "empty_field"
            assert sieve.reason(draft) == reason
            if reason is None:
                accepted.append(draft.question)
                signatures.add(masked_signature(draft.question))
    assert 20 < len(accepted) < 130
