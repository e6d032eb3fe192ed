"""What to do with a response or an exception: keep, try again, ask again, drop, or stop.

One function decides for every case; the client does nothing on its own. ``Stop`` ends the run: with exit code
2 where the configuration is at fault (key, model), with 75 where trying later helps.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Ok:
    """A complete reply with its text and token counts; ``model`` is what the server says it is."""

    text: str
    input_tokens: int
    output_tokens: int
    model: str = ""
    finish: str = "stop"


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Send the same request again, after ``after`` seconds where the server says so."""

    reason: str
    after: float | None = None
    slow_down: bool = False


@dataclass(frozen=True, kw_only=True)
class Reask:
    """Ask again with a changed request: ``length`` wants more room, ``plain`` no response format."""

    reason: str
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Give this item up, counted under its reason; paid tokens count."""

    reason: str
    detail: str = ""
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Stop:
    """End the run with an exit code and what to do."""

    reason: str
    exit_code: int
    remedy: str


Verdict = Ok | Retry | Reask | Drop | Stop

_QUOTA = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")


def of_exception(error: BaseException) -> Verdict:
    """Classify what was raised instead of a response."""
    import openai

    if isinstance(error, openai.APIStatusError):
        return of_status(error.status_code, error.response.headers, _body(error))
    if isinstance(error, (openai.APITimeoutError, asyncio.TimeoutError, TimeoutError)):
        return Retry(reason="timeout")
    return Retry(reason=f"connection ({type(error).__name__})")


def _body(error: Any) -> dict[str, Any]:
    try:
        found = json.loads(error.response.text)
    except (ValueError, AttributeError, RuntimeError):
        return {}
    inner = found.get("error") if isinstance(found, dict) else None
    if isinstance(inner, dict):
        return inner
    return {"message": str(inner or "")} if not isinstance(found, dict) else {"message": str(inner or found)[:500]}


def of_status(status: int, headers: Mapping[str, str], error: Mapping[str, Any]) -> Verdict:
    """Classify an HTTP error by its status, headers and error object."""
    code = str(error.get("code") or error.get("type") or "")
    message = str(error.get("message") or "")[:300]
    if code in _QUOTA or str(error.get("type")) in _QUOTA:
        return Stop(reason=f"the account's quota is used up ({code})", exit_code=75, remedy="top it up, then run again")
    if status == 429:
        return Retry(reason="rate limit", after=retry_after(headers), slow_down=True)
    if status in (401, 403):
        remedy = "check the environment variable that instructor.api_key_env names"
        return Stop(reason=f"the server refuses the key (HTTP {status})", exit_code=2, remedy=remedy)
    if status == 404:
        remedy = "check instructor.model and instructor.base_url"
        return Stop(reason=f"no such model or address (HTTP 404: {message})", exit_code=2, remedy=remedy)
    if status in (400, 413, 422):
        if "response_format" in message or "json_schema" in message:
            return Reask(reason="plain")
        if "content" in code and ("filter" in code or "policy" in code):
            return Drop(reason="content_filter", detail=message)
        too_long = "context_length" in code or "context length" in message or status == 413
        return Drop(reason="too_long" if too_long else "bad_request", detail=message)
    return Retry(reason=f"HTTP {status}", after=retry_after(headers), slow_down=status in (503, 529))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, given as seconds or as a date."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        when = email.utils.parsedate_to_datetime(value) if "," in value else None
        return None if when is None else max(0.0, when.timestamp() - time.time())


def of_text(body: str) -> Verdict:
    """Classify the body of a response with status 200."""
    try:
        found = json.loads(body)
    except ValueError:
        return Retry(reason="a body that is no JSON")
    if not isinstance(found, dict):
        return Retry(reason="a body that is no object")
    if isinstance(found.get("error"), dict):
        return of_status(500, {}, found["error"])
    choices = found.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return Retry(reason="no choices")
    sent, written = _count(found.get("usage"), "prompt_tokens"), _count(found.get("usage"), "completion_tokens")
    plain = choices[0].get("text")
    if isinstance(plain, str):  # a plain completion: cut or empty, it is what the model says
        end = str(choices[0].get("finish_reason") or "stop")
        tokens = {"input_tokens": sent, "output_tokens": written}
        return Ok(text=plain, model=str(found.get("model") or ""), finish=end, **tokens)
    given = choices[0].get("message")
    message: dict[str, Any] = given if isinstance(given, dict) else {}
    finish = choices[0].get("finish_reason")
    if finish == "content_filter":
        return Drop(reason="content_filter", input_tokens=sent, output_tokens=written)
    if message.get("refusal"):
        return Drop(reason="refusal", detail=str(message["refusal"])[:300], input_tokens=sent, output_tokens=written)
    if finish == "length":
        return Reask(reason="length", input_tokens=sent, output_tokens=written)
    text = message.get("content")
    if not isinstance(text, str) or not text.strip():
        return Reask(reason="empty", input_tokens=sent, output_tokens=written)
    return Ok(text=text, model=str(found.get("model") or ""), input_tokens=sent, output_tokens=written)


def _count(usage: Any, name: str) -> int:
    value = usage.get(name) if isinstance(usage, dict) else 0
    return value if isinstance(value, int) and value >= 0 else 0
