"""What both ways of asking share: the key of an answer, the body that is sent, how a second try differs.

A key says nothing of the way, so that an answer paid for on one way is found by the other.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from sei.instructors.remote.answers import Answers, NoAnswers, key_of
from sei.instructors.remote.terms import Request

log = logging.getLogger(__name__)
MAX_BODY = 4 * 2**20  # bytes; a longer reply is none


def endpoint_of(base_url: str) -> str:
    """Return host, port and path of an address, never its user part."""
    url = urlsplit(base_url)
    return f"{url.hostname}:{url.port or ''}{url.path.rstrip('/')}"


def answer_key(base_url: str, model: str, request: Request) -> str:
    """Return the key under which the answer to a request is kept."""
    return key_of({"endpoint": endpoint_of(base_url), "model": model, **request.canonical()})


def usable(cache: Answers | NoAnswers, key: str, request: Request) -> dict[str, Any] | None:
    """Return a kept answer that still passes its check; one kept under older, laxer rules is dropped."""
    kept = cache.get(key)
    if kept is None:
        return None
    try:
        request.check(kept["text"])
    except ValueError:
        cache.drop(key)
        return None
    return kept


def with_error(request: Request, text: str, error: str) -> Request:
    """Return the request with the reply and what is wrong with it, for the one second try."""
    said = (("assistant", text[:4_000]), ("user", f"That cannot be used: {error[:500]}. Answer again, as asked."))
    return replace(request, messages=(*request.messages, *said))


def with_room(request: Request) -> Request:
    """Return the request with twice the room, for the one second try after a cut reply."""
    return replace(request, max_tokens=2 * request.max_tokens)


class Models:
    """What the server says that it is; a change in the middle of a run is told."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def watch(self, model: str) -> None:
        """Take note of a model's name and warn where it is another one than before."""
        if model and model not in self._seen and self._seen:
            log.warning("the server now says that it is %s (before: %s)", model, ", ".join(sorted(self._seen)))
        if model:
            self._seen.add(model)
