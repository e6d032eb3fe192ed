"""Refuses weights that are incomplete, or that are not those of a causal model: transformers goes on with both."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from sei.errors import ConfigError

_EITHER = ("xlm", "reformer")  # kinds that are in both of transformers' lists
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
    own = {_stack(name) for name, _ in model.named_parameters()} - {""}
    beyond = [
        k for k in info["unexpected_keys"] if _stack(k) in own and isinstance(layers, int) and _layer(k) >= layers
    ]
    if beyond:
        raise ConfigError(
            f"model.source={source}: {where} has weights of more layers than the {layers} that its config.json names, "
            f"such as {_some(beyond)}. Rule: both must agree. {remedy}"
        )


def require_causal(model: Any, settings: Mapping[str, Any], source: str) -> None:
    """Refuse encoders, which see the words that come next, and encoder-decoders.

    ``settings``: the ``config.json`` of the folder, empty if it has none.

    Raises:
        ConfigError: names the architecture.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    kind = model.config.model_type
    encoder = kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(model.config, "is_decoder", False)
    if settings.get("is_encoder_decoder") or (encoder and kind not in _EITHER):
        raise ConfigError(
            f"model.source={source}: {kind} is no causal language model. Rule: the target model writes an answer word "
            "by word and sees only the words before it. Remedy: a decoder, such as one of Llama's or Qwen's kind."
        )


def _layer(key: str) -> int:
    found = _LAYER.search(f".{key}")
    return -1 if found is None else int(next(n for n in found.groups() if n is not None))


def _stack(key: str) -> str:
    """Return what stands before the number of a layer: another stack of layers may be that of images."""
    found = _LAYER.search(f".{key}")
    return "" if found is None else key[: found.start()]


def _some(keys: Collection[str]) -> str:
    return ", ".join(sorted(keys)[:3])
