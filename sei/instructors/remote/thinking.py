"""Telling a model's thinking from its reply, where both stand in one text."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PLACE = "\ue001"  # stands around the number of a part that is put back
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
    """Return what a reply says outside its thinking, blank where all of it is thinking.

    Thinking that lost its opening tag ends at its closing one; thinking that never ends has no reply behind it. Tags
    that stand inside a part of ``quoted`` (where it begins and ends) are text.
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
    """Say whether a text holds a tag of thinking."""
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
    """Say whether a text holds thinking and nothing else, such as a reply that was cut in the middle of it."""
    return bool(text.strip()) and not without_thinking(text).strip()
