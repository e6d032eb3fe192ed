"""Refuses texts that only stand for a text: dots and words of the requested form, and words for "nothing"."""

from __future__ import annotations

import re
from collections.abc import Iterable

LOST = "\ufffd"
"""The character that stands for one that was lost on the way."""
_DOTS = re.compile(r"[\"'<(\[{\s]*[.…⋯。]+[\"'>)\]}.…⋯。\s]*")  # the placeholder for texts in the requested forms
_NOTHING = re.compile(r"n ?[/.] ?a|null|none|nan|unknown")
_NO_MISTAKE = re.compile(
    r"(?:there (?:is|was|are) )?(?:no|not a|not an|without(?: a| an)?) "
    r"(?:mistake|error|fault|issue|problem|keyphrase|key phrase|phrase|cause)s?(?: found| made| identified| here)?"
    r"|not applicable|nothing"
)


def is_dots(text: str) -> bool:
    """Tell whether a text is only the dots of the requested form."""
    return _DOTS.fullmatch(text) is not None


def written(text: str, form: re.Pattern[str] | None = None) -> str:
    """Return a text unchanged. ``form``: the words that stand for it in the requested form.

    Raises:
        ValueError: if it is only the dots or the words of the form, because a reply may repeat them.
    """
    if not text.strip():
        raise ValueError("it is empty")
    if is_dots(text):
        raise ValueError("it repeats the dots of the form instead of a text")
    if form is not None and form.fullmatch(" ".join(text.casefold().split())):
        raise ValueError(f"it repeats the words of the form ({text[:60]!r}) instead of a text")
    return text


def says_nothing(text: str) -> bool:
    """Tell whether a text is a word for no text, such as ``N/A`` or ``null``."""
    return _NOTHING.fullmatch(_bare(text)) is not None


def says_no_mistake(text: str) -> bool:
    """Tell whether a text says that there is no mistake, or nothing at all."""
    return says_nothing(text) or _NO_MISTAKE.fullmatch(_bare(text)) is not None


def ends_one(word: str, texts: Iterable[str]) -> bool:
    """Tell whether one of some texts ends in a word, in any case."""
    return any(_bare(text).endswith(_bare(word)) for text in texts)


def _bare(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .!\"'`*$<>()[]{}_-")
