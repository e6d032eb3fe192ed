"""Reads replies in the formats of many servers: text, thoughts, refusals, call arguments, tokens and their ending."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_CUT = frozenset(
    "length max_length max_tokens max_tokens_reached max_output_tokens max_new_tokens max_completion_tokens token_limit"
    " too_many_tokens model_length model_context_window_exceeded context_length context_length_exceeded"
    " incomplete".split()
)
_FILTERED = frozenset(
    "content_filter contentfilter content_filtered safety image_safety recitation prohibited_content blocklist spii"
    " sensitive refusal guardrail_intervened error_toxic".split()
)
_BROKEN = frozenset("error abort aborted insufficient_system_resource network_error".split())
_THOUGHTS = frozenset("thinking reasoning thought redacted_thinking".split())


def end_of(choice: Mapping[str, Any]) -> str:
    """Return how a reply ended: ``stop``, ``length``, ``content_filter``, ``error``, or the server's own word."""
    told = str(choice.get("finish_reason") or "stop")
    word = told.casefold().split(":")[0].strip().replace("-", "_")
    for name, words in (("length", _CUT), ("content_filter", _FILTERED), ("error", _BROKEN)):
        if word in words:
            return name
    return told


def text_of(content: Any) -> str:
    """Return the text of a message's content, which may be text, a list of parts or an object."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(text_of(part) for part in content if not _is_thought(part))
    if not isinstance(content, dict):
        return ""
    told = content.get("text")
    if isinstance(told, dict):
        told = told.get("value")
    if isinstance(told, str):
        return told
    return json.dumps(content, ensure_ascii=False) if "type" not in content else ""


def thoughts_of(message: Mapping[str, Any]) -> str:
    """Return the model's thoughts in a message, in any place where servers put them."""
    for name in ("reasoning_content", "reasoning", "thinking"):
        if isinstance(message.get(name), str) and message[name].strip():
            return str(message[name])
    content = message.get("content")
    parts = [p for p in content if _is_thought(p)] if isinstance(content, list) else []
    return "".join(text_of(p.get("thinking") or p.get("reasoning") or p.get("text")) for p in parts)


def refusal_of(message: Mapping[str, Any]) -> str:
    """Return the words of a model's refusal, or an empty text."""
    content = message.get("content")
    parts = [p.get("refusal") for p in content if isinstance(p, dict)] if isinstance(content, list) else []
    return next((str(x) for x in (message.get("refusal"), *parts) if x), "")


def arguments_of(message: Mapping[str, Any]) -> str:
    """Return the arguments of the single tool call that a message has instead of text."""
    calls = message.get("tool_calls")
    calls = calls if isinstance(calls, list) and len(calls) == 1 else [{"function": message.get("function_call")}]
    made = calls[0].get("function") if isinstance(calls[0], dict) else None
    given = made.get("arguments") if isinstance(made, dict) else None
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False) if given else ""


def tokens_in(usage: Any) -> tuple[int, int]:
    """Return the server's token counts of request and reply, 0 if missing.

    Thoughts count as part of the reply. Some servers include them only in the total.
    """
    if not isinstance(usage, dict):
        return 0, 0
    sent = _number(usage.get("prompt_tokens")) or _number(usage.get("input_tokens"))
    written = _number(usage.get("completion_tokens")) or _number(usage.get("output_tokens"))
    return sent, max(written, _number(usage.get("total_tokens")) - sent) if sent and written else written


def _number(value: Any) -> int:
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 12 else 0
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e12
    return int(value) if usable else 0


def _is_thought(part: Any) -> bool:
    return isinstance(part, dict) and str(part.get("type")) in _THOUGHTS
