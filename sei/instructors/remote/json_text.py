"""Finds complete JSON values anywhere in the text of a reply, with strings and numbers as written.

Words around a value, drafts before it, braces of mathematics and thoughts are skipped. Strings are kept as the raw text
between their quotes, because the meaning of escapes is decided for the whole reply (``latex``).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sei.instructors.remote.latex import decoded

_MAX_DEPTH = 40
_MAX_INNER = 3  # levels of values inside strings of values
_MAX_STARTS = 2_000  # places where a value begins but does not end
_START = re.compile(r"""\{(?=\s*(?:["'}]|//|/\*))|\[(?=\s*(?:\{|//|/\*))""")
_SPACE = re.compile(
    r"(?:\s|//[^\n]{0,500}(?=\n|$)|/\*[^*]{0,500}\*/|\#[^\n]{0,500}(?=\n|$))*"
)  # white space, and comments that models write
_STRING = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_QUOTED = re.compile(r"'([^'\\]*(?:\\.[^'\\]*)*)'", re.DOTALL)  # as Python writes a string
_QUOTE = re.compile(r'\\.|"', re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_DIVIDED = re.compile(r"\s*//")  # after a number it may be a comment or a division
_ESCAPE = re.compile(r'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})?')
_RUN = 20  # characters of white space
_FENCE = re.compile(r"^```[a-z]*\s*")
_FENCE_END = re.compile(r"^\s*(?:```)?\s*$")
_WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}


class NoJsonError(ValueError):
    """There is no complete JSON value at the place searched."""


@dataclass(frozen=True)
class Raw:
    """The raw text of a string between its quotes."""

    body: str

    def plain(self) -> str:
        """Return the text decoded as JSON. A backslash that JSON does not allow is kept."""
        legal = _ESCAPE.sub(lambda m: m[0] if m[1] is not None else "\\" + m[0], self.body)
        return str(json.loads(f'"{legal}"', strict=False))


@dataclass(frozen=True)
class Number:
    """A number as it was written."""

    text: str

    def shown(self) -> str:
        """Return it in the form of an answer, without an exponent if that is short."""
        if "e" not in self.text.lower():
            return self.text
        value = Decimal(self.text)
        return format(value, "f") if abs(value.adjusted()) <= 30 else self.text


@dataclass(frozen=True)
class Twice:
    """Stands for the value of a key that an object names twice with different values."""

    key: str


def complete_values(text: str, unended: list[int] | None = None) -> Iterator[Any]:
    """Yield every complete object or array of objects, in order, without those inside earlier ones.

    If the text is a single JSON string, its content is searched. Strings are ``Raw``, numbers ``Number``. The places
    where a value begins but does not end are added to ``unended``, if the text itself is searched.

    Raises:
        NoJsonError: if too many values begin but do not end.
    """
    whole = _STRING.fullmatch(text.strip())
    if whole is not None:
        yield from complete_values(Raw(whole[1]).plain())
        return
    for value, _, _ in _complete(text, unended):
        yield value


def spans(text: str) -> list[tuple[int, int]]:
    """Return the begin and end of each complete value of a text.

    Raises:
        NoJsonError: if too many values begin but do not end.
    """
    return [(start, end) for _, start, end in _complete(text)]


def runs_on(text: str) -> bool:
    """Tell whether a text is one complete object or array, in a fence or not, with much white space alone after it.

    Some servers write white space up to the limit after a reply in a required format.
    """
    if len(text) - len(text.rstrip()) < _RUN:
        return False
    said = _FENCE.sub("", text.strip())
    try:
        return said[:1] in ("{", "[") and not _FENCE_END.sub("", said[_value(said, 0, 0)[1] :])
    except NoJsonError:
        return False


def _complete(text: str, unended: list[int] | None = None) -> Iterator[tuple[Any, int, int]]:
    at, failed = 0, 0
    while (start := _START.search(text, at)) is not None:
        try:
            value, at = _value(text, start.start(), 0)
        except NoJsonError:
            failed += 1
            if failed > _MAX_STARTS:
                raise NoJsonError(f"the reply begins more than {_MAX_STARTS} JSON values that do not end") from None
            at = start.start() + 1
            if unended is not None:
                unended.append(start.start())
        else:
            yield value, start.start(), at


def candidates(top: Any, depth: int = 0) -> Iterator[tuple[Any, Counter[str]]]:
    """Yield a complete value and then all objects and arrays inside it, each with its counts of repairs by kind.

    Strings have their intended text, or are ``Undecided``. Their meaning is decided from all strings of the value. A
    string that itself contains a value is searched too.
    """
    if depth <= _MAX_INNER:
        whole, restored = read_value(top)
        for raw, value in _pairs(top, whole):
            if isinstance(raw, Raw):
                for found in complete_values(raw.plain()):
                    yield from candidates(found, depth + 1)
            else:
                yield value, restored


def _pairs(raw: Any, value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the values that may contain a reply, raw and decoded, outer values first."""
    yield raw, value
    if isinstance(raw, dict):
        inside = [(raw[k], value[k]) for k in raw]
    else:
        inside = list(zip(raw, value, strict=True)) if isinstance(raw, list) else []
    for one, meant in inside:
        if isinstance(one, (dict, list)) or (isinstance(one, Raw) and "{" in one.body):
            yield from _pairs(one, meant)


def read_value(value: Any) -> tuple[Any, Counter[str]]:
    """Return a value with the intended text of its strings, and the counts of repairs by kind.

    A string that cannot be decided is ``Undecided``. Numbers stay ``Number``.
    """
    bodies: list[str] = []
    _collect(value, bodies)
    found = decoded(bodies)
    return _filled(value, iter(found.texts)), +found.restored


def _collect(value: Any, bodies: list[str]) -> None:
    if isinstance(value, Raw):
        bodies.append(value.body)
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _collect(one, bodies)


def _filled(value: Any, texts: Iterator[str]) -> Any:
    if isinstance(value, Raw):
        return next(texts)
    if isinstance(value, dict):
        return {k: _filled(v, texts) for k, v in value.items()}
    return [_filled(v, texts) for v in value] if isinstance(value, list) else value


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    """Return the value that begins at ``at``, and its end."""
    if depth > _MAX_DEPTH:
        raise NoJsonError(f"the JSON is nested more than {_MAX_DEPTH} deep")
    char = text[at : at + 1]
    if char == "{":
        return _object(text, at + 1, depth)
    if char == "[":
        return _array(text, at + 1, depth)
    if (string := _string(text, at)) is not None:
        return string
    if (found := _NUMBER.match(text, at)) is not None and not _DIVIDED.match(text, found.end()):
        return Number(found[0]), found.end()
    for word, value in _WORDS.items():
        if text.startswith(word, at):
            return value, at + len(word)
    raise NoJsonError(f"no JSON value at character {at}")


def _string(text: str, at: int) -> tuple[Raw, int] | None:
    """Return the string that begins at ``at``, and its end. Single quotes are converted to double ones."""
    if (found := _STRING.match(text, at)) is not None:
        return Raw(found[1]), found.end()
    if (found := _QUOTED.match(text, at)) is not None:
        return Raw(_QUOTE.sub(lambda m: '\\"' if m[0] == '"' else m[0], found[1])), found.end()
    return None


def _object(text: str, at: int, depth: int) -> tuple[dict[str, Any], int]:
    out: dict[str, Any] = {}
    while True:
        at = _skip(text, at)
        if text[at : at + 1] == "}":
            return out, at + 1
        key = _string(text, at)
        if key is None:
            raise NoJsonError(f"no key at character {at}")
        at = _skip(text, key[1])
        if text[at : at + 1] != ":":
            raise NoJsonError(f"no colon at character {at}")
        name = key[0].plain()
        value, at = _value(text, _skip(text, at + 1), depth + 1)
        out[name] = _merged(out[name], value, name) if name in out else value
        at = _comma(text, at, "}")


def _merged(first: Any, second: Any, name: str) -> Any:
    """Return the value of a key that stands twice: lists are joined, equal texts and numbers count once."""
    if isinstance(first, list) and isinstance(second, list):
        return first if first == second else first + second
    return second if first == second or _said(first) == _said(second) is not None else Twice(name)


def _said(value: Any) -> str | None:
    if isinstance(value, Raw):
        return " ".join(value.plain().casefold().split())
    return str(value) if isinstance(value, Number) else None


def _array(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    out: list[Any] = []
    while True:
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            return out, at + 1
        value, at = _value(text, at, depth + 1)
        out.append(value)
        at = _comma(text, at, "]")


def _comma(text: str, at: int, close: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] == ",":
        return at + 1
    if text[at : at + 1] == close:
        return at
    raise NoJsonError(f"no comma at character {at}")


def _skip(text: str, at: int) -> int:
    """Return the begin of the next token, after white space and comments."""
    found = _SPACE.match(text, at)
    return found.end() if found else at
