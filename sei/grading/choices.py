"""Multiple choice: an answer may name an option by its letter or by its value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from sei.grading.text import tidy

_LETTERS = "ABCDEFGHIJ"
_LABEL = re.compile(r"^\s*(?:\(([A-Ja-j])\)|([A-J])\s*[.):]|([A-J])\s*\)|\\text\w*\{\(?([A-J])\)?\})\s*")
_INLINE = re.compile(r"\(\s*([A-J])\s*\)|\\text(?:bf|rm)?\s*\{\s*\(([A-J])\)\s*\}|(?:^|\s)([A-J])[.)]\s")
_ONLY = re.compile(
    r"^(?:(?:option|choice|answer)[\s_:]*)?[\s(\[\"'*]*([A-J])(?![a-zA-Z'])[\s)\]\"'*]*(?:$|[.:,;)\-]|\s+(?![a-z]*=))",
    re.IGNORECASE,
)
_LIST = re.compile(r"^[(\[{]*\s*[A-J](?:\s*(?:,|and|&|;|)\s*[A-J])+\s*[)\]}]*$")
_NAMED = re.compile(r"\b(?:option|choice|answer)[\s_:]*(?:is\s+)?[(\s*\"']*([A-J])(?![a-zA-Z'])", re.IGNORECASE)
_BRACKETED = re.compile(r"[(\[]\s*([A-J])\s*[)\]]")
_ALONE = re.compile(r"(?:^|\n)\s*[*(\[]*([A-J])[*)\].:]*\s*(?:\n|$)|\b([A-J])\s+is\s+(?:the\s+)?correct")


def options_of(options: Sequence[str], question: str = "") -> dict[str, str]:
    """Return option texts by letter: from the list, else from ``(A) ... (B) ...`` in the question."""
    if options:
        found = {}
        for i, text in enumerate(options[: len(_LETTERS)]):
            m = _LABEL.match(text)
            letter = next((g for g in m.groups() if g), _LETTERS[i]).upper() if m else _LETTERS[i]
            found[letter] = text[m.end() :].strip() if m else text.strip()
        return found
    marks = list(_INLINE.finditer(question))
    letters = [next(g for g in m.groups() if g) for m in marks]
    start = max((i for i, x in enumerate(letters) if x == "A"), default=-1)
    if start < 0 or letters[start:] != list(_LETTERS[: len(letters) - start]) or len(letters) - start < 2:
        return {}
    marks, letters = marks[start:], letters[start:]
    ends = [m.start() for m in marks[1:]] + [len(question)]
    return {x: question[m.end() : e].strip(" \n,;$~") for x, m, e in zip(letters, marks, ends, strict=True)}


def letter_of(text: str) -> str | None:
    """Return the letter that an answer consists of or begins with: ``B``, ``(B) 12``, ``Choice_B``, ``B: a ray``."""
    plain = tidy(text).replace("_", " ").strip()
    m = _ONLY.match(plain)
    if m is None or (m[1].islower() and len(plain) > 3):
        return None
    return m[1].upper()


def letters_of(text: str) -> frozenset[str]:
    """Return all letters of an answer that is nothing but letters: ``A, C`` or ``B and D``."""
    plain = tidy(text).strip()
    return frozenset(re.findall(r"[A-J]", plain)) if _LIST.match(plain) else frozenset()


def by_value(text: str, options: Mapping[str, str], equal: Callable[[str, str], bool]) -> str | None:
    """Return the letter of the only option that equals an answer, or ``None``."""
    same = [letter for letter, option in options.items() if equal(option, text)]
    return same[0] if len(same) == 1 else None


def last_letter(text: str, letters: Sequence[str]) -> str | None:
    """Return the option that the end of a finished output names last, or ``None``."""
    tail = text[-600:]
    for pattern in (_NAMED, _ALONE, _BRACKETED):
        found = [g for m in pattern.finditer(tail) for g in m.groups() if g and g.upper() in letters]
        found = [g for g in found if g.isupper()]
        if found:
            return found[-1]
    return None
