r"""LaTeX in the JSON text of a reply: restored where it can be nothing else, refused where it cannot be decided.

Models write ``\frac`` with one backslash. JSON takes its first two characters for an escape: ``\frac`` becomes a form
feed, ``\times`` a tab, ``\neq`` a line break. Here a string is read from its text, before that happens. The way back,
``\\n`` where a line break was meant, is mended too. What a rule rests on stands beside its table.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from sei.instructors.remote.latex_commands import CERTAIN, KNOWN, OVER_ESCAPED, RELATIONS, WORDS, Doubt


class UndecidedError(ValueError):
    """A text may be damaged in a way that nobody can undo; the message says where and why."""


class Undecided(str):
    """A text that must not be used, with the reason why."""

    why: str

    def __new__(cls, text: str, why: str) -> Undecided:
        """Make one of the text as it came."""
        made = super().__new__(cls, text)
        made.why = why
        return made


@dataclass(frozen=True)
class Piece:
    """A part of a JSON string.

    ``kind`` is ``text``, ``slash`` (one backslash, escaped as it should be), ``control`` (an escape that stands for a
    control character), ``raw`` (a control character itself) or ``bare`` (a backslash where JSON allows none).
    ``value`` is what JSON makes of it; of ``bare`` it is what follows the backslash.
    """

    kind: str
    value: str

    @property
    def shown(self) -> str:
        """Return the piece as LaTeX has it, where it is none that must be decided."""
        return "\\" + self.value if self.kind == "bare" else self.value


@dataclass
class Evidence:
    """What the strings of one reply say of how it escapes.

    ``single``: LaTeX with one backslash that can be nothing else. ``proper``: known commands with two. ``twice``: line
    breaks with two backslashes that can be nothing else.
    """

    single: int = 0
    proper: int = 0
    twice: int = 0


@dataclass
class Decoded:
    """Texts of a reply as they were meant, in order, with what was restored in them by kind."""

    texts: list[str] = field(default_factory=list)
    restored: Counter[str] = field(default_factory=Counter)


_PIECE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)|[^\\\x00-\x1f\x7f]+|[\x00-\x1f\x7f]|\\", re.DOTALL)
_SHORT = {'"': '"', "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LETTER = {"\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r", "\x1b": "e"}
_RUN = re.compile(r"[A-Za-z]*")
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_LONE = re.compile("[\ud800-\udfff]")
_INLINE = re.compile(
    r"\$\$.*?\$\$|(?<![\\$])\$(?![\s$])(?:[^$\\\n]|\\.)*?(?<!\s)\$(?![\d$])|\\\(.*?\\\)|\\\[.*?\\\]", re.DOTALL
)
_MATH = frozenset("()[]{},;:!|")  # what a backslash stands before in mathematics
_GAP = re.compile(r"\[-?[\d.]+ ?(?:pt|em|ex|mm|cm)\]")  # behind a line break of LaTeX
_HOLE = "\ue000"  # stands for a piece that is not yet decided while mathematics is looked for
_LEFT = re.compile(r"(?:(?:^|[^A-Za-z])[A-Za-z]|[\d)}\]|$]|\\[a-z]+) $")
_RIGHT = re.compile(r"\s*(?:[\d\\({\[|$-]|[A-Za-z]\b(?!'))")


def decoded(bodies: Iterable[str]) -> Decoded:
    """Return what the strings of one reply mean, given as they stand between their quotes in its JSON text.

    A string in which something cannot be decided comes back as ``Undecided``.
    """
    strings = [list(_pieces(body)) for body in bodies]
    evidence = Evidence()
    for pieces in strings:
        _weigh(pieces, evidence)
    out = Decoded()
    for pieces in strings:
        out.texts.append(_Text(pieces, evidence, out.restored).read())
    return out


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


def _run_after(pieces: list[Piece], at: int) -> str:
    """Return the letters that follow directly."""
    after = pieces[at + 1] if at + 1 < len(pieces) else None
    return _RUN.match(after.value)[0] if after is not None and after.kind == "text" else ""  # type: ignore[index]


def _next(pieces: list[Piece], at: int) -> str:
    """Return the text that follows directly, a space where there is none that could belong to a command."""
    after = pieces[at + 1] if at + 1 < len(pieces) else None
    return after.value if after is not None and after.kind == "text" else " "


def _slashes(pieces: list[Piece], at: int) -> int:
    """Return how many escaped backslashes stand in a row from here on."""
    n = 0
    while at + n < len(pieces) and pieces[at + n].kind == "slash":
        n += 1
    return n


def _weigh(pieces: list[Piece], evidence: Evidence) -> None:
    at = 0
    while at < len(pieces):
        piece, run = pieces[at], _run_after(pieces, at)
        if piece.kind == "bare":
            evidence.single += piece.value.isalpha() or piece.value in _MATH  # not \\$ and \\_, which Markdown has too
        elif piece.kind == "control":
            letter = _LETTER.get(piece.value)
            evidence.single += letter is not None and letter + run in CERTAIN
        elif piece.kind == "slash":
            n = _slashes(pieces, at)
            at += n - 1
            run = _run_after(pieces, at)
            if n == 1:
                follows = _next(pieces, at)
                evidence.proper += run in KNOWN or (follows[:1] in _MATH and not _GAP.match(follows))
                evidence.twice += _is_break(run)
        at += 1


def _is_break(run: str) -> bool:
    """Say whether a backslash and these letters are a line break written with two backslashes, and no command."""
    return run[:1] == "n" and run not in KNOWN


class _Text:
    """One string on its way from pieces to what it means."""

    def __init__(self, pieces: list[Piece], evidence: Evidence, restored: Counter[str]) -> None:
        self.pieces, self.evidence, self.restored = pieces, evidence, restored
        self.out: list[str] = []
        self.doubt = ""

    def read(self) -> str:
        """Return the text, or why it cannot be used."""
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
        whole = _LONE.sub("", text)
        self.restored["control"] += len(text) - len(whole)
        return Undecided(whole, self.doubt) if self.doubt else whole

    def _bare(self, value: str) -> None:
        """Take a backslash before what JSON does not allow there: LaTeX or Markdown, or an apostrophe of Python."""
        if value == "'":
            self.out.append("'")
            self.restored["apostrophe"] += 1
        else:
            self.out.append("\\" + value)
            self.restored["latex"] += 1

    def _control(self, at: int) -> None:
        char = self.pieces[at].value
        letter, run = _LETTER.get(char), _run_after(self.pieces, at)
        if letter is None:
            self.restored["control"] += 1  # a character that no text can hold, and no escape of LaTeX
            return
        name = letter + run
        if name in CERTAIN or (char in "\a\b\v\f\x1b" and run and (char in "\b\f" or name in KNOWN)):
            self._latex(letter)
        elif char in "\b\f":
            self._refuse(at, f"a backspace or form feed before {run or 'no letter'!r}")
        elif char in "\a\v\x1b":
            self.restored["control"] += 1
        elif name not in KNOWN or self.pieces[at].kind == "raw":  # nobody has read a raw one as an escape
            self._plain(at, char)
        else:
            self._decide(at, char, letter, name)

    def _plain(self, at: int, char: str) -> None:
        """Take a control character for what it is; a carriage return ends a line like any other."""
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
        """Judge a line break or tab before letters that would make a command of it and that are also text."""
        before, after = self._sides(at, len(name) - 1)
        if self.evidence.proper and not self.evidence.single:
            self._plain(at, char)  # this reply escapes its LaTeX
        elif self._in_mathematics(at) or _is_used(name, before, after):
            self._latex(letter)
        elif not self.evidence.single and (
            WORDS[name] is Doubt.WORD or (name == "ne" and re.match(r"\^|\s*=", after))  # Euler's number
        ):
            self._plain(at, char)
        else:
            what = {"\n": "a line break", "\t": "a tab"}.get(char, "a carriage return")
            self._refuse(at, f"{what} before {name[1:]!r} (or \\{name})")

    def _sides(self, at: int, letters: int) -> tuple[str, str]:
        before = "".join(p.shown for p in self.pieces[max(0, at - 4) : at])
        return before, "".join(p.shown for p in self.pieces[at + 1 : at + 5])[letters:]

    def _in_mathematics(self, at: int) -> bool:
        """Say whether a piece stands inside delimiters of mathematics where no line break would be."""
        starts, whole = self._layout
        here = starts[at]
        for found in _INLINE.finditer(whole):
            if found.start() < here < found.end():
                display = found[0].startswith(("$$", "\\["))
                return not (display and (here == found.start() + 2 or "\n" in found[0]))
        return False

    @cached_property
    def _layout(self) -> tuple[list[int], str]:
        """Return where each piece begins, and the text with a hole for each that must be decided."""
        starts, shown, size = [], [], 0
        for i, p in enumerate(self.pieces):
            starts.append(size)
            doubtful = p.kind == "control" and _LETTER.get(p.value, "") + _run_after(self.pieces, i) in KNOWN
            shown.append(_HOLE if doubtful else p.shown)
            size += len(shown[-1])
        return starts, "".join(shown)

    def _slash(self, at: int) -> int:
        """Take a row of escaped backslashes; returns where to go on."""
        n = _slashes(self.pieces, at)
        last = at + n - 1
        run = _run_after(self.pieces, last)
        if n == 2 and run in OVER_ESCAPED and not self.evidence.proper:
            self.out.append("\\")  # a line break of LaTeX has no command's name right behind it
            self.restored["latex"] += 1
            return last + 1
        follows = _next(self.pieces, last)
        bare = self.evidence.single and not self.evidence.proper and follows[0].isspace()
        if n == 1 and (bare or _GAP.match(follows)):
            self.out.append("\\\\")  # a line break of LaTeX, written with as few backslashes as the rest
            self.restored["latex"] += 1
            return last + 1
        if n % 2 and run[:1] == "n":
            if run not in KNOWN:
                self.out.append("\\" * (n - 1) + "\n")
                self.restored["line break"] += 1
                rest = self.pieces[last + 1].value[1:]
                self.pieces[last + 1] = Piece("text", rest)
                return last + 1
            if self.evidence.twice and run in WORDS and not self._settled(last, run):
                self._refuse(last, f"\\{run} (or a line break before {run[1:]!r})")
                return last + 1
        self.out.append("\\" * n)
        return last + 1

    def _settled(self, at: int, run: str) -> bool:
        before, after = self._sides(at, len(run))
        return self._in_mathematics(at) or _is_used(run, before, after)


def _is_used(name: str, before: str, after: str) -> bool:
    """Say whether a command stands here as it is used: a relation between terms, a function before its argument."""
    if name in RELATIONS:
        return _LEFT.search(before) is not None and _RIGHT.match(after) is not None
    return (name in _USES) and re.match(_USES[name], after) is not None


_USES = {"tan": r"\s*(?:[(\\{^0-9]|[A-Za-z]\b|theta|alpha)", "not": r"\s*(?:=|\\)"}
