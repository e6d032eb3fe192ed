"""Decides what to do with a response of status 200: its body, its encoding and the reply in it."""

from __future__ import annotations

import json
import re
from typing import Any

from sei.instructors.remote.bodies import MAX_BODY, CharsetError, text_in, value_of
from sei.instructors.remote.chunks import joined
from sei.instructors.remote.json_text import runs_on
from sei.instructors.remote.message import arguments_of, end_of, refusal_of, text_of, thoughts_of, tokens_in
from sei.instructors.remote.thinking import is_all_thinking, without_thinking
from sei.instructors.remote.verdict import Counted, Drop, Ok, Reask, ReplyState, Retry, of_error, plain, without

_COMPLETION = re.compile(r'"object"\s*:\s*"text_completion"')
_WORDS = 300  # at most this many characters of a server's message are kept
_BEGINS = 200  # characters of a body that cannot be read


def of_body(body: bytes, content_type: str, secret: str) -> ReplyState:
    """Classify the bytes of a response with status 200. ``secret`` is masked in its words."""
    if len(body) >= MAX_BODY:
        return Drop(reason="too_large", detail=without(body[:300].decode("utf-8", "replace"), secret))
    try:
        return of_text(without(text_in(body, content_type), secret))
    except CharsetError as e:
        shown = without(e.shown, secret)
        if _COMPLETION.search(shown):
            return of_text(shown)  # a token of a served model may be a part of a character
        counted = Counted(sent=False, reply=False, written=shown)
        return Reask(reason="charset", detail=f"{e}. It begins: {shown[:_WORDS]}", counted=counted)


def of_text(body: str) -> ReplyState:
    """Classify the text of a response with status 200."""
    try:
        return _of_text(body)
    except RecursionError:
        return _unreadable("nested too deep", body)


def _unreadable(what: str, body: str) -> Retry:
    return Retry(reason=f"a body that is {what} ({plain(body)[:_BEGINS]})", unreadable=True)


def _of_text(body: str) -> ReplyState:
    try:
        found = value_of(body)
    except ValueError:
        return _unreadable("no JSON", body)
    if isinstance(found, list) and found and isinstance(found[0], dict):
        found = found[0]
    if not isinstance(found, dict):
        return _unreadable("no object", body)
    if found.get("error"):
        return of_error(found["error"])
    if found.get("object") == "error":
        return of_error(found)
    choices = found.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return _without_choices(found, body)
    if isinstance(choices[0].get("delta"), dict) and not isinstance(choices[0].get("message"), dict):
        choices = (joined([found]) or found)["choices"]
    if choices[0].get("error"):
        return of_error(choices[0]["error"])
    return _of_choice(choices[0], found.get("usage"), str(found.get("model") or ""))


def _without_choices(found: dict[str, Any], body: str) -> ReplyState:
    """Classify a reply without a choice. With token counts it is paid, such as the reply to a blocked prompt."""
    sent, written = tokens_in(found.get("usage"))
    said = " ".join(body.split())[:_WORDS]
    if not sent:
        return Retry(reason=f"a body without choices ({said[:_BEGINS]})", unreadable=True)
    tokens: dict[str, Any] = {"input_tokens": sent, "output_tokens": written, "counted": Counted(reply=bool(written))}
    return Reask(reason="empty", detail=f"no choices: {said}"[:_WORDS], **tokens)


def _of_choice(choice: dict[str, Any], usage: Any, model: str) -> ReplyState:
    given = choice.get("message")
    message: dict[str, Any] = given if isinstance(given, dict) else {}
    thoughts = thoughts_of(message)
    text = text_of(message.get("content"))
    text = text if text.strip() else arguments_of(message)
    completed = _completion(choice, said=bool((text + thoughts).strip()))
    sent, written = tokens_in(usage)
    all_of_it = thoughts + text if completed is None else completed
    counted = Counted(sent=bool(sent), reply=bool(written), written=all_of_it)
    tokens: dict[str, Any] = {"input_tokens": sent, "output_tokens": written, "counted": counted}
    end, told = end_of(choice), f"finish_reason: {choice.get('finish_reason')}"
    if end == "error":
        return Retry(reason=f"a reply that broke off ({told})")
    if completed is not None:  # it counts even if cut or empty
        return Ok(text=completed, model=model, finish=end, **tokens)
    if end == "content_filter":
        return Drop(reason="content_filter", detail=f"{told} {text}".strip()[:_WORDS], **tokens)
    if refusal := refusal_of(message):
        return Drop(reason="refusal", detail=refusal[:_WORDS], **tokens)
    if end == "length" and not runs_on(without_thinking(text)):
        alone = is_all_thinking(text) or (not text.strip() and bool(thoughts.strip()))
        return Reask(reason="length", detail=f"cut ({told}): {all_of_it}"[:_WORDS], thought=alone, **tokens)
    if text.strip():
        return Ok(text=text, model=model, **tokens)
    if thoughts.strip():
        return Ok(text=thoughts, model=model, thought=True, **tokens)
    held = json.dumps(given, ensure_ascii=False)
    return Reask(reason="empty", detail=f"no text ({told}); the message is {held}"[:_WORDS], **tokens)


def _completion(choice: dict[str, Any], *, said: bool) -> str | None:
    """Return the text of a plain completion, or ``None`` for a chat reply.

    Some servers give both. The text then counts only if the message says nothing.
    """
    text = choice.get("text")
    chats = isinstance(choice.get("message"), dict) and said
    return text if isinstance(text, str) and not chats else None
