"""A model behind a server: its prompts, the room for its answers, and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sei.errors import ConfigError
from sei.opened import OpenModel


@dataclass
class Served(OpenModel):
    """A model behind a server. ``name`` is the server's name for it; the weights are not in this process.

    ``window``: the most tokens of a prompt and its answer together, or ``None`` if the server does not report it.
    """

    url: str = ""
    name: str = ""
    window: int | None = None


def prompts_for(opened: Served, texts: Sequence[str], *, tokens: bool) -> list[Any]:
    """Return rendered prompts as a server gets them: as tuples of token ids, or as texts."""
    if not tokens:
        return list(texts)
    special = opened.template == "plain"
    ids = opened.tokenizer(list(texts), add_special_tokens=special)["input_ids"] if texts else []
    return [tuple(row) for row in ids]


def require_room(opened: Served, prompts: Sequence[Any], new_tokens: int) -> None:
    """Refuse prompts that leave too little room for an answer: vLLM would silently shorten it.

    Raises:
        ConfigError: names the longest prompt, the window and the remedy.
    """
    if opened.window is None or not prompts:
        return
    longest = max(len(opened.tokenizer(p)["input_ids"]) if isinstance(p, str) else len(p) for p in prompts)
    if longest + new_tokens > opened.window:
        raise ConfigError(
            f"the longest prompt has {longest} tokens and engine.max_new_tokens={new_tokens}; together "
            f"they exceed the server's window of {opened.window}, so it would cut answers short. Remedy: a larger "
            "--max-model-len in engine.command (if the model allows it), a smaller engine.max_new_tokens, or "
            "fewer shots in the prompt."
        )


def remedy_of(fault: str) -> str:
    """Return what helps against a fault, in words."""
    low = fault.lower()
    if "too_long" in low or "max_model_len" in low or "context length" in low:
        return "a larger --max-model-len in engine.command, or a smaller engine.max_new_tokens"
    return "repair the server"
