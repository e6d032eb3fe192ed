"""Trained weights: a new LoRA on a model, and what a fine-tune writes."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from sei.errors import ConfigError
from sei.lit.layers import is_matrix, routers_of
from sei.models.portable import mend
from sei.records import Checkpoint
from sei.store import folder_digest

Weights = Literal["full", "lora"]


def with_adapter(model: Any, *, r: int, alpha: int, dropout: float, targets: Sequence[str] | str) -> Any:
    """Return a model with a new LoRA on the linear layers in ``targets``, or on all of them (``all-linear``).

    ``all-linear`` leaves out routers that choose experts.

    Raises:
        ConfigError: if the model lacks one of the layers, or if peft has no LoRA for it.
    """
    from peft import LoraConfig, get_peft_model

    routers = routers_of(model)
    _require_layers(model, targets)
    _require_untied(model, targets)
    _require_matrices(model, targets, routers)
    how = LoraConfig(
        r=r,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        exclude_modules=routers or None,
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(model, how)
    except ValueError as e:
        rest = "Remedy: finetuner.lora_dropout=0." if "lora_dropout" in str(e) else _remedy(model)
        raise ConfigError(
            f"finetuner.lora_targets={_said(targets)}, finetuner.lora_dropout={dropout}: peft makes no LoRA of them in "
            f"{type(model).__name__} ({' '.join(str(e).split())[:200]}). {rest}"
        ) from e


def require_adapter(model: Any, targets: Sequence[str] | str, dropout: float) -> None:
    """Refuse layers that cannot get a LoRA with this dropout. ``model`` needs no weights and stays as it is.

    Raises:
        ConfigError: as ``with_adapter`` does.
    """
    with warnings.catch_warnings(action="ignore"):  # they come again at the fine-tune
        with_adapter(copy.deepcopy(model), r=1, alpha=1, dropout=dropout, targets=targets)


def require_checkpointing(model: Any) -> None:
    """Refuse a model that cannot compute activations again in the backward pass.

    Raises:
        ConfigError: names its class.
    """
    if not model.supports_gradient_checkpointing:
        raise ConfigError(
            f"finetuner.gradient_checkpointing=true: {type(model).__name__} does not support it. Remedy: "
            "finetuner.gradient_checkpointing=false, and a small finetuner.micro_batch to save memory."
        )


def _require_layers(model: Any, targets: Sequence[str] | str) -> None:
    """Refuse names that no layer has: peft passes over them in silence if another name is found."""
    names = [name for name, _ in model.named_modules()]
    given = [] if isinstance(targets, str) else targets
    if missing := [t for t in given if not any(f".{name}".endswith(f".{t}") for name in names)]:
        raise ConfigError(
            f"finetuner.lora_targets={_said(targets)}: {type(model).__name__} has no layer {' or '.join(missing)}. "
            f"Rule: every name must be that of a layer. {_remedy(model)}"
        )


def _require_untied(model: Any, targets: Sequence[str] | str) -> None:
    """Refuse a LoRA on one end of a matrix that is input and output at once: merging it would change both ends."""
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    if isinstance(targets, str) or None in ends or ends[0].weight is not ends[1].weight:
        return
    names = [name for name, module in model.named_modules() if module in ends]
    if hit := [t for t in targets if any(f".{name}".endswith(f".{t}") for name in names)]:
        raise ConfigError(
            f"finetuner.lora_targets={_said(targets)}: in {type(model).__name__}, {' and '.join(hit)} shares its "
            "weights with the other end of the model, so a merged LoRA would change both. Rule: a LoRA is on layers "
            f"between them. {_remedy(model)}"
        )


def _require_matrices(model: Any, targets: Sequence[str] | str, routers: Sequence[str]) -> None:
    """Refuse a LoRA on a layer that returns more than a product, such as the experts that it chose."""
    given = [] if isinstance(targets, str) else targets
    if hit := [t for t in given if any(f".{name}".endswith(f".{t}") for name in routers)]:
        raise ConfigError(
            f"finetuner.lora_targets={_said(targets)}: in {type(model).__name__}, {' and '.join(hit)} chooses experts "
            f"and returns no plain product, so peft cannot add a LoRA to it. {_remedy(model)}"
        )


def _said(targets: Sequence[str] | str) -> str:
    return targets if isinstance(targets, str) else f"[{','.join(targets)}]"


def _remedy(model: Any) -> str:
    """Return what to set instead, with the names of the model's own layers in the order in which they come."""
    head = model.get_output_embeddings()
    odd = routers_of(model)
    matrices = {
        n.rpartition(".")[2]: m for n, m in model.named_modules() if m is not head and is_matrix(m) and n not in odd
    }
    return f"Remedy: finetuner.lora_targets=all-linear, or some of [{','.join(matrices)}]."


def save_adapter(model: Any, source: str, folder: Path) -> None:
    """Write the LoRA of a model to ``adapter/``, with ``source`` as the name of its base."""
    model.peft_config["default"].base_model_name_or_path = source
    model.save_pretrained(folder / "adapter", save_embedding_layers=False)


def save_merged(model: Any, tokenizer: Any, folder: Path, method: Weights) -> None:
    """Write all weights, with any LoRA merged, and the tokenizer to ``model/``. Every later stage opens this folder."""
    merged = model.merge_and_unload() if method == "lora" else model
    if hasattr(merged.config, "quantization_config"):
        del merged.config.quantization_config  # the weights are no longer quantized
    write(merged, tokenizer, folder / "model")


def write(model: Any, tokenizer: Any, home: Path) -> None:
    """Write a model and its tokenizer so that older readers understand them too."""
    model.save_pretrained(home, safe_serialization=True)
    tokenizer.save_pretrained(home)
    mend(home)


def checkpoint_in(folder: Path, start: Checkpoint, method: Weights) -> Checkpoint:
    """Return the checkpoint in a folder that training from ``start`` wrote."""
    made, where = folder_digest(folder / "model"), folder.resolve()
    if method == "full":
        return Checkpoint(digest=made, kind="full", folder=str(where / "model"))
    onto = start.onto if start.kind == "adapter" else start
    return Checkpoint(
        digest=made, kind="adapter", folder=str(where / "model"), adapter=str(where / "adapter"), onto=onto
    )
