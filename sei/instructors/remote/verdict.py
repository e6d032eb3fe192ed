"""Decides what to do with a response or an exception: keep, retry, ask again, drop, or stop.

All cases are decided here and in ``replied`` (status 200), none in the client. ``Stop`` ends the run: with exit code 2
if the configuration is at fault (key, model), with 75 if trying later helps.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import logging
import math
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sei.errors import causes
from sei.instructors.remote.bodies import value_of
from sei.instructors.remote.reach import REFUSED

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Whether the server counted the tokens of request and reply. ``written`` is its whole output, with thoughts."""

    sent: bool = True
    reply: bool = True
    written: str = ""


COUNTED = Counted()


@dataclass(frozen=True, kw_only=True)
class Ok:
    """A complete reply with its text and token counts. ``model`` is the name that the server reports.

    ``thought``: the text was in the server's place for thoughts, and there was no other text.
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
    """Send the same request again, after ``after`` seconds if the server asks for it.

    ``unreadable``: a response of status 200 is not as the protocol has it. It may have been paid.
    """

    reason: str
    after: float | None = None
    slow_down: bool = False
    unreadable: bool = False


@dataclass(frozen=True, kw_only=True)
class Reask:
    """Ask again with a changed request.

    The reason ``length`` asks for more tokens, ``plain`` for no response format, ``dialect`` for other settings.
    ``thought``: thoughts alone used up the tokens.
    """

    reason: str
    detail: str = ""
    thought: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    counted: Counted = COUNTED


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Give this item up and count it under its reason. Its paid tokens count."""

    reason: str
    detail: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    counted: Counted = COUNTED


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The server refuses the form of a request (HTTP 400, 422), with its words, its code and the parameter it names."""

    detail: str
    code: str = ""
    param: str = ""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """End the run with an exit code and a remedy."""

    reason: str
    exit_code: int
    remedy: str


Answered = Ok | Reask | Drop
ReplyState = Answered | Retry | Refused | Stop

_QUOTA = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient_balance")
_MONEY = re.compile(
    r"credit balance is too low|insufficient (?:account |credit )?(?:balance|credits?|funds)|out of credits"
    r"|(?:requires|needs?) more credits", re.IGNORECASE
)  # fmt: skip
_NO_MODEL = re.compile(
    r"invalid model name|no models? (?:is |are )?loaded|model not found"
    r"|model [`'\"]?[^\s`'\"]{1,200}[`'\"]? (?:does not exist|(?:was |is )?not found|is not loaded)", re.IGNORECASE
)  # fmt: skip
_INSIDE = {"invalid_api_key": 401, "model_not_found": 404, "401": 401, "402": 402, "403": 403, "404": 404}
"""Codes of errors inside a 200 that mean the same as these statuses."""
_UPSTREAM = re.compile(r"\bprovider\b|\btemporar", re.IGNORECASE)  # another server's answer, or one that passes
_LAST = 10.0**9  # seconds; a larger ``Retry-After`` is a time since 1970
_KEY = re.compile(
    r"api.?key.{0,20}(?:not valid|invalid|expired|incorrect)|(?:invalid|incorrect) api.?key", re.IGNORECASE
)
_BLOCKED = re.compile(
    r"content exists risk|inappropriate content|was flagged|requires moderation|usage polic|content management policy"
    r"|data.?inspection|sensitive (?:content|words)|safety system", re.IGNORECASE
)  # fmt: skip
_NEVER = (405, 406, 410, 415, 426, 451, 501)  # statuses that do not change with further tries
_SAYS = ("message", "msg", "detail")
_MARKS = re.compile(r"<(?:style|script)\b.*?</(?:style|script)>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_SECRET = 8  # the shortest key that is masked; a shorter one may occur in texts by chance
_TOO_LARGE = re.compile(r"request too large", re.IGNORECASE)  # larger than a limit per minute, so waiting is useless
_LATER = re.compile(r"overloaded|rate.?limit|too many requests|resource_exhausted", re.IGNORECASE)
_BUSY = re.compile(r"\b(?:is|engine|server|model) (?:\w+ )?busy\b|temporarily unavailable", re.IGNORECASE)
_WORDS = 300  # at most this many characters of a server's message are kept


def of_exception(error: BaseException, secret: str = "") -> ReplyState:
    """Classify an exception raised instead of a response. ``secret`` is masked in its words."""
    import openai

    if isinstance(error, openai.APIStatusError):
        return of_status(error.status_code, error.response.headers, _body(error, secret))
    if isinstance(error, (openai.APITimeoutError, asyncio.TimeoutError, TimeoutError)):
        return Retry(reason="timeout")
    if isinstance(error, UnicodeEncodeError):  # of our own request
        return Drop(reason="unencodable", detail=f"the request's text is no valid Unicode: {error}"[:_WORDS])
    if any(isinstance(e, ConnectionRefusedError) or "onnection refused" in str(e) for e in causes(error)):
        return Retry(reason=REFUSED)
    return Retry(reason=f"connection ({type(error).__name__})")


def without(text: str, secret: str) -> str:
    """Return a text with the key masked, in case a server repeats it."""
    return text.replace(secret, "***") if len(secret) >= _SECRET else text


def _body(error: Any, secret: str) -> dict[str, Any]:
    try:
        text = without(error.response.text, secret)
    except (AttributeError, RuntimeError):
        return {}
    try:
        return error_of(value_of(text))
    except ValueError:
        return {"message": plain(text)}


def plain(text: str) -> str:
    """Return the words of a page without its markup."""
    return " ".join(_MARKS.sub(" ", text).split())


def error_of(found: Any) -> dict[str, Any]:
    """Return the error object of a body, found under ``error``, in a list, as text or on its own."""
    if isinstance(found, list) and found:
        found = found[0]
    inner = found.get("error") if isinstance(found, dict) else found
    if isinstance(inner, dict):
        return inner
    if isinstance(found, dict) and not inner and any(found.get(name) for name in _SAYS):
        return found
    return {"message": str(inner or found or "")[:500]}


def words_of(error: Mapping[str, Any]) -> str:
    """Return the message of an error object as one line of text, for any type of message.

    A message that a gateway forwards from the server behind it is added.
    """
    said = next((error[name] for name in _SAYS if error.get(name)), "")
    behind = error.get("metadata")
    raw = behind.get("raw") if isinstance(behind, Mapping) else None
    texts = [x if isinstance(x, str) else json.dumps(x, ensure_ascii=False) for x in (said, raw) if x]
    return " ".join(": ".join(texts).split())[:_WORDS]


def of_status(status: int, headers: Mapping[str, str], error: Mapping[str, Any]) -> ReplyState:
    """Classify an HTTP error by its status, headers and error object."""
    code = str(error.get("code") or error.get("type") or "")
    message = words_of(error)
    if status == 402 or code in _QUOTA or str(error.get("type")) in _QUOTA or _MONEY.search(message):
        what = f"HTTP {status}: {message or code}"
        return Stop(reason=f"the account's quota is used up ({what})", exit_code=75, remedy="top it up, then run again")
    if status == 429 and _TOO_LARGE.search(message):
        return Drop(reason="too_long", detail=message)
    if status == 429:
        return Retry(reason=_told("rate limit", message), after=retry_after(headers), slow_down=True)
    if status == 403 and (blocked := _of_content(code, message)) is not None:
        return blocked
    if status in (401, 403) or (status == 400 and _KEY.search(message)):
        remedy = "check the environment variable that instructor.api_key_env names"
        what = _told(f"HTTP {status}", message)
        return Stop(reason=f"the server refuses the key ({what})", exit_code=2, remedy=remedy)
    if status in _NEVER:
        remedy = "check instructor.model and instructor.base_url, which usually ends in /v1"
        return Stop(reason=f"no such call ({_told(f'HTTP {status}', message)})", exit_code=2, remedy=remedy)
    if status == 404 or (status in (400, 422) and (code == "model_not_found" or _NO_MODEL.search(message))):
        remedy = "check instructor.model and instructor.base_url"
        return Stop(reason=f"no such model or address (HTTP {status}: {message})", exit_code=2, remedy=remedy)
    if status == 400 and _BUSY.search(message):
        return Retry(reason=_told("HTTP 400", message), after=retry_after(headers), slow_down=True)
    if status in (400, 413, 422):
        dropped = _of_content(code, message)
        if dropped is None and status == 413:
            dropped = Drop(reason="too_long", detail=message)
        return dropped or Refused(detail=message, code=code, param=str(error.get("param") or ""))
    reason = _told(f"HTTP {status}", message)
    return Retry(reason=reason, after=retry_after(headers), slow_down=status in (503, 529))


def _told(what: str, message: str) -> str:
    return f"{what}: {message}" if message else what


def _of_content(code: str, message: str) -> Drop | None:
    """Return the verdict if the server refuses a request's content, not its form, else ``None``."""
    of_policy = "content" in code and ("filter" in code or "policy" in code or "management" in code)
    if of_policy or _BLOCKED.search(f"{code} {message}"):
        return Drop(reason="content_filter", detail=message)
    if "context_length" in code or "context length" in message or "context window" in message:
        return Drop(reason="too_long", detail=message)
    return None


def of_error(error: Any) -> ReplyState:
    """Classify an error with status 200: retry overload, drop refused content, else stop the run resumably."""
    held = error if isinstance(error, dict) else {"message": str(error)}
    code, message = str(held.get("code") or held.get("type") or ""), words_of(held)
    if code in _QUOTA or _MONEY.search(message):
        return of_status(402, {}, held)
    if (dropped := _of_content(code, message)) is not None:
        return dropped
    if (code in _INSIDE and not _UPSTREAM.search(message)) or _KEY.search(message):
        return of_status(_INSIDE.get(code, 401), {}, held)
    if code in ("429", "529") or _LATER.search(f"{code} {message}"):
        return Retry(reason=f"an error inside a 200 ({message or code})", slow_down=True)
    said = f"{code}: {message}" if code and message else code or message
    remedy = "run the same command again when the server is well; answers so far are kept"
    return Stop(reason=f"the server answers with an error inside a 200 ({said})", exit_code=75, remedy=remedy)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, given as seconds or as a date; the longest of several.

    A value that is neither counts as absent, and the log says so. A time since 1970 is a date too.
    """
    value = headers.get("retry-after")
    if value is None:
        return None
    with suppress(ValueError):
        given = [float(part) for part in value.split(",")]  # sent twice, by the server and a proxy: "1, 1"
        if all(map(math.isfinite, given)):
            return max(0.0, *(x - time.time() if x >= _LAST else x for x in given))
    with suppress(ValueError, OverflowError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    _tell(value[:60])
    return None


@lru_cache(maxsize=32)
def _tell(value: str) -> None:
    """Write to the log, once a value, that it is ignored."""
    log.warning("Retry-After: %r is neither seconds nor a date: it is ignored", value)
