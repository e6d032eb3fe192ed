"""Wording shared by many questions drops none of them; a leak is found anyway, also inside other words."""

from __future__ import annotations

import gzip
import json
import random

import pytest

from sei.models.embedder import SentenceEmbedder
from sei.screening.near import words
from sei.screening.screen import Decontamination

END = "can be written as a fraction m over n where m and n are relatively prime positive integers. Find m + n."
HELD = [f"The {a} of a {b} drawn in a circle of radius {n} {END}" for n, (a, b) in enumerate([
    ("area", "hexagon"), ("perimeter", "square"), ("height", "triangle"), ("diagonal", "kite"), ("width", "rhombus"),
])]  # fmt: skip
OWN = "Four frogs sit on seven lily pads and every minute one frog jumps to a pad that no other frog sits on."
NEW = f"A fair coin is thrown until it shows heads twice, and the chance that this takes at least six throws {END}"


def screen(boilerplate: int, held: list[str], pool: list[str] = (), *, ngram: int = 13):  # type: ignore[assignment]
    off = {"embedder": SentenceEmbedder(), "ngram": ngram, "rouge_l": 1.0, "embedding": 1.0}
    return Decontamination(**off, boilerplate=boilerplate).screen({"test": held}, pool)


def test_wording_of_many_questions_drops_none():
    assert screen(0, HELD).reason(NEW) == "test_ngram"
    assert screen(4, HELD).reason(NEW) is None
    assert screen(4, HELD[:3]).reason(NEW) == "test_ngram"  # three questions are not many
    assert screen(4, HELD[:3], [NEW.replace("coin", "die"), HELD[4]]).reason(NEW) is None  # the pool counts as well


def test_copies_of_a_question_do_not_make_its_words_common():
    held = [*HELD, f"{OWN} How many ways are there?"]
    copies = [f"{start} {OWN} Say how many." for start in ("Now:", "Look:", "A riddle:", "Read this.", "Think.")]
    rules = screen(4, held, copies)
    assert [rules.reason(c) for c in copies] == ["test_ngram"] * 5
    story = "In a far country a king asks his daughter for a riddle that no guest at the great feast has heard before"
    assert rules.reason(f"{story}, and she says: {OWN} {NEW}") == "test_ngram"


def test_a_question_half_of_which_is_shared_is_a_copy():
    assert screen(4, HELD).reason(f"So it {END}") == "test_ngram"
    assert screen(4, HELD).reason(NEW) is None


def test_keys_without_runs_of_words_stay_as_they_were():
    def digest(boilerplate: int, ngram: int, pool: list[str]) -> str:
        return screen(boilerplate, HELD, pool, ngram=ngram).digest

    assert digest(4, 0, ["a"]) == digest(0, 0, ["b"]) == digest(9, 0, [])
    assert len({digest(4, 13, ["a"]), digest(4, 13, ["b"]), digest(3, 13, ["a"]), digest(0, 13, ["a"])}) == 4
    assert digest(0, 13, ["a"]) == digest(0, 13, ["b"])


def read(path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as f:
        return [json.loads(line)["problem"] for line in f]


def leaked(question: str) -> list[str]:
    """Return a question unchanged, with another beginning, and with the same numbers but small words changed."""
    row = question.split()
    other = {"is": "was", "the": "this", "What": "Tell", "Find": "Compute", "are": "were", "Let": "Take", "of": "for"}
    begun = ["Here is a new exercise for you to try:", *row[max(3, len(row) // 4) :]]
    return [question, " ".join(begun), " ".join(other.get(w, w) for w in row)]


@pytest.mark.slow
def test_leaks_into_math_are_found_and_wording_drops_fewer(shared_data):
    train, test = (read(shared_data / "math" / f"{part}.jsonl.gz") for part in ("train", "test"))
    drawn = random.Random(0).sample([q for q in test if len(words(q)) >= 20], 100)
    leaks = list(zip(*map(leaked, drawn), strict=True))
    found, dropped = [], []
    for boilerplate in (0, 4):
        off = {"embedder": SentenceEmbedder(), "embedding": 1.0}
        pool = [*train, *(q for qs in leaks for q in qs)]
        rules = Decontamination(**off, boilerplate=boilerplate).screen({"test": test}, pool)
        found.append([sum(r is not None for r in rules.reasons(qs)) for qs in leaks])
        dropped.append(sum(r is not None for r in rules.reasons(train)))
    assert found == [[100, 100, 96], [100, 100, 96]]
    assert dropped == [1677, 1548]  # of 7,500; 248 and 119 of them only by runs of words
