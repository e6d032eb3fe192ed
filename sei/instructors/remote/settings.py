"""Refuses impossible settings of a remote instructor before any cost arises."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sei.errors import ConfigError

KINDS = ("keyphrase", "problems", "agreement", "correction", "error types", "merge", "first step")
"""Kinds of requests, as the ledger names them."""

_CALL = re.compile(r"/(chat/completions|completions|responses|messages|embeddings|models)/?$")
_SECRET = re.compile(r"key|token|secret|password|signature|\bsig\b|\bcode\b|credential", re.IGNORECASE)
_OURS = {
    "model": "instructor.model",
    "messages": "instructor.system_prompt",
    "max_tokens": "instructor.max_tokens",
    "max_completion_tokens": "instructor.max_tokens",
    "temperature": "instructor.temperature",
    "reasoning_effort": "instructor.reasoning_effort",
    "response_format": "instructor.structured",
    "stream": "no value (replies are read as a whole)",
    "n": "no value (one reply per request is read)",
    "prompt": "no value (requests are chats)",
    "stop": "no value (a cut reply is refused)",
}


def require_address(base_url: str) -> None:
    """Refuse an address that is invalid, contains a secret, or ends in the path of a single call.

    Raises:
        ConfigError: names the remedy. A secret is not repeated.
    """
    url = urlsplit(base_url)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ConfigError("instructor.base_url: must be an http(s) address. Remedy: http://127.0.0.1:8000/v1")
    if url.username or url.password:
        raise ConfigError(
            "instructor.base_url: it contains a user or password, which would reach logs and the store. Remedy: put "
            "the key into an environment variable and its name into instructor.api_key_env."
        )
    if any(_SECRET.search(name) for name, _ in parse_qsl(url.query, keep_blank_values=True)):
        raise ConfigError(
            "instructor.base_url: the part after ? looks like a secret, which would reach logs and the store. "
            "Remedy: put the key into an environment variable and its name into instructor.api_key_env."
        )
    if (call := _CALL.search(url.path)) is not None:
        right = base_url.replace(url.path, url.path[: call.start()])
        raise ConfigError(
            f"instructor.base_url={base_url}: it ends in {call[0]}, which is added for each request. Remedy: "
            f"instructor.base_url={right}"
        )


def require_name(api_key_env: str) -> None:
    """Refuse a text that is not the name of an environment variable.

    Raises:
        ConfigError: without the value, because it may be the key itself.
    """
    if not re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)?", api_key_env):
        raise ConfigError(
            "instructor.api_key_env: must be the NAME of an environment variable, not the key. Remedy: put the key "
            "into a variable, say INSTRUCTOR_KEY, and set instructor.api_key_env=INSTRUCTOR_KEY."
        )


def require_body(extra_body: Mapping[str, Any]) -> None:
    """Refuse request fields that other settings control, and fields that look like secrets.

    Raises:
        ConfigError: names the field and the setting.
    """
    for name in extra_body:
        if name in _OURS:
            raise ConfigError(
                f"instructor.extra_body.{name}: another setting controls this field. Remedy: use {_OURS[name]}"
            )
        if _SECRET.search(name) and "token" not in name.casefold():
            raise ConfigError(
                f"instructor.extra_body.{name}: it looks like a secret, which would reach logs and the store. Remedy: "
                "the name of an environment variable in instructor.api_key_env."
            )


def require_room(max_tokens: int | Mapping[str, int] | None) -> None:
    """Refuse a token limit below 1, and a limit for an unknown kind of request.

    Raises:
        ConfigError: names the kind and its value.
    """
    for kind, n in (max_tokens if isinstance(max_tokens, Mapping) else {"": max_tokens}).items():
        if kind and kind not in KINDS:
            raise ConfigError(f"instructor.max_tokens: no kind of request is called {kind!r}. Remedy: one of {KINDS}")
        if n is not None and n < 1:
            raise ConfigError(f"instructor.max_tokens={n}: must be at least 1. Remedy: null for the usual room")


def require_prices(max_usd: float | None, usd_in: float | None, usd_out: float | None) -> None:
    """Refuse a limit in dollars if a price is missing or both are 0, because it would never stop a run.

    Raises:
        ConfigError: names the limit and the prices.
    """
    if max_usd is not None and (usd_in is None or usd_out is None or not usd_in + usd_out):
        raise ConfigError(
            f"instructor.max_usd={max_usd} cannot be kept: instructor.usd_in={usd_in} and instructor.usd_out={usd_out} "
            "(dollars per million tokens). Remedy: set both from the provider's price list, or instructor.max_usd=null."
        )
