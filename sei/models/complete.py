"""Refuses weights that are incomplete: transformers fills what is missing with random numbers and goes on."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from sei.errors import ConfigError

_LAYER = re.compile(r"\.layers?\.(\d+)\.|\.h\.(\d+)\.|\.blocks\.(\d+)\.")


def require_complete(model: Any, info: dict[str, Any], source: str, where: str) -> None:
    """Refuse a model some of whose weights are not in its files, and files with layers that the model does not have.

    ``info``: what ``from_pretrained`` returns with ``output_loading_info``. Other weights that the model does not use,
    such as those of images, do no harm.

    Raises:
        ConfigError: names some of the weights.
    """
    remedy = "Remedy: the complete folder of the model (fetch it again), with the config.json that belongs to it."
    if missing := info["missing_keys"]:
        raise ConfigError(
            f"model.source={source}: {where} lacks {len(missing)} weights of {type(model).__name__}, such as "
            f"{_some(missing)}. Rule: all must be there, because others would be random numbers. {remedy}"
        )
    layers = getattr(model.config.get_text_config(), "num_hidden_layers", None)
    beyond = [k for k in info["unexpected_keys"] if isinstance(layers, int) and _layer(k) >= layers]
    if beyond:
        raise ConfigError(
            f"model.source={source}: {where} has weights of more layers than the {layers} that its config.json names, "
            f"such as {_some(beyond)}. Rule: both must agree. {remedy}"
        )


def _layer(key: str) -> int:
    found = _LAYER.search(f".{key}")
    return -1 if found is None else int(next(n for n in found.groups() if n is not None))


def _some(keys: Collection[str]) -> str:
    return ", ".join(sorted(keys)[:3])
