"""Checks of ``model.attn_implementation`` before any cost arises."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any, Literal

from sei.errors import ConfigError

Attention = Literal["eager", "sdpa", "flash_attention_2"]
_MARKS = {"sdpa": "_supports_sdpa", "flash_attention_2": "_supports_flash_attn"}  # of transformers' model classes


def require_attention(wanted: Attention, *, device: str, dtype: str, architectures: Sequence[str]) -> None:
    """Refuse an attention that the package, the device, the number format or the architecture does not allow.

    ``architectures`` are those of the model's ``config.json``; none are known of a model that is not fetched yet.

    Raises:
        ConfigError: with the reason.
    """
    said, remedy = f"model.attn_implementation={wanted}", "Remedy: model.attn_implementation=sdpa"
    if wanted == "flash_attention_2":
        if not _has_flash_attention():
            raise ConfigError(
                f"{said} needs the flash-attn package, which is not installed. {remedy}, or pip install flash-attn."
            )
        if device == "cpu":
            raise ConfigError(f"{said} with trainer.accelerator=cpu. Rule: it runs on a GPU. {remedy}, or trainer=gpu.")
        if dtype != "bfloat16":
            raise ConfigError(
                f"{said} with model.dtype={dtype}. Rule: it computes in bfloat16. {remedy}, or model.dtype=bfloat16."
            )
    if wanted not in _MARKS:
        return
    import transformers  # takes seconds to import, and only this check needs it

    for name in architectures:
        known: Any = getattr(transformers, name, None)
        if known is not None and not getattr(known, _MARKS[wanted], False):
            remedy = "Remedy: model.attn_implementation=null, which takes what transformers chooses"
            raise ConfigError(f"{said}: {name} has no such attention in transformers. {remedy}, or eager.")


def _has_flash_attention() -> bool:
    return importlib.util.find_spec("flash_attn") is not None
