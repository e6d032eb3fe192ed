"""Splits raw JSON strings into pieces, and collects evidence on how a reply escapes its backslashes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sei.grading.latex_commands import CERTAIN, KNOWN, WORDS


@dataclass(frozen=True)
class Piece:
    """A part of a JSON string.

    ``kind`` is ``text``, ``slash`` (one backslash, properly escaped), ``control`` (an escape for a control character),
    ``raw`` (a control character itself) or ``bare`` (a backslash where JSON allows none). ``value`` is the decoded
    text; for ``bare`` it is the text after the backslash.
    """

    kind: str
    value: str

    @property
    def shown(self) -> str:
        """Return the piece as LaTeX text, for pieces without ambiguity."""
        return "\\" + self.value if self.kind == "bare" else self.value


@dataclass
class Evidence:
    """Counts of how the strings of one reply escape backslashes.

    ``single``: unambiguous LaTeX with one backslash. ``proper``: known commands with two; ``words``: those of them that
    could also be a line break before a word. ``four``: known commands with four. ``twice``: line breaks with two
    backslashes; ``sure``: those of them outside rows of LaTeX, in which ``n`` may begin a row. ``ends``: rows that end
    properly in a line break.
    """

    single: int = 0
    proper: int = 0
    words: int = 0
    four: int = 0
    twice: int = 0
    sure: int = 0
    ends: int = 0

    @property
    def doubled(self) -> bool:
        """Tell whether the whole reply is escaped once too often."""
        return self.four > 0 and self.single == 0 and self.proper == self.words

    @property
    def one(self) -> bool:
        """Tell whether LaTeX has one backslash throughout."""
        return self.single > 0 and self.proper == 0

    @property
    def mixed(self) -> bool:
        """Tell whether LaTeX has one backslash in some places and two in others."""
        return self.single > 0 and self.proper > 0


_PIECE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)|[^\\\x00-\x1f\x7f]+|[\x00-\x1f\x7f]|\\", re.DOTALL)
_SHORT = {'"': '"', "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
LETTER = {"\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r", "\x1b": "e"}
"""The letter of the escape of each control character."""
_RUN = re.compile(r"[A-Za-z]*")
MATH = frozenset("()[]{},;:!|")
"""Characters that follow a backslash in mathematics."""
GAP = re.compile(r"\[-?[\d.]+ ?(?:pt|em|ex|mm|cm)\]")
"""A length that may follow a line break of LaTeX."""


def pieces_of(body: str) -> list[Piece]:
    """Return the pieces of a string, given as the raw text between its quotes."""
    return list(_pieces(body))


def weighed(strings: Iterable[list[Piece]]) -> Evidence:
    """Return the evidence from the strings of a reply."""
    evidence = Evidence()
    for pieces in strings:
        _weigh(pieces, evidence)
    return evidence


def _pieces(body: str) -> Iterator[Piece]:
    for found in _PIECE.findall(body):
        if found == "\\\\":
            yield Piece("slash", "\\")
        elif found.startswith("\\"):
            rest = found[1:]
            if len(rest) == 5:
                rest = chr(int(rest[1:], 16))
                yield Piece("control" if _is_control(rest) else "text", rest)
            elif rest in _SHORT:
                value = _SHORT[rest]
                yield Piece("control" if _is_control(value) else "text", value)
            else:
                yield Piece("bare", rest)
        else:
            yield Piece("raw" if _is_control(found) else "text", found)


def _is_control(text: str) -> bool:
    return len(text) == 1 and (text < " " or text == "\x7f")


def run_after(pieces: list[Piece], at: int) -> str:
    """Return the letters directly after a piece."""
    after = pieces[at + 1] if at + 1 < len(pieces) else None
    return _RUN.match(after.value)[0] if after is not None and after.kind == "text" else ""  # type: ignore[index]


def next_text(pieces: list[Piece], at: int) -> str:
    """Return the text directly after a piece, or a space if no text follows."""
    after = pieces[at + 1] if at + 1 < len(pieces) else None
    return after.value if after is not None and after.kind == "text" else " "


def slashes(pieces: list[Piece], at: int) -> int:
    """Return the number of consecutive escaped backslashes from here on."""
    n = 0
    while at + n < len(pieces) and pieces[at + n].kind == "slash":
        n += 1
    return n


def rows_at(pieces: list[Piece]) -> list[bool]:
    r"""Return for each piece whether it is between ``\begin{...}`` and ``\end{...}``, in any escaping."""
    depth, out = 0, []
    for i, piece in enumerate(pieces):
        before = pieces[i - 1] if i else Piece("text", "")
        if piece.kind == "text" and before.kind in ("slash", "control", "bare"):
            name = (LETTER.get(before.value, "") or before.value.strip("\\")) + piece.value
            depth += name.startswith("begin{")
            depth -= name.startswith("end{")
        out.append(depth > 0)
    return out


def is_break(run: str) -> bool:
    """Tell whether a backslash and these letters are a line break written with two backslashes, not a command."""
    return run[:1] == "n" and run not in KNOWN


def _weigh(pieces: list[Piece], evidence: Evidence) -> None:
    at, rows = 0, rows_at(pieces)
    while at < len(pieces):
        piece, run = pieces[at], run_after(pieces, at)
        if piece.kind == "bare":
            evidence.single += piece.value.isalpha() or piece.value in MATH  # not \\$ and \\_, which Markdown also has
        elif piece.kind == "control":
            letter = LETTER.get(piece.value)
            evidence.single += letter is not None and letter + run in CERTAIN
        elif piece.kind == "slash":
            n = slashes(pieces, at)
            at += n - 1
            evidence.ends += n == 2 and at + 1 < len(pieces) and pieces[at + 1] == Piece("control", "\n")
            _weigh_slashes(n, run_after(pieces, at), next_text(pieces, at), in_rows=rows[at], evidence=evidence)
        at += 1


def _weigh_slashes(n: int, run: str, follows: str, *, in_rows: bool, evidence: Evidence) -> None:
    if n == 1:
        evidence.proper += run in KNOWN or (follows[:1] in MATH and not GAP.match(follows))
        evidence.words += run in WORDS
        evidence.twice += is_break(run)
        evidence.sure += is_break(run) and not in_rows
    elif n == 2:
        evidence.four += is_command(run, follows)


def is_command(run: str, follows: str) -> bool:
    """Tell whether letters can only be the name of a command, which never follows a line break of LaTeX."""
    return (run in KNOWN and len(run) > 1) or (len(run) > 1 and follows[len(run) : len(run) + 1] == "{")
