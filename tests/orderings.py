"""An independent solver of ordering puzzles: tries every order and checks whether each sentence is true."""

from __future__ import annotations

import re
from itertools import permutations

from sei.data.orderings import NAMES

MORE = {"taller", "heavier", "older", "faster", "stronger", "richer"}
LESS = {"shorter", "lighter", "younger", "slower", "weaker", "poorer"}
TOP = {"tallest", "heaviest", "oldest", "fastest", "strongest", "richest"}
BOTTOM = {"shortest", "lightest", "youngest", "slowest", "weakest", "poorest"}
WORD = re.compile(r"[A-Za-z]+")


def named(text: str) -> list[str]:
    return list(dict.fromkeys(w for w in WORD.findall(text) if w in NAMES))


def is_true(sentence: str, height: dict[str, int]) -> bool:
    """Say whether a sentence is true if ``height`` gives every person's rank from below."""
    halves = sentence.split(" but ")
    if not named(sentence):
        return True
    subject = next(w for w in re.findall(r"(\w+) is ", sentence) if w in NAMES)
    verdicts = []
    for half in halves:
        words = WORD.findall(half)
        (other,) = set(named(half)) - {subject}
        (word,) = [w for w in words if w in MORE | LESS]
        above = height[subject] > height[other]
        verdicts.append((above == (word in MORE)) != ("not" in words))
    return all(verdicts)


def asked(question: str, order: tuple[str, ...]) -> str:
    """Return the answer to the question for an ``order`` with the highest first."""
    words = WORD.findall(question)
    if "between" in words:
        a, b = (order.index(p) for p in named(question))
        (one,) = order[min(a, b) + 1 : max(a, b)]
        return one
    if "middle" in words:
        assert len(order) % 2
        return order[len(order) // 2]
    steps = 1 if "second" in words else 2 if "third" in words else 0
    row = order if TOP & set(words) else order[::-1]
    assert (TOP | BOTTOM) & set(words)
    return row[steps]


def brute_force(question: str) -> set[str]:
    """Return every answer for which some order of the persons fits; a good puzzle has exactly one."""
    *clues, last = re.findall(r"[^.?]+[.?]", question)
    found = set()
    for order in permutations(named(" ".join(clues))):
        height = {p: -i for i, p in enumerate(order)}
        if all(is_true(c, height) for c in clues):
            found.add(asked(last, order))
    return found
