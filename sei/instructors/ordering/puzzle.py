"""Reads, solves and writes ordering puzzles: sentences that compare persons, and a question about the order.

Sentences are read by their common form, not by a list of wordings: the person before "is" is compared with the other
person named. The text around names and relation words is kept, so that a puzzle can be rewritten with other persons. A
puzzle that cannot be read, or that leaves the order open, is refused with a typed reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sei.grading.deduction import names_of

Pole = Literal["more", "less"]
Pair = tuple[str, str]  # the first person is above the second


class RefusedError(Exception):
    """A puzzle that cannot be read or solved. ``args[0]`` is the typed reason."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """The words of a relation in its two directions."""

    more: str
    most: str
    less: str
    least: str

    def opposite(self, word: str) -> str:
        """Return the word for the other direction."""
        ways = (self.more, self.less, self.more), (self.most, self.least, self.most)
        return next(w[w.index(word) + 1] for w in ways if word in w)


# a reader's knowledge: opposites and their superlatives
LEXICON = tuple(
    Words(more=f"{a}er", most=f"{a}est", less=f"{b}er", least=f"{b}est")
    for a, b in (
        *(("tall", "short"), ("heavi", "light"), ("old", "young"), ("fast", "slow"), ("strong", "weak")),
        *(("rich", "poor"), ("high", "low"), ("bigg", "small"), ("loud", "quiet"), ("hott", "cold")),
    )
)
_COMPARATIVES: dict[str, tuple[Words, Pole]] = {w.more: (w, "more") for w in LEXICON}
_COMPARATIVES |= {w.less: (w, "less") for w in LEXICON}
_SUPERLATIVES: dict[str, tuple[Words, Pole]] = {w.most: (w, "more") for w in LEXICON}
_SUPERLATIVES |= {w.least: (w, "less") for w in LEXICON}
_RANKS = {"second": 1, "third": 2}
_NO_TIES = re.compile(r"\b(?:differ|different|no two|no ties?)\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Clue:
    """A sentence that compares ``persons[0]`` with the others.

    ``frame`` is its text with slots: ``{0}`` to ``{2}`` for persons, ``{a}`` and ``{b}`` for the relation words.
    ``poles`` are the directions of these words.
    """

    frame: str
    persons: tuple[str, ...]
    poles: tuple[Pole, ...]
    negated: bool = False

    @property
    def upwards(self) -> tuple[bool, ...]:
        """Tell for each comparison whether it puts the first person above the other."""
        return tuple((p == "more") != self.negated for p in self.poles)

    def pairs(self) -> list[Pair]:
        """Return the pairs that the sentence states."""
        first, *others = self.persons
        return [(first, o) if up else (o, first) for o, up in zip(others, self.upwards, strict=True)]


@dataclass(frozen=True, kw_only=True)
class Ask:
    """The question: it asks for a rank from one end (``pole``), the middle, or the person between two others."""

    frame: str
    kind: Literal["rank", "middle", "between"]
    pole: Pole = "more"
    rank: int = 0
    persons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Puzzle:
    """A puzzle that was read: clues in the order of the text, remarks without comparisons, and the question."""

    clues: tuple[Clue, ...]
    words: Words
    ask: Ask
    remarks: tuple[str, ...] = ()

    @property
    def persons(self) -> tuple[str, ...]:
        """All persons, in the order of the clues' pairs."""
        return tuple(dict.fromkeys(p for pair in self.pairs() for p in pair))

    def pairs(self) -> list[Pair]:
        """Return all pairs that the clues state, in the order of the text."""
        return [pair for c in self.clues for pair in c.pairs()]


def read(question: str) -> Puzzle:
    """Read a puzzle.

    Raises:
        RefusedError: ``no_clues``, ``unread_clue``, ``unread_question``, ``several_relations`` or
            ``ties_possible`` (a negation, and no remark says that all differ).
    """
    sentences = [s.strip() for s in re.findall(r"[^.?!]+[.?!]", question)]
    names = names_of(question)
    if len(sentences) < 2 or not names or "{" in question:
        raise RefusedError("no_clues")
    clues: list[Clue] = []
    remarks: list[str] = []
    used: set[Words] = set()
    for s in sentences[:-1]:
        if not re.search(_any_of(names), s) and not _words_of(_COMPARATIVES, s):
            remarks.append(s)
            continue
        clue, words = _read_clue(s, names)
        clues.append(clue)
        used |= words
    ask, asked = _read_ask(sentences[-1], names)
    if not clues:
        raise RefusedError("no_clues")
    if len(used | asked) > 1:
        raise RefusedError("several_relations")
    if any(c.negated for c in clues) and not any(_NO_TIES.search(r) for r in remarks):
        raise RefusedError("ties_possible")
    return Puzzle(clues=tuple(clues), words=used.pop(), ask=ask, remarks=tuple(remarks))


def _any_of(words: Iterable[str]) -> str:
    return r"\b(?:" + "|".join(map(re.escape, sorted(words, key=len, reverse=True))) + r")\b"


def _words_of(lexicon: Mapping[str, object], sentence: str) -> list[str]:
    return [w for w in re.findall(r"\w+", sentence) if w in lexicon]


def _framed(sentence: str, slots: Mapping[str, str]) -> str:
    return re.sub(_any_of(slots), lambda m: "{" + slots[m[0]] + "}", sentence)


def _read_clue(sentence: str, names: Sequence[str]) -> tuple[Clue, set[Words]]:
    n = _any_of(names)
    double = re.search(rf"({n}) is (\w+) than ({n}) but (\w+) than ({n})", sentence)
    single = re.search(rf"({n}) is (not )?(?:the )?(\w+)", sentence)
    named = list(dict.fromkeys(re.findall(n, sentence)))
    persons: tuple[str, ...]
    said: tuple[str, ...]
    if double:
        persons, said = (double[1], double[3], double[5]), (double[2], double[4])
    elif single:
        persons, said = (single[1], *(p for p in named if p != single[1])), (single[3],)
    else:
        raise RefusedError("unread_clue")
    compared = sorted(_words_of(_COMPARATIVES, sentence)) == sorted(said)
    if set(named) != set(persons) or len(named) != len(said) + 1 or not compared:
        raise RefusedError("unread_clue")
    slots = {p: str(i) for i, p in enumerate(persons)} | dict(zip(said, "ab", strict=False))
    clue = Clue(
        frame=_framed(sentence, slots),
        persons=persons,
        poles=tuple(_COMPARATIVES[w][1] for w in said),
        negated=not double and bool(single and single[2]),
    )
    return clue, {_COMPARATIVES[w][0] for w in said}


def _read_ask(sentence: str, names: Sequence[str]) -> tuple[Ask, set[Words]]:
    persons, superlatives = re.findall(_any_of(names), sentence), _words_of(_SUPERLATIVES, sentence)
    if len(superlatives) == 1 and not persons:
        words, pole = _SUPERLATIVES[superlatives[0]]
        rank = next((r for w, r in _RANKS.items() if re.search(rf"\b{w}\b", sentence)), 0)
        return Ask(frame=_framed(sentence, {superlatives[0]: "s"}), kind="rank", pole=pole, rank=rank), {words}
    if "between" in sentence and len(set(persons)) == 2:
        slots = {persons[0]: "0", persons[1]: "1"}
        return Ask(frame=_framed(sentence, slots), kind="between", persons=(persons[0], persons[1])), set()
    if "middle" in sentence and not persons:
        return Ask(frame=sentence, kind="middle"), set()
    raise RefusedError("unread_question")


def arrange(pairs: Sequence[Pair], *, strict: bool = True) -> list[str]:
    """Put persons in order, highest first, from pairs.

    Without ``strict``, persons in an open order are put in the order in which they are first named.

    Raises:
        RefusedError: ``clues_contradict``, or ``order_left_open`` with ``strict``.
    """
    left = list(dict.fromkeys(p for pair in pairs for p in pair))
    chain: list[str] = []
    while left:
        heads = [p for p in left if not any(below == p and above in left for above, below in pairs)]
        if not heads:
            raise RefusedError("clues_contradict")
        if strict and len(heads) > 1:
            raise RefusedError("order_left_open")
        chain.append(heads[0])
        left.remove(heads[0])
    return chain


def answer(ask: Ask, chain: Sequence[str]) -> str:
    """Return the person asked for.

    Raises:
        RefusedError: ``nobody_fits`` if the order has no such place.
    """
    n = len(chain)
    if ask.kind == "rank" and ask.rank < n:
        return chain[ask.rank if ask.pole == "more" else n - 1 - ask.rank]
    if ask.kind == "middle" and n % 2:
        return chain[n // 2]
    if ask.kind == "between" and set(ask.persons) <= set(chain):
        i, j = sorted(chain.index(p) for p in ask.persons)
        if j == i + 2:
            return chain[i + 1]
    raise RefusedError("nobody_fits")


def tell(puzzle: Puzzle) -> str:
    """Write a puzzle's question."""
    poles = {"more": puzzle.words.more, "less": puzzle.words.less}
    told = []
    for c in puzzle.clues:
        said = dict(zip("ab", (poles[p] for p in c.poles), strict=False))
        told.append(c.frame.format(*c.persons, **said))
    superlative = puzzle.words.most if puzzle.ask.pole == "more" else puzzle.words.least
    return " ".join([*told, *puzzle.remarks, puzzle.ask.frame.format(*puzzle.ask.persons, s=superlative)])


def work(pairs: Sequence[Pair], chain: Sequence[str], stated: str) -> str:
    """Write a solution: one line per pair, the chain, and the answer."""
    return "\n".join([*(f"{a} > {b}" for a, b in pairs), " > ".join(chain), f"#### {stated}"])
