"""Multiple choice in replies: the options of a new problem, lettered like the shown ones, and the right letter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sei.grading.choices import options_of

_LETTERS = "ABCDEFGHIJ"
_LABELLED = re.compile(r"^(\W*)([A-Ja-j])([).:\]}]+\s*|\s+)")
_OWN = re.compile(  # a letter before an option's text
    r"[(\[]\s*([A-Ja-j])\s*[)\]][.:]?\s*|([A-Ja-j])\s*(?:\)|[.:](?![A-Za-z]))\s*"
)
_TIGHT = re.compile(r"([A-J])[.:]()")  # "A.None": a letter only where all are A, B, C in order
_ANSWER = re.compile(r"\W*(?:option\s+)?\(?([A-Ja-j])\)?\W*", re.IGNORECASE)


def listed(value: Any) -> Any:
    """Return options given as an object of letters and texts as a list. Return anything else unchanged."""
    if isinstance(value, dict) and [str(k).strip().upper() for k in value] == list(_LETTERS[: len(value)]):
        return list(value.values())
    return value


def lettered(options: Sequence[str], like: Sequence[str]) -> tuple[str, ...]:
    """Return option texts with letters in the style of the options ``like``: ``(A) 12``, ``A. 12``.

    Letters of the reply are left out if they are A, B, C ... in order.

    Raises:
        ValueError: for fewer than two options, more than ten, an empty one or two equal ones, or if all have letters
            in another order, since an answer would then name another option.
    """
    texts = _without_letters([" ".join(o.split()) for o in options[: len(_LETTERS) + 1]])
    if not 2 <= len(options) <= len(_LETTERS) or len(texts) != len(options):
        raise ValueError(f"options: {len(options)} are given, each of 2 to {len(_LETTERS)} needs a letter of its own")
    if not all(texts) or len({_plain(t) for t in texts}) < len(texts):
        raise ValueError("options: each must be a text that no other repeats")
    shown = _LABELLED.match(like[0]) if like else None
    before, after = (shown[1], shown[3]) if shown else ("(", ") ")
    small = shown is not None and shown[2].islower()
    letters = _LETTERS.lower() if small else _LETTERS
    return tuple(f"{before}{letter}{after}{text}" for letter, text in zip(letters, texts, strict=False))


def _without_letters(options: Sequence[str]) -> list[str]:
    for pattern in (_OWN, _TIGHT):
        heads = [pattern.match(o) for o in options]
        letters = [(m[1] or m[2]).upper() for m in heads if m]
        if letters == list(_LETTERS[: len(options)]):
            return [o[m.end() :].strip() for o, m in zip(options, heads, strict=True) if m]
        if len(letters) == len(options) and pattern is _OWN:
            raise ValueError(f"options: their letters are {', '.join(letters)}, and not A, B, C in order")
    return list(options)  # "A train" beside "two trains"


def letter_of(answer: str, options: Sequence[str]) -> str:
    """Return the letter of the option that an answer names, by letter or by the whole text of the option.

    Raises:
        ValueError: if it names no option, or more than one.
    """
    known = options_of(options)
    named = _ANSWER.fullmatch(answer)
    if named and named[1].upper() in known:
        return named[1].upper()
    whole = _OWN.match(answer.strip())  # "B. 7"
    if whole and _plain(known.get(letter := (whole[1] or whole[2]).upper(), "")) == _plain(
        answer.strip()[whole.end() :]
    ):
        return letter
    by_text = [letter for letter, text in known.items() if _plain(text) == _plain(answer)]
    by_text = by_text or [letter for letter, text in known.items() if _unquoted(text) == _unquoted(answer)]
    by_label = [letter for letter, text in zip(known, options, strict=True) if _plain(text) == _plain(answer)]
    found = by_text or by_label
    if len(found) != 1:
        raise ValueError(f"answer: {answer[:60]!r} names no option of {list(known)}")
    return found[0]


def _plain(text: str) -> str:
    return re.sub(r"[\s$]+|\.$", "", text).casefold()


def _unquoted(text: str) -> str:
    return _plain(text).strip('"`\u201c\u201d') or _plain(text)
