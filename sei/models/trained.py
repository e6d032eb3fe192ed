"""Trained weights: a new LoRA on a model, and what a fine-tune writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from sei.models.portable import mend
from sei.records import Checkpoint
from sei.store import folder_digest

Weights = Literal["full", "lora"]


def with_adapter(model: Any, *, r: int, alpha: int, dropout: float, targets: Sequence[str] | str) -> Any:
    """Return a model with a new LoRA on the linear layers in ``targets``, or on all of them (``all-linear``)."""
    from peft import LoraConfig, get_peft_model

    return get_peft_model(
        model,
        LoraConfig(
            r=r,
            lora_alpha=alpha,
            lora_dropout=dropout,
            target_modules=targets if isinstance(targets, str) else list(targets),
            task_type="CAUSAL_LM",
        ),
    )


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
