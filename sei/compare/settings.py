"""The settings of a run that can change its results, as one level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Settings = dict[str, Any]
TARGET = "_target_"
_IGNORED = (
    *("seed", "name", "store", "tracker", "plugins", "ablation", "estimate", "dry_run", "assume", "data_folder"),
    *("teacher_card", "teacher_card_rows", "card"),
)
SPEED = {  # by class: settings that change speed, cost or what is written, and no result
    "Finetune": ("resume_every", "gradient_checkpointing"),
    "MathGrader": ("workers",),
    "OpenAICompatible": (
        *("cache", "api_key_env", "usd_in", "usd_out", "max_usd", "requests_per_minute", "tokens_per_minute"),
        *("concurrency", "timeout", "give_up", "max_wait", "tries", "batch", "batch_wait"),
    ),
    "ServedEngine": ("url", "scale", "compare_merged", "batch_size", "startup", "timeout", "give_up", "tries"),
}


def settings(config: Mapping[str, Any]) -> Settings:
    """Return the settings that can change a result as one level, ``finetuner.lr: 0.0005``; references are not resolved.

    A class of this package is identified by its own name, even if its module moves; a plugin's class by its path.
    """
    flat: Settings = {}
    _flatten({k: v for k, v in config.items() if k not in _IGNORED}, "", flat)
    return flat


def class_of(target: str) -> str:
    """Return the name of a class from its path."""
    return str(target).rsplit(".", 1)[-1]


def _flatten(value: Any, at: str, out: Settings) -> None:
    if isinstance(value, dict) and value:
        target = str(value.get(TARGET, ""))
        speed = SPEED.get(class_of(target), ()) if target.startswith("sei.") else ()
        for k, v in value.items():
            if k not in speed:
                _flatten(v, f"{at}.{k}" if at else str(k), out)
    else:
        out[at] = class_of(value) if at.endswith(TARGET) and str(value).startswith("sei.") else value
