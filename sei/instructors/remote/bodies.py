"""Decodes and parses bodies of responses, also those that are not bare JSON: marks, comments, streams, surrogates."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sei.instructors.remote.chunks import events_of, joined

MAX_BODY = 4 * 2**20  # bytes; a longer reply is refused
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_LONE = re.compile("[\ud800-\udfff]")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # the escape of half a pair
_COMMENTS = re.compile(r"\A(?:\s*:[^\n]*\n)+")  # lines that a gateway sends while it waits
_GUESSED = frozenset("iso8859-1 cp1252 ascii".split())  # names that servers give without a look at their bytes
_LONGEST = 300  # digits of a number that is read exactly


class CharsetError(ValueError):
    """The bytes of a body are no text in its charset. ``shown`` is the text with marks where bytes are not."""

    def __init__(self, message: str, shown: str) -> None:
        super().__init__(message)
        self.shown = shown


def text_in(body: bytes, content_type: str = "") -> str:
    """Return the text of a body in the charset of its ``Content-Type``, else in Unicode.

    Raises:
        CharsetError: if the bytes are no text in that charset; names the charset.
    """
    named = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", content_type, re.IGNORECASE)
    unicode: str = json.detect_encoding(body)
    charset = unicode
    if named is not None:
        with suppress(LookupError):  # a name that does not exist
            charset = codecs.lookup(named[1]).name
    tried = dict.fromkeys([unicode, charset] if charset in _GUESSED else [charset, unicode])
    for name in tried:
        try:
            return body.decode(name)
        except UnicodeDecodeError:
            continue
    raise CharsetError(
        f"the body's bytes are no text in {' or '.join(tried)} (Content-Type: {content_type or 'none'})",
        body.decode("utf-8", "replace"),
    )


def value_of(body: str) -> Any:
    """Return the JSON value of a body, with the chunks of a stream joined into one reply.

    A mark at its begin, comment lines before it, raw control characters and JSON inside a JSON string are read.

    Raises:
        ValueError: if there is none, or if it is nested too deep.
    """
    text = _COMMENTS.sub("", body.lstrip("\ufeff"))
    try:
        found = parsed_json(text)
    except ValueError:
        found = joined(events_of(text, parsed_json))
        if found is None:
            raise
    if isinstance(found, str) and found.lstrip()[:1] in ("{", "["):
        found = parsed_json(found)
    if _HALF.search(text) is None:
        return found
    try:
        return whole(found)
    except RecursionError:
        raise ValueError("the JSON is nested too deep") from None


def parsed_json(text: str) -> Any:
    """Return the value of a JSON text, with raw control characters inside strings and numbers of any length.

    Raises:
        ValueError: if it is no JSON, or too deep.
    """
    try:
        return json.loads(text, strict=False, parse_int=_integer)
    except RecursionError:
        raise ValueError("the JSON is nested too deep") from None


def whole(value: Any) -> Any:
    """Return a JSON value whose texts can be encoded. U+FFFD takes the place of half a surrogate pair."""
    if isinstance(value, str):
        paired = _PAIR.sub(lambda m: m[0].encode("utf-16", "surrogatepass").decode("utf-16"), value)
        return _LONE.sub("\ufffd", paired)
    if isinstance(value, Mapping):
        return {whole(k): whole(v) for k, v in value.items()}
    return [whole(v) for v in value] if isinstance(value, list) else value


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST else float(digits)
