"""A model's window: the number of tokens that it was trained to read at once."""

from __future__ import annotations

from typing import Any

from sei.errors import ConfigError

_NAMED_BEFORE = ("linear", "dynamic", "yarn")  # scaled positions whose window is, or may be, that before scaling


def window_of(config: Any) -> int | None:
    """Return the window in a model's configuration, or ``None`` if it has none (Bloom, for example).

    The window of a scaled RoPE is taken after scaling. Configurations name it before scaling for ``linear`` and
    ``dynamic``, after it for ``llama3`` and ``longrope``, and either way for ``yarn``, where the larger one is taken.
    """
    text = config.get_text_config()
    window = getattr(text, "max_position_embeddings", None)
    if not isinstance(window, int):
        return None
    rope = getattr(text, "rope_parameters", None) or {}
    kinds = [rope, *(x for x in rope.values() if isinstance(x, dict))]  # some models have one for each kind of layer
    factors = [float(k.get("factor") or 1) for k in kinds if k.get("rope_type") in _NAMED_BEFORE]
    return int(window * max([1.0, *factors]))


def require_window(config: Any, prompt: int, new_tokens: int) -> None:
    """Refuse an answer that may leave the window: a model's answers degrade there, or it ends with an index error.

    ``prompt``: tokens of the longest prompt.

    Raises:
        ConfigError: with both numbers.
    """
    window = window_of(config)
    if window is not None and prompt + new_tokens > window:
        raise ConfigError(
            f"the longest prompt has {prompt} tokens, and an answer up to {new_tokens} (engine.max_new_tokens). Rule: "
            f"together they must fit the model's window of {window} tokens. Remedy: a smaller engine.max_new_tokens, "
            "fewer shots in the prompt, or a model with a larger window."
        )
