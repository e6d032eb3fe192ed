"""One group of held-out questions, indexed once for all screens that keep text apart from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache

from sei.screening.near import NgramIndex, RougeIndex, Runs, Shared, runs, words
from sei.signature import masked_signature

Likeness = tuple[bool, Shared, bool]
"""Whether a question is in a group word for word, which of its runs are, and whether its masked signature is."""


@lru_cache(maxsize=8)
def group(texts: tuple[str, ...], n: int) -> Group:
    """Return the group of some questions; screens with the same questions share it. ``n``: words in a run."""
    return Group(texts, n)


class Group:
    """Some held-out questions. It remembers what it was asked, since a round screens its candidates twice."""

    def __init__(self, texts: Sequence[str], n: int) -> None:
        self.texts, self.n = texts, n
        self._plain = {plain(t) for t in texts}
        self._signatures = {masked_signature(t) for t in texts}
        self._ngrams = NgramIndex(texts, n) if n else None
        self._alike: dict[str, Likeness] = {}
        self._near: dict[tuple[str, float], bool] = {}

    @cached_property
    def index(self) -> RougeIndex:
        """Return the index of the words of all questions."""
        return RougeIndex(self.texts)

    def alike(self, question: str) -> Likeness:
        """Return how a question is like one of the group."""
        if question not in self._alike:
            own_plain, own_runs, signature = _facts(question, self.n)
            shared = self._ngrams.shared(own_runs) if self._ngrams else ([], 0)
            self._alike[question] = (own_plain in self._plain, shared, signature in self._signatures)
        return self._alike[question]

    def near(self, questions: Sequence[str], threshold: float) -> set[str]:
        """Return those of some questions with a ROUGE-L F-measure above the threshold to one of the group."""
        new = [q for q in dict.fromkeys(questions) if (q, threshold) not in self._near]
        self.index.look_ahead(new, threshold)
        for q in new:
            self._near[q, threshold] = self.index.closest(q, threshold) is not None
        return {q for q in questions if self._near[q, threshold]}


def plain(question: str) -> str:
    """Return the words of a question in lower case, without punctuation."""
    return re.sub(r"\W+", " ", question.lower()).strip()


@lru_cache(maxsize=256)
def _facts(question: str, n: int) -> tuple[str, Runs, str]:
    """Return what all groups compare of a question: its plain text, its runs and its masked signature."""
    return plain(question), runs(words(question), n) if n else [], masked_signature(question)
