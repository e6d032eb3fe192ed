"""Weights in four bits, for training an adapter on top of them."""

from __future__ import annotations

from typing import Any

from sei.errors import ConfigError


def four_bits(source: str, dtype: Any, *, packed: bool) -> dict[str, Any]:
    """Return the loading settings for 4-bit weights as in QLoRA: NF4 with double quantization.

    Raises:
        ConfigError: if the weights of ``model.source`` are already ``packed``.
    """
    import torch
    from transformers import BitsAndBytesConfig

    if packed:
        raise ConfigError(
            f"finetuner.quantize=nf4 with model.source={source}: these weights are already quantized. Remedy: a "
            "model folder or hub name with safetensors, or finetuner.quantize=none."
        )
    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    device = torch.cuda.current_device() if torch.cuda.is_available() else "cpu"
    return {"quantization_config": settings, "device_map": {"": device}}
