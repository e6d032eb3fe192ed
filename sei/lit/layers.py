"""Which layers of a language model can get a LoRA."""

from __future__ import annotations

from typing import Any


def is_matrix(module: Any) -> bool:
    """Say whether a layer multiplies by a matrix."""
    import torch
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, (torch.nn.Linear, Conv1D))


def routers_of(model: Any) -> list[str]:
    """Return the names of linear layers that do not return one product of their input.

    Some architectures make their routers a kind of linear layer (Llama 4, PhiMoE). peft takes these for linear layers,
    and fails at the first step. Each kind is tried once, on shapes without numbers.
    """
    found: dict[type, bool] = {}
    names = []
    for name, module in model.named_modules():
        if not is_matrix(module) or not type(module).__module__.startswith("transformers.models."):
            continue
        if type(module) not in found:
            found[type(module)] = not _is_product(module)
        if found[type(module)]:
            names.append(name)
    return names


def _is_product(module: Any) -> bool:
    import torch

    shapes = {n: p.to("meta") for n, p in (*module.named_parameters(), *module.named_buffers())}
    given = torch.empty(2, module.in_features, device="meta", dtype=module.weight.dtype)
    try:
        made = torch.func.functional_call(module, shapes, (given,))
    except (RuntimeError, TypeError, ValueError, IndexError):  # it takes another input than a linear layer
        return False
    return isinstance(made, torch.Tensor) and made.shape == (2, module.out_features)
