"""The screen: keeps synthetic questions apart from test, dev and validation text.

It is built outside the stages that must not see such text and answers one question only: why must
this be dropped? Two rules: the same masked signature, and ROUGE-L F above a threshold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from sei.signature import masked_signature
from sei.store import digest

_WORD = re.compile(r"\d+(?:\.\d+)?|[a-z']+")


def words(text: str) -> list[str]:
    """Return the tokens that ROUGE-L compares: lower-case words and numbers."""
    return _WORD.findall(text.lower())


class RougeIndex:
    """Texts to compare with by ROUGE-L F-measure (longest common subsequence of words; Lin 2004)."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._rows: list[list[str]] = []
        for t in texts:
            self.add(t)

    def add(self, text: str) -> None:
        """Add one text."""
        self._rows.append(words(text))

    def closest(self, text: str, threshold: float) -> float | None:
        """Return the first F above the threshold that is found, or ``None``."""
        from rapidfuzz.distance import LCSseq

        query = words(text)
        for row in self._rows:
            both = len(query) + len(row)
            need = int(threshold * both / 2)  # F = 2 * lcs / (len + len)
            if min(len(query), len(row)) > need and both:
                lcs = LCSseq.similarity(query, row, score_cutoff=need)
                if 2 * lcs / both > threshold:
                    return float(2 * lcs / both)
        return None


class HeldOutScreen:
    """A ``Screen`` over fixed texts.

    ``apart`` are named groups of questions whose masked signature (and, below ``rouge_l`` = 1, ROUGE-L
    neighbourhood) is forbidden.
    """

    IDENTITY: ClassVar[tuple[str, ...]] = ("digest",)

    def __init__(self, apart: Mapping[str, Sequence[str]], rouge_l: float = 1.0) -> None:
        self.digest = digest(dict(apart), rouge_l)
        self._signatures = {masked_signature(q): name for name, qs in apart.items() for q in qs}
        self._rouge_l = rouge_l
        self._index = {n: RougeIndex(qs) for n, qs in apart.items()} if rouge_l < 1 else {}

    def reason(self, question: str) -> str | None:
        """Return ``<group>_signature`` or ``<group>_rouge``, or ``None`` where the question may stay."""
        name = self._signatures.get(masked_signature(question))
        if name is not None:
            return f"{name}_signature"
        for group, index in self._index.items():
            if index.closest(question, self._rouge_l) is not None:
                return f"{group}_rouge"
        return None
