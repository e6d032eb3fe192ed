"""The modules of a target model without its weights, to check settings of a fine-tune before any cost arises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sei.models.tokenizer import location_of, offline, reading, state_of
from sei.models.trained import require_adapter, require_checkpointing

if TYPE_CHECKING:
    from sei.models.target import TargetModel


def architecture(target: TargetModel) -> Any:
    """Return the base model on torch's meta device, which holds shapes and no numbers, or ``None`` if it is unknown.

    It is unknown if the configuration is not on this machine and the hub must not be contacted. It is built once per
    process, so do not change it: copy it instead.

    Raises:
        ConfigError: if the configuration cannot be read or fetched, or if transformers does not know the architecture.
    """
    folder = target.folder()
    key = (target.source, target.revision, () if folder is None else state_of(folder))
    if key not in _BUILT:
        _BUILT[key] = None if folder is None and not _reachable(target) else _built(target)
    return _BUILT[key]


_BUILT: dict[tuple[Any, ...], Any] = {}


def require_trainable(
    target: TargetModel,
    *,
    lora: Sequence[str] | str = (),
    dropout: float = 0.0,
    checkpointing: bool = False,
    supervised_logits: bool = False,
) -> None:
    """Refuse settings of a fine-tune or a scorer that do not fit the architecture, if it is known.

    ``lora``: the layers of a new LoRA, or ``all-linear``; empty if there is none. ``dropout``: the LoRA's.
    ``checkpointing``: activations are computed again in the backward pass.

    Raises:
        ConfigError: names a layer that the model lacks, or the reason why it cannot do the rest.
    """
    if not (lora or checkpointing or supervised_logits):
        return
    from sei.lit.losses import require_supervised_logits  # imports torch

    model = architecture(target)
    if model is None:
        return
    if lora:
        require_adapter(model, lora, dropout)
    if checkpointing:
        require_checkpointing(model)
    if supervised_logits:
        require_supervised_logits(model)


def _reachable(target: TargetModel) -> bool:
    from huggingface_hub import try_to_load_from_cache

    held = try_to_load_from_cache(target.source, "config.json", revision=target.revision)
    return isinstance(held, str) or not offline()


def _built(target: TargetModel) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    where, more = location_of(target)
    more.pop("quantization_config", None)
    with reading(target, where):
        config = AutoConfig.from_pretrained(where, trust_remote_code=False, **more)
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config, trust_remote_code=False)
