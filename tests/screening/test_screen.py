from __future__ import annotations

import random
import time
from collections import Counter

import numpy as np
import pytest
from rapidfuzz.distance import LCSseq

from sei.models.embedder import SentenceEmbedder
from sei.screening.near import NgramIndex, RougeIndex, words
from sei.screening.overlap import Overlap
from sei.screening.screen import Decontamination

MINILM = SentenceEmbedder()
TEST = (
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many clips did "
    "Natalia sell altogether in April and May?"
)


def rules(**changes):
    off = {"embedder": MINILM, "ngram": 0, "rouge_l": 1.0, "embedding": 1.0}
    return Decontamination(**{**off, **changes}).screen({"test": [TEST], "dev": ["What is 2 plus 2?"]})


def test_each_rule_catches_what_it_is_for_and_no_more():
    """Faults table, F14: verbatim and n-gram copies are dropped, and so are renamed problems and paraphrases."""
    verbatim = TEST.upper().replace(",", "")
    copied = "Read this. " + " ".join(TEST.split()[:16]) + " and nothing else. How many are 3 boxes of 12 pens?"
    clothes = TEST.replace("Natalia", "Ruth")
    near = TEST.replace("half as many clips", "half as many of them")
    paraphrase = (
        "In April Natalia sold clips to 48 friends of hers, and in May she sold half as many. Altogether, how many "
        "clips did Natalia sell in April and in May?"
    )
    fresh = "A train leaves at 9 and travels 60 miles an hour. How far has it come at noon?"
    assert rules().reason(verbatim) == "test_exact"
    assert rules(ngram=13).reason(copied) == "test_ngram"
    assert rules().reason(copied) is None
    assert rules().reason(clothes) == "test_signature"
    assert rules(rouge_l=0.7).reason(near) == "test_rouge"
    assert rules(embedding=0.9).reason(paraphrase) == "test_embedding"
    assert rules(ngram=13, rouge_l=0.7, embedding=0.9).reason(fresh) is None
    assert rules().reason("what is 2 plus 2") == "dev_exact"


def test_many_at_once_give_what_one_by_one_gives():
    questions = [TEST, "What is 3 plus 9?", TEST.replace("April", "June"), "Name a prime.", "What is 2 plus 2?"]
    screen = rules(ngram=13, rouge_l=0.7, embedding=0.8)
    assert screen.reasons(questions) == [rules(ngram=13, rouge_l=0.7, embedding=0.8).reason(q) for q in questions]


def test_questions_far_from_all_held_out_ones_are_not_embedded():
    asked = []

    class Spy:
        def embed(self, texts):
            asked.extend(texts)
            return MINILM.embed(texts)

    settings = {"ngram": 0, "rouge_l": 1.0, "embedding": 0.9, "overlap": 0.5, "embedder": Spy()}
    screen = Decontamination.screen(type("R", (), settings)(), {"test": [TEST]})
    near = TEST.replace("half as many clips", "half as many of them")
    far = "A train leaves at 9 and travels 60 miles an hour. How far has it come at noon?"
    assert screen.reasons([near, far]) == ["test_embedding", None]
    assert far not in asked
    assert near in asked


@pytest.mark.parametrize("seed", range(3))
def test_overlap_misses_nothing_that_rouge_finds(seed):
    held, rng = sentences(100, 1), random.Random(seed)
    index = RougeIndex(held)
    for source in rng.sample(held, 30):
        row = source.split()
        rng.shuffle(row)
        query = " ".join(row[: rng.randint(8, len(row))])
        found = set(Overlap([index]).rows([query], 0.5)[0])
        near = {i for i, h in enumerate(held) if rouge(query, h) >= 0.5}
        assert near <= found
    short = RougeIndex(["one two three", held[0], "小明有三个苹果", "x"])
    assert Overlap([short]).rows(["a b"], 0.5) == [[0, 2, 3]]  # too little text to decide
    assert Overlap([RougeIndex()]).rows(["a b"], 0.5) == [[]]


def rouge(a, b):
    return 2 * LCSseq.similarity(words(a), words(b)) / len(words(a) + words(b))


def test_other_scripts_are_compared_by_embedding():
    held, asked = "小明有三个苹果,又买了五个,现在一共有几个?", "小明有三个苹果,又买了五个,一共有几个?"
    screen = rules_for({"test": [TEST, held]}, overlap=0.5)
    assert screen.reasons([asked]) == ["test_embedding"]


def test_comparing_near_pairs_gives_what_comparing_all_gives():
    held = [TEST, "What is 3 plus 9?", "A train leaves at 9 and travels 60 miles an hour. How far has it come at noon?"]
    asked = [
        TEST.replace("April", "June"),
        "A train leaves at 8 and goes 60 miles an hour. How far is it at noon?",
        "Hi?",
    ]
    groups = {"test": held[:1], "dev": held[1:]}
    near, full = (rules_for(groups, overlap=x) for x in (0.4, 0.0))
    assert near.reasons(asked) == full.reasons(asked)
    assert near.reasons(asked)[:2] == ["test_embedding", "dev_embedding"]


def rules_for(groups, **more):
    return Decontamination(embedder=MINILM, ngram=0, rouge_l=1.0, embedding=0.8, **more).screen(groups)


def test_the_digest_tells_texts_and_rules_apart_unembedded():
    a, b = rules(embedding=0.9), rules(embedding=0.8)
    assert a.digest != b.digest
    assert "_vectors" not in vars(a)


LETTERS = str.maketrans("0123456789", "abcdefghij")  # digits would become separate words


def sentences(n, seed, vocabulary=3_000):
    rng = random.Random(seed)
    weights = [1 / (i + 1) for i in range(vocabulary)]
    names = [str(i).translate(LETTERS) for i in range(vocabulary)]
    return [" ".join(rng.choices(names, weights, k=rng.randint(15, 60))) for _ in range(n)]


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9])
@pytest.mark.long
def test_the_index_finds_exactly_what_comparing_all_pairs_finds(threshold):
    held, rng = sentences(300, 1), random.Random(2)
    index = RougeIndex(held)
    found = Counter()
    for source in [*held[:60], *sentences(60, 3)]:
        row = source.split()
        for _ in range(rng.randint(0, len(row) // 2)):
            row[rng.randrange(len(row))] = "z" * rng.randint(1, 9)
        query = words(" ".join(row))
        slow = max(2 * LCSseq.similarity(query, words(h)) / (len(query) + len(words(h))) for h in held) > threshold
        fast = index.closest(" ".join(row), threshold) is not None
        assert fast == slow
        found[slow] += 1
    assert min(found.values()) > 5


def test_ngrams_are_runs_of_words():
    index = NgramIndex(["a b c d e f", "only four words here"], 5)
    assert index.shares("x b c d e f y")
    assert not index.shares("x b c d f e y")
    assert index.shares("Only four words, here!")


@pytest.mark.slow
def test_a_hundred_thousand_candidates_take_minutes():
    """A hundred thousand candidates against thirty thousand questions take minutes."""
    held, candidates = sentences(30_000, 1, 20_000), sentences(100_000, 2, 20_000)
    candidates[::1000] = held[:100]

    class Fast:
        """Random unit vectors, so that only the screen's speed is measured."""

        random = np.random.default_rng(0)

        def embed(self, texts):
            vectors = self.random.standard_normal((len(texts), 384), dtype=np.float32)
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    screen = Decontamination.screen(
        type(
            "R",
            (),
            {"ngram": 13, "rouge_l": 0.7, "embedding": 0.95, "boilerplate": 4, "overlap": 0.5, "embedder": Fast()},
        )(),
        {"test": held},
    )
    start = time.perf_counter()
    reasons = screen.reasons(candidates)
    seconds = time.perf_counter() - start
    print(f"{seconds:.0f} s: {Counter(reasons)}")
    assert sum(r == "test_exact" for r in reasons) == 100
    assert seconds < 600
