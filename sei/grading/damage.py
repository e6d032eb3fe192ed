r"""Finds characters that no text holds: control characters, halves of a character, and LaTeX read as escapes of JSON.

``"\frac"`` in a JSON file is a form feed and ``rac``, ``"\times"`` a tab and ``imes``: the backslash must be doubled.
A tab or line break is refused only before the rest of a command that no word begins with, or in mathematics.
"""

from __future__ import annotations

import re

from sei.grading.latex_commands import CERTAIN

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_HALF = re.compile("[\ud800-\udfff]")
_WHITE = re.compile(r"[\t\n\r](?=[a-z])")
_LETTERS = {"\t": "t", "\n": "n", "\r": "r", "\x08": "b", "\x0c": "f"}
_RUN = re.compile(r"[A-Za-z]*")
_NAMES = frozenset({"neq"})  # "eq1 = ..." begins lines of programs
_DOUBTED = frozenset(  # "u = 4" and "sim(x)" begin lines, so they are refused only in mathematics
    "nu ne not to tan nsim nsucc nprec nleq ngeq ncong top tau tag text rangle rtimes rgroup rfloor rceil rlap".split()
)
_TERM = re.compile(r"\s*[_=<>]")  # what follows a variable, and never a relation
_BEFORE = re.compile(r"(?:(?:^|[^A-Za-z])[A-Za-z]|[\d)}\]|$]) $")  # a term and a blank
_AFTER = re.compile(r"\s+(?:[-\d\\({\[|$]|[A-Za-z]\b(?!'))(?![\d)]*\s*[:.]\s)")
_INLINE = re.compile(r"(?<![\\$\d])\$(?![\s$])[^$\n\r]*?(?<!\s)\$(?![\d$])|\\\([^\n\r]*?\\\)")
_COMMAND = re.compile(r"\\[A-Za-z]{2}")
_HOLE = "\ue000"
_LONG = 20_000  # a longer text is no problem; only its control characters are looked at
_SHOWN = 20


def damage(text: str, *, answer: bool = False) -> str:
    """Say what is wrong with a text, with rule and remedy; empty if nothing is.

    A tab or line break instead of a backslash is kept beside properly escaped commands, since it is then a slip of the
    author (MATH has one), unless the text is an ``answer``.
    """
    if m := _HALF.search(text):
        return (
            f"{_near(text, m.start())} has half of a character (\\u{ord(m[0]):04x}). Rule: text can be written as "
            "UTF-8. Remedy: write the whole character (an emoji has two \\u escapes), or drop the row."
        )
    if m := _CONTROL.search(text):
        command = _LETTERS.get(m[0], "") + _run(text, m.end())
        meant = f" (\\{command} with one backslash?)" if m[0] in _LETTERS and command in CERTAIN else ""
        return (
            f"{_near(text, m.start())} has the control character \\x{ord(m[0]):02x}{meant}. Rule: text has none. "
            "Remedy: double the backslashes in the JSON (as json.dumps does), or remove the character."
        )
    proper = (_COMMAND.search(text) is not None and not answer) or len(text) > _LONG
    for m in () if proper else _WHITE.finditer(text):
        if command := _command(text, m.start()):
            what = {"\t": "a tab", "\n": "a line break"}.get(m[0], "a carriage return")
            return (
                f"{_near(text, m.start())} has {what} before {command[1:]!r}, which is \\{command} with one backslash. "
                "Rule: JSON writes a backslash as two. Remedy: double the backslashes in the JSON (as json.dumps does)."
            )
    return ""


def _command(text: str, at: int) -> str:
    """Return the command that the white space at a place is the beginning of, or an empty string."""
    run = _run(text, at + 1)
    name, after = _LETTERS[text[at]] + run, text[at + 1 + len(run) :]
    if name == "rm" and text[at - 1 : at] not in ("{", "$"):
        return ""  # "m = 3" after the line end of an old Macintosh
    if name in CERTAIN - _NAMES - _DOUBTED or (name in ("text", "tag") and after.startswith("{")):
        return name
    relation = name in ("ne", "neq", "to")
    if name not in _DOUBTED | _NAMES or (relation and _TERM.match(after)):
        return ""
    if relation and _BEFORE.search(text[max(0, at - 3) : at]) and _AFTER.match(after):
        return name
    return name if _in_mathematics(text, at) and not _COMMAND.search(text) else ""


def _in_mathematics(text: str, at: int) -> bool:
    """Say whether a place is between marks of mathematics on one line (if the place itself is no line break)."""
    whole = text[:at] + _HOLE + text[at + 1 :]
    return any(m.start() < at < m.end() for m in _INLINE.finditer(whole))


def _run(text: str, at: int) -> str:
    m = _RUN.match(text, at)
    return m[0] if m else ""


def _near(text: str, at: int) -> str:
    return ascii(text[max(0, at - _SHOWN) : at + _SHOWN])
