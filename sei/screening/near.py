"""Fast search for near texts: ROUGE-L neighbours by their common words, and n-grams by a hash set."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_UNSPACED = (
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"  # kana and Chinese characters have no spaces between them: each is a word
)
_WORD = re.compile(rf"\d+(?:\.\d+)?|[{_UNSPACED}]|(?:(?![{_UNSPACED}])[^\W\d_]|')+")


Runs = list[tuple[int, int]]  # every run of a text: its hash and its first word's place
Shared = tuple[list[int], int]


def words(text: str) -> list[str]:
    """Return the tokens that ROUGE-L and n-grams compare: lower-case words and numbers."""
    return _WORD.findall(text.lower())


class RougeIndex:
    """Texts indexed for comparison by ROUGE-L F-measure (longest common subsequence of words; Lin 2004).

    The result is exact. A pair above the threshold must share a minimum number of words. These are counted first, for
    many texts at once by a product of sparse matrices, so few pairs need their longest common subsequence.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.rows: list[list[str]] = []
        self.lengths = array("i")
        self.ids: dict[str, int] = {}  # word -> its column
        self._columns, self._ends = array("i"), array("i", [0])  # of every row: its different words
        self._ahead: dict[tuple[str, float], tuple[int, list[int]]] = {}
        for t in texts:
            self.add(t)

    def add(self, text: str) -> None:
        """Add one text."""
        row = words(text)
        self._columns.extend(self.ids.setdefault(w, len(self.ids)) for w in dict.fromkeys(row))
        self._ends.append(len(self._columns))
        self.rows.append(row)
        self.lengths.append(len(row))

    def look_ahead(self, texts: Iterable[str], threshold: float) -> None:
        """Compare many texts with all texts so far, in less time than one by one; ``closest`` then uses the result."""
        some = list(dict.fromkeys(texts))
        self._ahead = {}
        for start in range(0, len(some), BLOCK):
            block = some[start : start + BLOCK]
            for text, rows in zip(block, self._sharing([words(t) for t in block], threshold), strict=True):
                self._ahead[text, threshold] = (len(self.rows), rows)

    def closest(self, text: str, threshold: float) -> float | None:
        """Return the first F above the threshold, or ``None``."""
        query = words(text)
        known = self._ahead.get((text, threshold))
        seen, rows = known or (len(self.rows), self._sharing([query], threshold)[0])
        for i in rows:
            if (found := above(query, self.rows[i], threshold)) is not None:
                return found
        for row in self.rows[seen:]:  # added since then
            found = above(query, row, threshold)
            if found is not None and _shares_enough(query, row, threshold):
                return found
        return None

    def matrix(self) -> Any:
        """Return a sparse matrix of texts by words: one where the text has the word."""
        from scipy.sparse import csr_matrix

        columns = np.frombuffer(self._columns, dtype=np.int32) if self._columns else np.zeros(0, dtype=np.int32)
        ends = np.frombuffer(self._ends, dtype=np.int32)
        ones = np.ones(len(columns), dtype=np.float32)
        return csr_matrix((ones, columns, ends), shape=(len(self.rows), len(self.ids)))

    def _sharing(self, queries: Sequence[Sequence[str]], threshold: float) -> list[list[int]]:
        """Return for each query the rows that share enough words for an F above the threshold.

        A word of the query counts as often as it is in the query.
        """
        found: list[list[int]] = [[] for _ in queries]
        if not self.ids:
            return found
        counted = np.zeros((len(self.ids), len(queries)), dtype=np.float32)
        for at, query in enumerate(queries):
            for w, count in Counter(query).items():
                if w in self.ids:
                    counted[self.ids[w], at] = count
        shared = self.matrix() @ counted
        lengths, own = np.frombuffer(self.lengths, dtype=np.int32), np.array([len(q) for q in queries], dtype=np.int32)
        least = _needed(np.arange(int(lengths.max()) + int(own.max()) + 1), threshold).astype(np.float32)
        for row, at in np.argwhere(shared > least[lengths[:, None] + own]).tolist():
            both = int(lengths[row]) + int(own[at])
            if own[at] and min(int(lengths[row]), int(own[at])) > least[both]:
                found[at].append(row)
        return found


BLOCK = 64
"""Number of texts that are compared at once."""


def above(query: Sequence[str], row: Sequence[str], threshold: float) -> float | None:
    """Return the ROUGE-L F-measure of two texts if it is above the threshold."""
    from rapidfuzz.distance import LCSseq

    both = len(query) + len(row)
    need = int(threshold * both / 2)  # F = 2 * lcs / (len + len)
    lcs = LCSseq.similarity(query, row, score_cutoff=need)
    return float(2 * lcs / both) if both and 2 * lcs / both > threshold else None


def _needed(both: NDArray[np.int64], threshold: float) -> NDArray[np.float64]:
    """Return the number of words that two texts of so many words must exceed to have an F above the threshold."""
    return np.floor(threshold * both / 2)


def _shares_enough(query: Sequence[str], row: Sequence[str], threshold: float) -> bool:
    """Say for one row what ``RougeIndex._sharing`` says for all."""
    held = set(row)
    need = float(_needed(np.array(len(query) + len(row)), threshold))
    return sum(n for w, n in Counter(query).items() if w in held) > need and min(len(query), len(row)) > need


class NgramIndex:
    """All runs of ``n`` words of some texts; a shorter text is one run.

    With ``stock``, a run of stock phrases only does not count, unless at least half of the text's runs are shared.
    """

    def __init__(self, texts: Iterable[str], n: int, stock: Callable[[], StockPhrases] | None = None) -> None:
        self.n, self._stock = n, stock
        self._held = {run for t in texts for run, _ in runs(words(t), n)}

    def shares(self, text: str) -> bool:
        """Say whether a text shares a run with any of the texts."""
        return counts(words(text), self.shared(runs(words(text), self.n)), self.n, self._stock)

    def shared(self, own: Runs) -> Shared:
        """Return where a text's runs are also in one of the texts, and how many it has."""
        return [at for run, at in own if run in self._held], len(own)


def counts(row: Sequence[str], shared: Shared, n: int, stock: Callable[[], StockPhrases] | None) -> bool:
    """Say whether shared runs count, which those of stock phrases do not."""
    places, total = shared
    if stock is None or not places or 2 * len(places) >= total:
        return bool(places)
    phrases = stock()
    return any(not phrases.fill(row[at : at + n]) for at in places)


PHRASE = 4
"""Number of words in a stock phrase."""


class StockPhrases:
    """Phrases of four words in ``least`` or more different questions: common wording, which does not show copying.

    Counted are the held-out questions (``held``) and those of the ``pool``. A copy of a question, alone or inside other
    words, is not a different question: if half of a question's runs of ``n`` words are known already, it is not
    counted. So a leak does not make its own words common.
    """

    def __init__(self, held: Iterable[str], pool: Iterable[str], n: int, least: int) -> None:
        number: Counter[int] = Counter()
        seen: set[int] = set()
        for text in held:
            row = words(text)
            own = {run for run, _ in runs(row, n)}
            if not _copied(own, seen):
                number.update(_phrases(row))
            seen |= own
        for text in pool:
            row = words(text)
            if not _copied({run for run, _ in runs(row, n)}, seen):
                number.update(_phrases(row) & number.keys())
        self._stock = {phrase for phrase, times in number.items() if times >= least}

    def fill(self, run: Sequence[str]) -> bool:
        """Say whether every four consecutive words of a run are a stock phrase."""
        return _phrases(run) <= self._stock


def _copied(own: set[int], seen: set[int]) -> bool:
    return bool(own) and 2 * len(own & seen) >= len(own)


def _phrases(row: Sequence[str]) -> set[int]:
    return {hash(tuple(row[i : i + PHRASE])) for i in range(len(row) - PHRASE + 1)}


def runs(row: Sequence[str], n: int) -> Runs:
    """Return every run of ``n`` words as its hash and start position."""
    if len(row) < n:
        return [(hash(("short", *row)), 0)] if len(row) >= 4 else []
    return [(hash(tuple(row[i : i + n])), i) for i in range(len(row) - n + 1)]
