"""What to do with a response or an exception: keep, try again, ask again, drop, or stop.

One function decides for every case; the client does nothing on its own. ``Stop`` ends the run: with exit code
2 where the configuration is at fault (key, model), with 75 where trying later helps.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sei.instructors.remote.thinking import is_all_thinking


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Whether the server counted the tokens of request and reply; ``written`` is all that it wrote, thoughts too."""

    sent: bool = True
    reply: bool = True
    written: str = ""


COUNTED = Counted()


@dataclass(frozen=True, kw_only=True)
class Ok:
    """A complete reply with its text and token counts; ``model`` is what the server says it is.

    ``thought`` says that the text stood where the server puts thoughts, as there was no other.
    """

    text: str
    input_tokens: int
    output_tokens: int
    model: str = ""
    finish: str = "stop"
    thought: bool = False
    counted: Counted = COUNTED


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Send the same request again, after ``after`` seconds where the server says so."""

    reason: str
    after: float | None = None
    slow_down: bool = False


@dataclass(frozen=True, kw_only=True)
class Reask:
    """Ask again with a changed request.

    ``length`` wants more room, ``plain`` no response format, ``dialect`` other words. ``thought``: thoughts alone used
    up the room.
    """

    reason: str
    detail: str = ""
    thought: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    counted: Counted = COUNTED


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Give this item up, counted under its reason; paid tokens count."""

    reason: str
    detail: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    counted: Counted = COUNTED


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The server refuses the form of a request (HTTP 400, 422): its words, its code and the parameter that it names."""

    detail: str
    code: str = ""
    param: str = ""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """End the run with an exit code and what to do."""

    reason: str
    exit_code: int
    remedy: str


Answered = Ok | Reask | Drop
Verdict = Answered | Retry | Refused | Stop

_QUOTA = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient_balance")
_MONEY = re.compile(r"credit balance is too low|insufficient (?:balance|credits?|funds)|out of credits", re.IGNORECASE)
_KEY = re.compile(
    r"api.?key.{0,20}(?:not valid|invalid|expired|incorrect)|(?:invalid|incorrect) api.?key", re.IGNORECASE
)
_LATER = re.compile(r"overloaded|rate.?limit|too many requests|resource_exhausted", re.IGNORECASE)
_WORDS = 300  # characters of a server's message that are kept


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
    return error_of(found)


def error_of(found: Any) -> dict[str, Any]:
    """Return the error object of a body, whatever it stands in: under ``error``, in a list, as text or alone."""
    if isinstance(found, list) and found:
        found = found[0]
    inner = found.get("error") if isinstance(found, dict) else found
    if isinstance(inner, dict):
        return inner
    return {"message": str(inner or found or "")[:500]}


def words_of(error: Mapping[str, Any]) -> str:
    """Return what an error object says, as one line of text, whatever type its message has."""
    said = error.get("message") or error.get("msg") or error.get("detail") or ""
    return " ".join((said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)).split())[:_WORDS]


def of_status(status: int, headers: Mapping[str, str], error: Mapping[str, Any]) -> Verdict:
    """Classify an HTTP error by its status, headers and error object."""
    code = str(error.get("code") or error.get("type") or "")
    message = words_of(error)
    if status == 402 or code in _QUOTA or str(error.get("type")) in _QUOTA or _MONEY.search(message):
        what = f"HTTP {status}: {message or code}"
        return Stop(reason=f"the account's quota is used up ({what})", exit_code=75, remedy="top it up, then run again")
    if status == 429:
        return Retry(reason="rate limit", after=retry_after(headers), slow_down=True)
    if status in (401, 403) or (status == 400 and _KEY.search(message)):
        remedy = "check the environment variable that instructor.api_key_env names"
        return Stop(reason=f"the server refuses the key (HTTP {status})", exit_code=2, remedy=remedy)
    if status == 404:
        remedy = "check instructor.model and instructor.base_url"
        return Stop(reason=f"no such model or address (HTTP 404: {message})", exit_code=2, remedy=remedy)
    if status in (400, 413, 422):
        dropped = _of_content(code, message)
        if dropped is None and status == 413:
            dropped = Drop(reason="too_long", detail=message)
        return dropped or Refused(detail=message, code=code, param=str(error.get("param") or ""))
    return Retry(reason=f"HTTP {status}", after=retry_after(headers), slow_down=status in (503, 529))


def _of_content(code: str, message: str) -> Drop | None:
    """Return the refusal of what a request says, not of how it says it."""
    if "content" in code and ("filter" in code or "policy" in code or "management" in code):
        return Drop(reason="content_filter", detail=message)
    if "context_length" in code or "context length" in message or "context window" in message:
        return Drop(reason="too_long", detail=message)
    return None


def of_error(error: Any) -> Verdict:
    """Classify an error that came with status 200: overload is waited for, every other one stops the run resumably."""
    held = error if isinstance(error, dict) else {"message": str(error)}
    code, message = str(held.get("code") or held.get("type") or ""), words_of(held)
    if code in _QUOTA or _MONEY.search(message):
        return of_status(402, {}, held)
    if (dropped := _of_content(code, message)) is not None:
        return dropped
    if code in ("429", "529") or _LATER.search(f"{code} {message}"):
        return Retry(reason=f"an error inside a 200 ({message or code})", slow_down=True)
    said = f"{code}: {message}" if code and message else code or message
    remedy = "run the same command again when the server is well; answers so far are kept"
    return Stop(reason=f"the server answers with an error inside a 200 ({said})", exit_code=75, remedy=remedy)


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
    if isinstance(found, list) and found and isinstance(found[0], dict):
        found = found[0]
    if not isinstance(found, dict):
        return Retry(reason="a body that is no object")
    if found.get("error"):
        return of_error(found["error"])
    choices = found.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return Retry(reason="no choices")
    if choices[0].get("error"):
        return of_error(choices[0]["error"])
    return _of_choice(choices[0], found.get("usage"), str(found.get("model") or ""))


def _of_choice(choice: dict[str, Any], usage: Any, model: str) -> Answered:
    given = choice.get("message")
    message: dict[str, Any] = given if isinstance(given, dict) else {}
    plain, text, thoughts = choice.get("text"), text_of(message.get("content")), _thoughts(message)
    sent, written = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    counted = Counted(
        sent=bool(sent), reply=bool(written), written=plain if isinstance(plain, str) else thoughts + text
    )
    tokens: dict[str, Any] = {"input_tokens": sent, "output_tokens": written, "counted": counted}
    finish = choice.get("finish_reason")
    if isinstance(plain, str):  # a plain completion: cut or empty, it is what the model says
        return Ok(text=plain, model=model, finish=str(finish or "stop"), **tokens)
    if finish == "content_filter":
        return Drop(reason="content_filter", **tokens)
    if message.get("refusal"):
        return Drop(reason="refusal", detail=str(message["refusal"])[:_WORDS], **tokens)
    if finish == "length":
        alone = is_all_thinking(text) or (not text.strip() and bool(thoughts.strip()))
        return Reask(reason="length", thought=alone, **tokens)
    if text.strip():
        return Ok(text=text, model=model, **tokens)
    if thoughts.strip():
        return Ok(text=thoughts, model=model, thought=True, **tokens)
    return Reask(reason="empty", **tokens)


def text_of(content: Any) -> str:
    """Return the text of a message's content, given as text, as a list of parts or as an object."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(text_of(part) for part in content if not _is_thought(part))
    if isinstance(content, dict):
        told = content.get("text")
        return (
            told if isinstance(told, str) else json.dumps(content, ensure_ascii=False) if "type" not in content else ""
        )
    return ""


def _is_thought(part: Any) -> bool:
    return isinstance(part, dict) and str(part.get("type")) in ("thinking", "reasoning", "thought", "redacted_thinking")


def _thoughts(message: dict[str, Any]) -> str:
    """Return what a message holds of the model's thoughts, wherever its server puts them."""
    for name in ("reasoning_content", "reasoning", "thinking"):
        if isinstance(message.get(name), str) and message[name].strip():
            return str(message[name])
    content = message.get("content")
    parts = [p for p in content if _is_thought(p)] if isinstance(content, list) else []
    return "".join(text_of(p.get("thinking") or p.get("reasoning") or p.get("text")) for p in parts)


def _count(usage: Any, name: str) -> int:
    value = usage.get(name) if isinstance(usage, dict) else 0
    return value if isinstance(value, int) and value >= 0 else 0
