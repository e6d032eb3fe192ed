"""Fast search for near texts: ROUGE-L neighbours by an inverted index, and n-grams by a hash set."""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

_FEW_WORDS = 8
_ROUNDING = 1e-9
_UNSPACED = (
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"  # kana and Chinese characters have no spaces between them: each is a word
)
_WORD = re.compile(rf"\d+(?:\.\d+)?|[{_UNSPACED}]|(?:(?![{_UNSPACED}])[^\W\d_]|')+")


def words(text: str) -> list[str]:
    """Return the tokens that ROUGE-L and n-grams compare: lower-case words and numbers."""
    return _WORD.findall(text.lower())


class RougeIndex:
    """Texts indexed for comparison by ROUGE-L F-measure (longest common subsequence of words; Lin 2004).

    The result is exact. A pair above the threshold must share a minimum number of words. These are counted first
    through the inverted index, so few pairs need their longest common subsequence.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._rows: list[list[str]] = []
        self._lengths = array("i")
        self._holders: dict[str, array[int]] = {}  # word -> rows with this word
        self._summed: NDArray[np.float64] = np.zeros(0)
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
        """Return the first F above the threshold, or ``None``."""
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
        """Return the indices of texts that share words with this one, in any order, to at least ``least`` (0 to 1).

        The measure is the F-measure of shared words. Each word is weighted by its rarity among the indexed texts, log(1
        + texts / texts with it), so near texts share their subject and not only common wording. For texts of fewer than
        eight words (another script, a bare formula) words say too little: all such texts count as overlapping.
        """
        query = words(text)
        if not self._rows:
            return []
        counts = Counter(query)
        weights = {w: self._weight(w) for w in counts}
        total = sum(weights[w] * n for w, n in counts.items())
        shared = np.zeros(len(self._rows))  # an upper bound: a word counts as often as it is in the query
        for w, n in counts.items():
            if w in self._holders:
                shared[np.frombuffer(self._holders[w], dtype=np.int32)] += weights[w] * n
        need = least * (self._weights() + total) - _ROUNDING
        repeated = [(w, n) for w, n in counts.items() if n > 1 and w in self._holders]
        found: list[int] = []
        for i in np.flatnonzero(2 * shared >= need).tolist():
            row = self._rows[i]
            held = ((w, n, row.count(w)) for w, n in repeated)
            over = sum(weights[w] * (n - c) for w, n, c in held if 0 < c < n)
            if 2 * (shared[i] - over) >= need[i]:
                found.append(i)
        if len(query) < _FEW_WORDS:
            few = np.frombuffer(self._lengths, dtype=np.int32) < _FEW_WORDS
            found = sorted({*found, *np.flatnonzero(few).tolist()})
        return found

    def _weight(self, word: str) -> float:
        held = len(self._holders.get(word, ()))
        return math.log1p(len(self._rows) / max(1, held))

    def _weights(self) -> NDArray[np.float64]:
        """Return the summed weight of every row's words; recomputed after new rows."""
        if len(self._summed) != len(self._rows):
            known = {w: self._weight(w) for w in self._holders}
            self._summed = np.array([sum(known[w] for w in row) for row in self._rows])
        return self._summed

    def _shared(self, query: Sequence[str]) -> NDArray[np.int32]:
        """Return for every row how many words of the query it has; repeated words count each time."""
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
    """All runs of ``n`` words of some texts; a shorter text is one run.

    With ``stock``, a run of stock phrases only does not count, unless at least half of the text's runs are shared.
    """

    def __init__(self, texts: Iterable[str], n: int, stock: Callable[[], StockPhrases] | None = None) -> None:
        self.n, self._stock = n, stock
        self._held = {run for t in texts for run, _ in _runs(words(t), n)}

    def shares(self, text: str) -> bool:
        """Say whether a text shares a run with any of the texts."""
        row = words(text)
        runs = _runs(row, self.n)
        shared = [at for run, at in runs if run in self._held]
        if self._stock is None or not shared or 2 * len(shared) >= len(runs):
            return bool(shared)
        stock = self._stock()
        return any(not stock.fill(row[at : at + self.n]) for at in shared)


PHRASE = 4
"""Number of words in a stock phrase."""


class StockPhrases:
    """Phrases of four words in ``least`` or more different questions: common wording, which does not show copying.

    Counted are the held-out questions (``held``) and those of the ``pool``. A copy of a question, alone or inside other
    words, is not a different question: if half of a question's runs of ``n`` words are known already, it is not
    counted. So a leak does not make its own words common.
    """

    def __init__(self, held: Iterable[str], pool: Iterable[str], n: int, least: int) -> None:
        counts: Counter[int] = Counter()
        seen: set[int] = set()
        for text in held:
            row = words(text)
            runs = {run for run, _ in _runs(row, n)}
            if not _copied(runs, seen):
                counts.update(_phrases(row))
            seen |= runs
        for text in pool:
            row = words(text)
            if not _copied({run for run, _ in _runs(row, n)}, seen):
                counts.update(_phrases(row) & counts.keys())
        self._stock = {phrase for phrase, number in counts.items() if number >= least}

    def fill(self, run: Sequence[str]) -> bool:
        """Say whether every four consecutive words of a run are a stock phrase."""
        return _phrases(run) <= self._stock


def _copied(runs: set[int], seen: set[int]) -> bool:
    return bool(runs) and 2 * len(runs & seen) >= len(runs)


def _phrases(row: Sequence[str]) -> set[int]:
    return {hash(tuple(row[i : i + PHRASE])) for i in range(len(row) - PHRASE + 1)}


def _runs(row: Sequence[str], n: int) -> list[tuple[int, int]]:
    """Return every run of ``n`` words as its hash and start position."""
    if len(row) < n:
        return [(hash(("short", *row)), 0)] if len(row) >= 4 else []
    return [(hash(tuple(row[i : i + n])), i) for i in range(len(row) - n + 1)]
