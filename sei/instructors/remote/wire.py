"""Shared by direct and batch requests: the key of an answer, the request body, and changes for a second try.

The key does not depend on the way of asking, so an answer paid for in one way is found in the other.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from sei.instructors.remote.answers import Answers, NoAnswers, key_of
from sei.instructors.remote.bodies import MAX_BODY
from sei.instructors.remote.latex import UndecidedError
from sei.instructors.remote.terms import Read, Request
from sei.instructors.remote.tokens import request_tokens, tokens_of
from sei.instructors.remote.verdict import Ok

log = logging.getLogger(__name__)


def endpoint_of(base_url: str) -> str:
    """Return host, port and path of an address, never its user part."""
    url = urlsplit(base_url)
    return f"{url.hostname}:{url.port or ''}{url.path.rstrip('/')}"


def connection(base_url: str, api_key: str) -> dict[str, Any]:
    """Return the settings of a connection. The part after ``?`` in the address is sent with every request.

    Azure takes its keys in its own header.
    """
    url = urlsplit(base_url)
    query = dict(parse_qsl(url.query))
    settings: dict[str, Any] = {"api_key": api_key, "base_url": urlunsplit((url.scheme, url.netloc, url.path, "", ""))}
    if query:
        settings["default_query"] = query
    if "api-version" in query:
        settings["default_headers"] = {"api-key": api_key}
    return settings


def answer_key(base_url: str, model: str, request: Request) -> str:
    """Return the cache key of the answer to a request."""
    return key_of({"endpoint": endpoint_of(base_url), "model": model, **request.canonical()})


def checked_text(request: Request, text: str) -> Read:
    """Return the result of a request's check of a text.

    Raises:
        ValueError: from the check; UndecidedError if the text may be damaged.
    """
    found = request.check(text)
    return found if isinstance(found, Read) else Read(value=found)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A usable stored answer, or an undecided one (``undecided`` gives the reason) that must not be paid again."""

    text: str
    input_tokens: int
    output_tokens: int
    estimated: bool
    read: Read
    undecided: str = ""


def usable(cache: Answers | NoAnswers, key: str, request: Request) -> Kept | None:
    """Return a stored answer that still passes its check or is undecided, else ``None``.

    An answer that fails today's check is deleted. Missing token counts of older versions are estimated.
    """
    kept = cache.get(key)
    if kept is None:
        return None
    undecided, read = "", Read(value=None)
    try:
        read = checked_text(request, kept["text"])
    except UndecidedError as e:
        undecided = str(e)
    except ValueError:
        cache.drop(key)
        return None
    sent, written, estimated = kept["in"], kept["out"], bool(kept.get("estimated"))
    if not sent and not written:
        sent, written, estimated = request_tokens(request), tokens_of(kept["text"]), True
    return Kept(
        text=kept["text"],
        input_tokens=sent,
        output_tokens=written,
        estimated=estimated,
        read=read,
        undecided=undecided,
    )


def unread(ok: Ok, error: ValueError) -> tuple[str, str]:
    """Return reason and detail for a complete reply that breaks the contract."""
    if not ok.thought:
        return "off_contract", ok.text[:500]
    return "empty", (
        f"content is empty, and the {len(ok.text)} characters of the reply stand where thoughts belong, without what "
        f"was asked for ({error}). Remedy: a server without --reasoning-parser, or with the one of this model. It "
        f"begins: {ok.text[:200]}"
    )


def with_error(request: Request, text: str, error: str) -> Request:
    """Return the request with the reply and its error, for the only second try."""
    said = (("assistant", text[:4_000]), ("user", f"That cannot be used: {error[:500]}. Answer again, as asked."))
    return replace(request, messages=(*request.messages, *said))


def with_room(request: Request) -> Request:
    """Return the request with twice the token limit, for the only second try after a cut reply."""
    return replace(request, max_tokens=2 * request.max_tokens)


async def read_body(api: Any, model: str, body: dict[str, Any], timeout: float) -> tuple[bytes, str]:
    """Return the body of a response and its content type. A slow or endless one is given up at the time limit."""
    end = time.monotonic() + timeout
    parts, size = [], 0
    plain = "prompt" in body
    empty: dict[str, Any] = {"prompt": ""} if plain else {"messages": []}
    asked = api.completions if plain else api.chat.completions
    # pass the body as extra_body: type conversion would cost a quarter of a request's time
    async with asked.with_streaming_response.create(model=model, **empty, extra_body=body) as response:
        async for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if time.monotonic() > end:
                raise TimeoutError
            if size >= MAX_BODY:
                break
        return b"".join(parts), str(response.headers.get("content-type", ""))


class Models:
    """Tracks the model name that the server reports, and warns if it changes during a run."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def watch(self, model: str) -> None:
        """Record a model's name and warn if it differs from earlier ones."""
        if model and model not in self._seen and self._seen:
            log.warning("the server now reports the model %s (before: %s)", model, ", ".join(sorted(self._seen)))
        if model:
            self._seen.add(model)
