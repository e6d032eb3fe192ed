"""Search for questions that share words, in any order, so that embeddings are compared for few pairs alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sei.screening.near import BLOCK, RougeIndex, words

_FEW_WORDS = 8
_ROUNDING = 1e-9
_NEAR = 1e-6  # a pair so near the limit is computed again, word by word


class Overlap:
    """The texts of several indexes, as one list in their order.

    The measure is the F-measure of shared words. Each word is weighted by its rarity among all these texts, log(1 +
    texts / texts with it), so near texts share their subject and not only common wording. For texts of fewer than eight
    words (another script, a bare formula) words say too little: all such texts count as overlapping.
    """

    def __init__(self, indexes: Sequence[RougeIndex]) -> None:
        self._indexes = [index for index in indexes if index.rows]
        self._rows = [row for index in self._indexes for row in index.rows]
        self._held: Counter[str] = Counter()
        self._matrices = [index.matrix().astype(np.float64) for index in self._indexes]
        for index, matrix in zip(self._indexes, self._matrices, strict=True):
            self._held.update(dict(zip(index.ids, matrix.getnnz(axis=0).tolist(), strict=True)))
        known = {w: self._weight(w) for w in self._held}
        self._summed = np.array([sum(known[w] for w in row) for row in self._rows], dtype=np.float64)
        self._few = np.flatnonzero(np.array([len(row) for row in self._rows]) < _FEW_WORDS).tolist()

    def rows(self, texts: Sequence[str], least: float) -> list[list[int]]:
        """Return for each text the indices of those that overlap with it to at least ``least`` (0 to 1)."""
        found: list[list[int]] = []
        for start in range(0, len(texts), BLOCK):
            found += self._of_block([words(t) for t in texts[start : start + BLOCK]], least)
        return found

    def _of_block(self, queries: Sequence[Sequence[str]], least: float) -> list[list[int]]:
        found: list[list[int]] = [[] for _ in queries]
        if not self._rows:
            return found
        counted = [Counter(q) for q in queries]
        weighted = [{w: self._weight(w) for w in counts} for counts in counted]
        totals = [
            sum(weights[w] * n for w, n in counts.items()) for counts, weights in zip(counted, weighted, strict=True)
        ]
        shared = self._shared(counted, weighted)  # an upper bound: a word counts as often as it is in the query
        need = least * (self._summed[:, None] + np.array(totals)) - _ROUNDING
        for i, at in np.argwhere(2 * shared >= need - _NEAR).tolist():
            row, counts, weights = self._rows[i], counted[at], weighted[at]
            repeated = ((w, n, row.count(w)) for w, n in counts.items() if n > 1)
            over = sum(weights[w] * (n - c) for w, n, c in repeated if 0 < c < n)
            margin = 2 * (shared[i, at] - over) - need[i, at]
            if abs(margin) < _NEAR:
                held = set(row)
                exact = sum((weights[w] * n for w, n in counts.items() if w in held), 0.0)
                margin = 2 * (exact - over) - need[i, at]
            if margin >= 0:
                found[at].append(i)
        for at, query in enumerate(queries):
            if len(query) < _FEW_WORDS:
                found[at] = sorted({*found[at], *self._few})
        return found

    def _shared(self, counted: Sequence[Counter[str]], weighted: Sequence[dict[str, float]]) -> NDArray[np.float64]:
        """Return for every text and query the summed weight of the query's words that the text has."""
        parts = []
        for index, matrix in zip(self._indexes, self._matrices, strict=True):
            of_words = np.zeros((len(index.ids), len(counted)))
            for at, (counts, weights) in enumerate(zip(counted, weighted, strict=True)):
                for w, n in counts.items():
                    if w in index.ids:
                        of_words[index.ids[w], at] = weights[w] * n
            parts.append(matrix @ of_words)
        return np.concatenate(parts)

    def _weight(self, word: str) -> float:
        return math.log1p(len(self._rows) / max(1, self._held[word]))
