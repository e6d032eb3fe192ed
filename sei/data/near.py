"""Finding near texts fast: ROUGE-L neighbours through an inverted index, and n-grams through a hash set."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

_FEW_WORDS = 8
_WORD = re.compile(r"\d+(?:\.\d+)?|(?:[^\W\d_]|')+")


def words(text: str) -> list[str]:
    """Return the tokens that ROUGE-L and n-grams compare: lower-case words and numbers."""
    return _WORD.findall(text.lower())


class RougeIndex:
    """Texts to compare with by ROUGE-L F-measure (longest common subsequence of words; Lin 2004).

    Exact: a pair above the threshold shares at least that many words, counted through the inverted index
    first, so that only few pairs need their longest common subsequence.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._rows: list[list[str]] = []
        self._lengths = array("i")
        self._holders: dict[str, array[int]] = {}  # word -> rows that hold it
        for t in texts:
            self.add(t)

    def add(self, text: str) -> None:
        """Add one text."""
        row = words(text)
        for w in set(row):
            self._holders.setdefault(w, array("i")).append(len(self._rows))
        self._rows.append(row)
        self._lengths.append(len(row))

    def closest(self, text: str, threshold: float) -> float | None:
        """Return the first F above the threshold that is found, or ``None``."""
        from rapidfuzz.distance import LCSseq

        query = words(text)
        for i in self._sharing(query, threshold):
            row = self._rows[i]
            both = len(query) + len(row)
            need = int(threshold * both / 2)  # F = 2 * lcs / (len + len)
            lcs = LCSseq.similarity(query, row, score_cutoff=need)
            if both and 2 * lcs / both > threshold:
                return float(2 * lcs / both)
        return None

    def overlapping(self, text: str, least: float) -> list[int]:
        """Return the texts, by number, whose F-measure of shared words, in any order, is at least ``least``.

        That measure is never below ROUGE-L. Words say too little of texts of fewer than eight (another script, a
        bare formula): these overlap with each other.
        """
        query = words(text)
        if not self._rows:
            return []
        lengths = np.frombuffer(self._lengths, dtype=np.int32)
        near = 2 * self._shared(query) >= least * np.maximum(1, lengths + len(query))
        if len(query) < _FEW_WORDS:
            near |= lengths < _FEW_WORDS
        found: list[int] = np.flatnonzero(near).tolist()
        return found

    def _shared(self, query: Sequence[str]) -> NDArray[np.int32]:
        """Return for every row how many words of the query it holds; repeated ones count each time."""
        shared = np.zeros(len(self._rows), dtype=np.int32)
        for w, count in Counter(query).items():
            if w in self._holders:
                shared[np.frombuffer(self._holders[w], dtype=np.int32)] += count
        return shared

    def _sharing(self, query: Sequence[str], threshold: float) -> Sequence[int]:
        """Return the rows that share enough words for an F above the threshold."""
        if not query or not self._rows:
            return ()
        shared = self._shared(query)
        lengths = np.frombuffer(self._lengths, dtype=np.int32)
        need = np.floor(threshold * (lengths + len(query)) / 2)
        fits = (shared > need) & (np.minimum(lengths, len(query)) > need)
        found: list[int] = np.flatnonzero(fits).tolist()
        return found


class NgramIndex:
    """All runs of ``n`` words of some texts; a text shorter than ``n`` counts as one run."""

    def __init__(self, texts: Iterable[str], n: int) -> None:
        self.n = n
        self._held = {run for t in texts for run in self._runs(words(t))}

    def shares(self, text: str) -> bool:
        """Say whether a text shares a run with any of the texts."""
        return not self._held.isdisjoint(self._runs(words(text)))

    def _runs(self, row: list[str]) -> Iterable[int]:
        if len(row) < self.n:
            return [hash(("short", *row))] if len(row) >= 4 else []
        return [hash(tuple(row[i : i + self.n])) for i in range(len(row) - self.n + 1)]
