"""The screen: keeps synthetic questions apart from test, dev and validation text.

It is built outside the stages, which must not see such text, and answers one question: why must this text be dropped?
The rules, in order: exact text, shared n-gram, masked signature, ROUGE-L, embedding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from sei.parts import IMMATERIAL, part
from sei.ports import Embedder
from sei.returned import embedded
from sei.screening.group import Group, group
from sei.screening.near import StockPhrases, counts, words
from sei.screening.overlap import Overlap
from sei.store import digest

_BLOCK = 2_048  # number of questions compared at once


@part
class Decontamination:
    """The rules that keep synthetic questions apart from held-out text; all are on by default.

    ``ngram``: length in words of a run that must not be shared (0: off). ``boilerplate``: a shared run does not count
    if every four consecutive words of it are in this many different questions, held out or in the pool, so that they
    are common wording ("relatively prime positive integers. Find m + n."). It still counts if half of the question is
    shared (0: every run counts). ``rouge_l``: F-measure above which a question is too near (1: off; paper: 0.7).
    ``embedding``: cosine similarity above which a question is a paraphrase (1: off). Embedding is the only slow rule,
    so it only compares pairs with an F-measure of shared words (in any order, weighted by rarity) of at least
    ``overlap`` (0: all pairs). Of 1,749 pairs with a cosine above 0.95 among 30,000 questions, the smallest such
    F-measure is 0.51.
    """

    identity: ClassVar[str] = "screening/decontamination"
    version: ClassVar[int] = 2
    embedder: Embedder
    ngram: Annotated[int, Field(ge=0, le=100)] = 13
    rouge_l: Annotated[float, Field(gt=0, le=1)] = 0.7
    embedding: Annotated[float, Field(gt=0, le=1)] = 0.95
    overlap: Annotated[float, Field(ge=0, lt=1)] = 0.5
    boilerplate: Annotated[int, Field(ge=0), IMMATERIAL] = 4  # ``reads`` puts it into the key if runs are compared

    def reads(self) -> dict[str, int]:
        """Return the settings for boilerplate, if runs of words are compared."""
        return {"boilerplate": self.boilerplate} if self.ngram and self.boilerplate else {}

    def screen(self, apart: Mapping[str, Sequence[str]], pool: Sequence[str] = ()) -> HeldOutScreen:
        """Return the screen for named groups of held-out questions; ``pool`` helps to find common wording."""
        return HeldOutScreen(apart, self, pool)


class HeldOutScreen:
    """A ``Screen`` over fixed texts in named groups; everything it needs is built at first use."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("digest",)

    def __init__(self, apart: Mapping[str, Sequence[str]], rules: Decontamination, pool: Sequence[str] = ()) -> None:
        self.apart, self.rules, self.pool = apart, rules, pool
        self._similar: dict[str, str | None] = {}
        self._held: dict[int, Any] = {}  # vectors of held-out questions, made at first use

    @cached_property
    def digest(self) -> str:
        """Return the digest of the texts and the rules, for the store's key."""
        texts = {k: list(v) for k, v in self.apart.items()}
        return digest(texts, self.rules, list(self.pool)) if self.rules.reads() else digest(texts, self.rules)

    @cached_property
    def _groups(self) -> dict[str, Group]:
        return {name: group(tuple(qs), self.rules.ngram) for name, qs in self.apart.items()}

    @cached_property
    def _stock(self) -> StockPhrases:
        held = (q for qs in self.apart.values() for q in qs)
        return StockPhrases(held, self.pool, self.rules.ngram, self.rules.boilerplate)

    @cached_property
    def _all(self) -> tuple[list[str], list[str], Overlap]:
        """Return all held-out questions, the group of each, and their words."""
        pairs = [(q, name) for name, qs in self.apart.items() for q in qs]
        return [q for q, _ in pairs], [name for _, name in pairs], Overlap([g.index for g in self._groups.values()])

    @cached_property
    def _vectors(self) -> dict[str, Any]:
        groups = {n: list(qs) for n, qs in self.apart.items() if qs}
        return {n: embedded(self.rules.embedder, qs) for n, qs in groups.items()} if self.rules.embedding < 1 else {}

    def reason(self, question: str) -> str | None:
        """Return ``<group>_<rule>``, or ``None`` if the question may stay."""
        return self.reasons([question])[0]

    def reasons(self, questions: Sequence[str]) -> list[str | None]:
        """Return the reason for each question; many together take much less time than one by one."""
        found = self._by_text(questions)
        if self.rules.embedding < 1:
            left = [q for q, reason in zip(questions, found, strict=True) if reason is None]
            new = [q for q in dict.fromkeys(left) if q not in self._similar]
            self._similar.update(dict.fromkeys(new))
            for start in range(0, len(new), _BLOCK):
                block = new[start : start + _BLOCK]
                self._compare_near(block) if self.rules.overlap else self._compare(block)
            found = [r or self._similar.get(q) for q, r in zip(questions, found, strict=True)]
        return found

    def _by_text(self, questions: Sequence[str]) -> list[str | None]:
        reasons = {q: self._alike(q) for q in dict.fromkeys(questions)}
        left = [q for q, reason in reasons.items() if reason is None]
        for name, held in self._groups.items() if self.rules.rouge_l < 1 else ():
            near = held.near(left, self.rules.rouge_l)
            reasons.update(dict.fromkeys(near, f"{name}_rouge"))
            left = [q for q in left if q not in near]
        return [reasons[q] for q in questions]

    def _alike(self, question: str) -> str | None:
        """Return the reason by the rules that compare no pair of texts."""
        found = {name: held.alike(question) for name, held in self._groups.items()}
        last_first = list(reversed(found.items()))
        for name, (exact, _, _) in last_first:
            if exact:
                return f"{name}_exact"
        stock = (lambda: self._stock) if self.rules.ngram and self.rules.boilerplate else None
        for name, (_, shared, _) in found.items():
            if shared[0] and counts(words(question), shared, self.rules.ngram, stock):
                return f"{name}_ngram"
        for name, (_, _, signature) in last_first:
            if signature:
                return f"{name}_signature"
        return None

    def _compare(self, block: Sequence[str]) -> None:
        vectors = embedded(self.rules.embedder, block)
        for name, held in reversed(self._vectors.items()):
            near = (vectors @ held.T).max(axis=1) > self.rules.embedding
            for i in np.flatnonzero(near).tolist():
                self._similar[block[i]] = f"{name}_embedding"

    def _compare_near(self, block: Sequence[str]) -> None:
        """Embed only questions that share words with a held-out one, and compare only such pairs."""
        texts, names, overlap = self._all
        found = zip(block, overlap.rows(block, self.rules.overlap), strict=True)
        partners = {q: rows for q, rows in found if rows}
        wanted = sorted({i for rows in partners.values() for i in rows} - self._held.keys())
        if wanted:
            self._held.update(zip(wanted, embedded(self.rules.embedder, [texts[i] for i in wanted]), strict=True))
        vectors = embedded(self.rules.embedder, list(partners)) if partners else ()
        for (q, rows), vector in zip(partners.items(), vectors, strict=True):
            near = np.flatnonzero(np.stack([self._held[i] for i in rows]) @ vector > self.rules.embedding)
            if len(near):  # rows are ordered by group; the first gives the reason
                self._similar[q] = f"{names[rows[int(near[0])]]}_embedding"
