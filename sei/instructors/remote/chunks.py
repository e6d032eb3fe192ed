"""Joins the chunks of a reply that a server streams although no stream was asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

_END = "[DONE]"
_FIELDS = ("event:", "id:", "retry:", ":")
"""Lines of server-sent events that hold no data."""


def events_of(text: str, parse: Callable[[str], Any]) -> list[Any]:
    """Return the values of a stream, as server-sent events or one JSON object a line. No stream gives an empty list.

    The end mark is returned as text.
    """
    out: list[Any] = []
    for line in text.split("\n"):
        line = line.strip()
        if not line or line.startswith(_FIELDS):
            continue
        data = line.removeprefix("data:").strip()
        if data == _END:
            out.append(data)
            continue
        try:
            value = parse(data)
        except ValueError:
            return []
        if not isinstance(value, dict):
            return []
        out.append(value)
    return out


def joined(events: Sequence[Any]) -> dict[str, Any] | None:
    """Return the chunks of a stream as one body, or ``None`` without chunks.

    Texts are put together. Model, ending and token counts are the last ones given. A stream that ends without its mark
    and without an ending has the ending ``error``, because it broke off.
    """
    chunks = [e for e in events if isinstance(e, dict)]
    if not chunks:
        return None
    for chunk in chunks:
        if chunk.get("error") or not ("choices" in chunk or "usage" in chunk):
            return dict(chunk)
    message: dict[str, Any] = {}
    choice: dict[str, Any] = {}
    body: dict[str, Any] = {}
    for chunk in chunks:
        body |= {k: v for k, v in chunk.items() if k != "choices" and v is not None}
        for one in chunk["choices"] if isinstance(chunk.get("choices"), list) else ():
            if isinstance(one, dict) and not one.get("index"):
                if isinstance(one.get("message"), dict):  # the whole reply, not a part of it
                    message = dict(one["message"])
                elif isinstance(one.get("delta"), dict):
                    _add(message, one["delta"])
                _add(choice, {k: v for k, v in one.items() if k not in ("delta", "message", "index", "logprobs")})
    if not choice.get("finish_reason") and _END not in events and len(chunks) > 1:
        choice["finish_reason"] = "error"
    choice |= {"message": message} if message or "text" not in choice else {}
    return {**body, "choices": [choice]} if any("choices" in c for c in chunks) else body


def _add(out: dict[str, Any], more: dict[str, Any]) -> None:
    """Add the fields of a chunk: texts and lists are continued, calls by their number, others replaced."""
    for name, value in more.items():
        held = out.get(name)
        if value is None:
            out.setdefault(name, None)
        elif name in ("role", "finish_reason", "id", "type", "name"):
            out[name] = value
        elif name == "tool_calls" and isinstance(value, list):
            calls: dict[Any, dict[str, Any]] = {c.get("index", i): c for i, c in enumerate(held or [])}
            for i, call in enumerate(c for c in value if isinstance(c, dict)):
                _add(calls.setdefault(call.get("index", i), {}), call)
            out[name] = list(calls.values())
        elif isinstance(held, dict) and isinstance(value, dict):
            _add(held, value)
        elif isinstance(value, dict):
            out[name] = {}
            _add(out[name], value)
        elif isinstance(held, type(value)) and isinstance(value, (str, list)):
            out[name] = held + value
        else:
            out[name] = value
