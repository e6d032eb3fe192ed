"""Separates a model's thinking from its reply if both are in one text."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PLACE = "\ue001"  # encloses the number of a part that is restored later
_PLACES = re.compile(f"{_PLACE}([0-9]{{1,6}}){_PLACE}")
_NAMES = r"(?:[a-z]+:)?(?:antthinking|scratchpad|think(?:ing)?|thoughts?|reason(?:ing)?|reflection|analysis)"
_CLOSE = re.compile(
    rf"</\s*{_NAMES}\s*>|(?-i:\[/THINK\])|<\|end_of_thought\|>|<\|END_THINKING\|>|◁/think▷|<\|channel\|>final<\|message\|>",
    re.IGNORECASE,
)
_OPEN = re.compile(
    rf"<\s*{_NAMES}\s*>|(?-i:\[THINK\])|<\|begin_of_thought\|>|<\|START_THINKING\|>|◁think▷"
    r"|<\|channel\|>(?:analysis|commentary)<\|message\|>",
    re.IGNORECASE,
)


def without_thinking(text: str, quoted: Sequence[tuple[int, int]] = ()) -> str:
    """Return the part of a reply outside its thinking, blank if there is none.

    Thinking without an opening tag ends at its closing tag. Thinking without a closing tag has no reply after it. Tags
    inside the parts ``quoted`` (begin, end) are text.
    """
    held: list[str] = []
    parts, at = [], 0
    for start, end in quoted:
        if has_tag(text[start:end]):
            parts += [text[at:start], f"{_PLACE}{len(held)}{_PLACE}"]
            held.append(text[start:end])
            at = end
    said = _outside("".join([*parts, text[at:]]))
    return _PLACES.sub(lambda m: held[int(m[1])] if int(m[1]) < len(held) else m[0], said)


def has_tag(text: str) -> bool:
    """Tell whether a text contains a tag of thinking."""
    return _OPEN.search(text) is not None or _CLOSE.search(text) is not None


def _outside(text: str) -> str:
    out, at = [], 0
    while (opened := _OPEN.search(text, at)) is not None:
        out.append(text[at : opened.start()])
        closed = _CLOSE.search(text, opened.end())
        if closed is None:
            at = len(text)
            break
        at = closed.end()
    rest = "".join([*out, text[at:]])
    ends = [closed.end() for closed in _CLOSE.finditer(rest)]
    return rest[ends[-1] :] if ends else rest


def is_all_thinking(text: str) -> bool:
    """Tell whether a text contains only thinking, such as a reply that was cut in the middle of it."""
    return bool(text.strip()) and not without_thinking(text).strip()
