r"""LaTeX in the JSON text of a reply: restored if its meaning is certain, refused if it cannot be decided.

Models write ``\frac`` with one backslash. JSON reads its first two characters as an escape: ``\frac`` becomes a form
feed, ``\times`` a tab, ``\neq`` a line break. This module reads the raw text of a string, before that happens. It also
repairs the opposite case, ``\\n`` for a line break. The reason for each rule is given next to its table.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from sei.grading.latex_commands import CERTAIN, KNOWN, RELATIONS, WORDS, Doubt
from sei.instructors.remote.escapes import (
    GAP,
    LETTER,
    Evidence,
    Piece,
    is_break,
    next_text,
    pieces_of,
    rows_at,
    run_after,
    slashes,
    weighed,
)
from sei.instructors.remote.written import LOST


class UndecidedError(ValueError):
    """A text may be damaged beyond repair. The message gives the place and the reason."""


class Undecided(str):
    """A text that must not be used, with the reason."""

    why: str

    def __new__(cls, text: str, why: str) -> Undecided:
        """Make one from the original text."""
        made = super().__new__(cls, text)
        made.why = why
        return made


@dataclass
class Decoded:
    """The intended texts of a reply, in order, with the counts of repairs by kind."""

    texts: list[str] = field(default_factory=list)
    restored: Counter[str] = field(default_factory=Counter)


_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_LONE = re.compile("[\ud800-\udfff]")
_INLINE = re.compile(
    r"\$\$.*?\$\$|(?<![\\$])\$(?![\s$])(?:[^$\\\n]|\\.)*?(?<!\s)\$(?![\d$])|\\\(.*?\\\)|\\\[.*?\\\]", re.DOTALL
)
_HOLE = "\ue000"  # replaces an undecided piece during the search for mathematics
_LEFT = re.compile(r"(?:(?:^|[^A-Za-z])[A-Za-z]|[\d)}\]|$]|\\[a-z]+) $")
_RIGHT = re.compile(r"\s*(?:[\d\\({\[|$-]|[A-Za-z]\b(?!'))")


def decoded(bodies: Iterable[str]) -> Decoded:
    """Return the intended texts of the strings of one reply, given as the raw text between their quotes.

    A string with an ambiguous part is returned as ``Undecided``.
    """
    strings = [pieces_of(body) for body in bodies]
    evidence = weighed(strings)
    out = Decoded()
    for pieces in strings:
        out.texts.append(_Text(pieces, evidence, out.restored).read())
    return out


class _Text:
    """Turns the pieces of one string into its intended text."""

    def __init__(self, pieces: list[Piece], evidence: Evidence, restored: Counter[str]) -> None:
        self.pieces, self.evidence, self.restored = pieces, evidence, restored
        self.rows = rows_at(pieces)
        self.out: list[str] = []
        self.doubt = ""

    def read(self) -> str:
        """Return the intended text, or an ``Undecided``."""
        at = 0
        while at < len(self.pieces):
            piece = self.pieces[at]
            if piece.kind == "slash":
                at = self._slash(at)
                continue
            if piece.kind == "bare":
                self._bare(piece.value)
            elif piece.kind in ("control", "raw"):
                self._control(at)
            else:
                self.out.append(piece.value)
            at += 1
        text = _SURROGATES.sub(lambda m: m[0].encode("utf-16", "surrogatepass").decode("utf-16"), "".join(self.out))
        whole = _LONE.sub(LOST, text)  # half a character; a text that is used is then refused
        return Undecided(whole, self.doubt) if self.doubt else whole

    def _bare(self, value: str) -> None:
        """Read a backslash that JSON does not allow: LaTeX, Markdown, or an apostrophe escaped as in Python."""
        if value == "'":
            self.out.append("'")
            self.restored["apostrophe"] += 1
        else:
            self.out.append("\\" + value)
            self.restored["latex"] += 1

    def _control(self, at: int) -> None:
        char = self.pieces[at].value
        letter, run = LETTER.get(char), run_after(self.pieces, at)
        if letter is None:
            self.restored["control"] += 1  # a character that no text contains and no LaTeX escape
            return
        name = letter + run
        if name in CERTAIN or (char in "\a\b\v\f\x1b" and run and (char in "\b\f" or name in KNOWN)):
            self._latex(letter)
        elif char in "\b\f":
            self._refuse(at, f"a backspace or form feed before {run or 'no letter'!r}")
        elif char in "\a\v\x1b":
            self.restored["control"] += 1
        elif name not in KNOWN or self.pieces[at].kind == "raw":  # a raw one does not come from an escape
            self._plain(at, char)
        else:
            self._decide(at, char, letter, name)

    def _plain(self, at: int, char: str) -> None:
        """Keep a control character. A carriage return becomes a line break."""
        if char == "\r":
            follows = self.pieces[at + 1].value if at + 1 < len(self.pieces) else ""
            self.out.append("" if follows == "\n" else "\n")
        else:
            self.out.append(char)

    def _latex(self, letter: str) -> None:
        self.out.append("\\" + letter)
        self.restored["latex"] += 1

    def _refuse(self, at: int, what: str) -> None:
        near = "".join(p.value for p in self.pieces[max(0, at - 2) : at + 3])
        self.doubt = self.doubt or f"{what} in {near[-80:]!r} may be LaTeX or not"
        self.out.append(self.pieces[at].value)

    def _decide(self, at: int, char: str, letter: str, name: str) -> None:
        """Decide whether a line break or tab before letters is itself, or the start of a LaTeX command."""
        before, after = self._sides(at, len(name) - 1)
        proper = self.evidence.proper > 0 and not self.evidence.single  # this reply escapes its LaTeX
        what = {"\n": "a line break", "\t": "a tab"}.get(char, "a carriage return")
        inside = self._in_mathematics(at, lines=not proper)
        if _is_used(name, before, after) or (inside and not proper and not _is_term(name, after)):
            self._latex(letter)
        elif inside:
            self._refuse(at, f"{what} before {name[1:]!r} in mathematics (or \\{name})")
        elif (char == "\n" and proper) or (not self.evidence.single and _is_text(name, after)):
            self._plain(at, char)
        else:
            self._refuse(at, f"{what} before {name[1:]!r} (or \\{name})")

    def _sides(self, at: int, letters: int) -> tuple[str, str]:
        before = "".join(p.shown for p in self.pieces[max(0, at - 4) : at])
        return before, "".join(p.shown for p in self.pieces[at + 1 : at + 5])[letters:]

    def _in_mathematics(self, at: int, *, lines: bool = True) -> bool:
        """Tell whether a piece is inside delimiters of mathematics, in a place without line breaks.

        ``lines``: displayed mathematics on one line also counts.
        """
        starts, whole = self._layout
        here = starts[at]
        for found in _INLINE.finditer(whole):
            if found.start() < here < found.end():
                display = found[0].startswith(("$$", "\\["))
                return not (display and (not lines or here == found.start() + 2 or "\n" in found[0]))
        return False

    @cached_property
    def _layout(self) -> tuple[list[int], str]:
        """Return the begin of each piece, and the text with a placeholder for each undecided piece."""
        starts, shown, size = [], [], 0
        for i, p in enumerate(self.pieces):
            starts.append(size)
            doubtful = p.kind == "control" and LETTER.get(p.value, "") + run_after(self.pieces, i) in KNOWN
            shown.append(_HOLE if doubtful else p.shown)
            size += len(shown[-1])
        return starts, "".join(shown)

    def _slash(self, at: int) -> int:
        """Read a run of escaped backslashes and return the next position."""
        n = slashes(self.pieces, at)
        last = at + n - 1
        run, follows = run_after(self.pieces, last), next_text(self.pieces, last)
        if self.evidence.doubled:
            return self._halved(n, last, follows)
        if n == 2 and run in KNOWN and len(run) > 1:  # no command's name follows a line break of LaTeX directly
            if self.evidence.proper:
                return self._unclear(n, last, f"four backslashes before {run!r}")
            return self._slashes(1, last)
        if n == 1 and GAP.match(follows):
            return self._slashes(2, last)
        if is_break(run):
            return self._break(n, last, run, follows)
        if n % 2 and run[:1] == "n" and run in WORDS and self.evidence.twice and not self._settled(last, run):
            return self._unclear(n, last, f"\\{run} (or a line break before {run[1:]!r})")
        if n == 1 and self.evidence.single and run not in KNOWN and self._ends_row(last, run, follows):
            certain = self.evidence.one and (self.rows[last] or follows[0].isspace())
            return self._slashes(2, last) if certain else self._unclear(n, last, r"\\ (or the end of a row)")
        self.out.append("\\" * n)
        return last + 1

    def _ends_row(self, last: int, run: str, follows: str) -> bool:
        """Tell whether one escaped backslash may be a line break of LaTeX that lacks a backslash."""
        if follows[0].isspace():
            return True
        if not self.rows[last]:
            return 0 < len(run) <= 2 and not follows.startswith((f"{run}{{", f"{run}'"))
        return bool(run) or follows[0].isdigit() or follows[0] in "&+-=."

    def _break(self, n: int, last: int, run: str, follows: str) -> int:
        """Read backslashes before an ``n`` that begins no command: a line break, or a row end before a variable."""
        sure = self.evidence.sure or not self.evidence.single
        if n % 2 and run[1:2].islower() and self._in_mathematics(last):
            return self._unclear(n, last, f"\\{run} in mathematics (or a line break before {run[1:]!r})")
        if n % 2:
            return self._line_break(n - 1, last) if sure or not self.rows[last] else self._row_of_n(n, last, run)
        if not self.evidence.single and not self.evidence.ends and not follows[1:2].isdigit():
            return self._slashes(n, last, mended=False)
        if self.evidence.one and self.evidence.sure:
            return self._line_break(n, last)
        return self._row_of_n(n, last, run)

    def _row_of_n(self, n: int, last: int, run: str) -> int:
        return self._unclear(n, last, f"a line break before {run[1:]!r} (or the end of a row before {run!r})")

    def _halved(self, n: int, last: int, follows: str) -> int:
        """Read backslashes of a reply that is escaped once too often."""
        if n % 2 == 0:
            return self._slashes(n // 2, last)
        if follows[:1] == "n":
            return self._line_break(n // 2, last)
        return self._slashes(n // 2, last) if follows[:1] == '"' else self._unclear(n, last, f"{2 * n} backslashes")

    def _slashes(self, n: int, last: int, *, mended: bool = True) -> int:
        self.out.append("\\" * n)
        self.restored["latex"] += mended
        return last + 1

    def _line_break(self, n: int, last: int) -> int:
        """Write n backslashes and a line break that replaces the following ``n``."""
        self.out.append("\\" * n + "\n")
        self.restored["line break"] += 1
        self.pieces[last + 1] = Piece("text", self.pieces[last + 1].value[1:])
        return last + 1

    def _unclear(self, n: int, last: int, what: str) -> int:
        self._refuse(last, what)
        self.out[-1] = "\\" * n
        return last + 1

    def _settled(self, at: int, run: str) -> bool:
        before, after = self._sides(at, len(run))
        return self._in_mathematics(at) or _is_used(run, before, after)


def _is_text(name: str, after: str) -> bool:
    """Tell whether the rest of a command can begin a line as text: a word, or Euler's number."""
    return WORDS[name] is Doubt.WORD or (name == "ne" and re.match(r"\^|\s*=", after) is not None)


def _is_term(name: str, after: str) -> bool:
    """Tell whether the following text makes the rest of a command a term, which cannot follow a relation directly."""
    return name in RELATIONS and re.match(r"\s*[_^=<>]", after) is not None


def _is_used(name: str, before: str, after: str) -> bool:
    """Tell whether the context fits the command: a relation between terms, or a function before its argument."""
    if name in RELATIONS:
        return _LEFT.search(before) is not None and _RIGHT.match(after) is not None
    return (name in _USES) and re.match(_USES[name], after) is not None


_USES = {"tan": r"\s*(?:[(\\{^0-9]|[A-Za-z]\b|theta|alpha)", "not": r"\s*(?:=|\\)"}
