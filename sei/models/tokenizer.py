"""The tokenizer of a target model: read, fetched, and looked at for its chat template before anything costs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sei.errors import ConfigError, SeiError, disk_trouble
from sei.models.turns import mark_of, turns_of
from sei.opened import OpenModel
from sei.prompts import ask_template, prompt_digest
from sei.store import digest

if TYPE_CHECKING:
    from sei.models.target import TargetModel


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a tokenizer has: a ``chat`` template or none, and the ``mark`` of its turns for the store's key."""

    chat: bool
    mark: str


def tokenizer_of(target: TargetModel) -> Any:
    """Return the tokenizer of a target's base, which pads on the left and has a padding token.

    Raises:
        ConfigError: where it cannot be read, or fetched.
    """
    from transformers import AutoTokenizer

    where, more = location_of(target)
    more.pop("quantization_config", None)
    with reading(target, where):
        tokenizer = AutoTokenizer.from_pretrained(where, padding_side="left", trust_remote_code=False, **more)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def asked_with(target: TargetModel, tokenizer: Any) -> OpenModel:
    """Return the way of asking a target, without weights and as its tokenizer comes."""
    return OpenModel(
        model=None,
        tokenizer=tokenizer,
        template=target.kind,
        ask=target.ask,
        layout=target.layout,
        shots=target.shots(),
        system=target.system(),
        template_kwargs=target.chat_template_kwargs,
    )


def here(target: TargetModel) -> bool:
    """Say whether the tokenizer of a target is on this machine."""
    if target.folder() is not None:
        return True
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(target.source, "tokenizer_config.json", revision=target.revision), str)


def offline() -> bool:
    """Say whether the hub must not be asked."""
    said = (os.environ.get(name, "").upper() for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return any(value in ("1", "ON", "YES", "TRUE") for value in said)


def unserved_end(target: TargetModel) -> str | None:
    """Return the token that ends a turn where a server of the base would not end at it, which goes by its files.

    Raises:
        ConfigError: where the tokenizer cannot be had.
    """
    if target.source.startswith("packaged:") or not here(target) or target.kind == "plain":
        return None
    tokenizer = tokenizer_of(target)
    turns = turns_of(asked_with(target, tokenizer), target.source)
    if turns is None or turns.end in {tokenizer.eos_token_id, *target.base_ends()}:
        return None
    return str(tokenizer.convert_ids_to_tokens(turns.end))


def key_of(target: TargetModel) -> tuple[Any, ...]:
    """Return what a target's prompts rest on: its tokenizer's files and its settings."""
    folder = target.folder()
    how = digest(
        target.system(),
        target.chat_template_kwargs,
        prompt_digest(ask_template(target.ask)),
        [list(s) for s in target.shots()],
    )
    return target.template, target.source, target.revision, () if folder is None else state_of(folder), how


def seen(target: TargetModel) -> Seen:
    """Look at a tokenizer, which is fetched where it is not on this machine; once in a process.

    Raises:
        ConfigError: where it cannot be had, and where its turns end with no token.
    """
    key = key_of(target)[1:]
    if key not in _SEEN:
        tokenizer = _fetched(target)
        chat = bool(getattr(tokenizer, "chat_template", None))
        asked = asked_with(replace(target, template="chat", few_shot=None), tokenizer)
        turns = turns_of(asked, target.source) if chat else None
        _SEEN[key] = Seen(chat=chat, mark=mark_of(turns, tokenizer.eos_token_id))
    return _SEEN[key]


_SEEN: dict[tuple[Any, ...], Seen] = {}


def files_in(folder: Path) -> list[Path]:
    """Return all files of a folder of weights, in order."""
    return sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def state_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return names, sizes and times of all files of a folder."""
    return tuple((p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in files_in(folder))


def _fetched(target: TargetModel) -> Any:
    try:
        return tokenizer_of(target)
    except ConfigError as e:
        if here(target) or not offline():
            raise
        raise ConfigError(
            f"model.template={target.template} with model.source={target.source}: its tokenizer is not on this machine "
            "and HF_HUB_OFFLINE forbids to fetch it, so nobody can see its chat template. Remedy: HF_HUB_OFFLINE=0, "
            f"or 'hf download {target.source}' where the hub can be reached."
        ) from e


@contextmanager
def reading(target: TargetModel, where: str) -> Iterator[None]:
    """Word what goes wrong while weights are read; a full disk, memory and our own errors keep their words."""
    try:
        yield
    except Exception as e:  # the libraries raise many kinds; all mean that this model cannot be used
        if isinstance(e, (SeiError, MemoryError)) or disk_trouble(e) is not None:
            raise
        reason = " ".join(f"{type(e).__name__}: {e}".split())[:400]
        raise ConfigError(
            f"model.source={target.source}: {where} cannot be loaded ({reason}). Rule: safetensors or GGUF weights of "
            "an architecture that transformers knows, and a tokenizer beside them; pickled weights are not opened, "
            "code of a model is not run. Remedy: another model.source, or the weights saved anew as safetensors "
            "(save_pretrained)."
        ) from e


def location_of(target: TargetModel) -> tuple[str, dict[str, Any]]:
    """Return where the base's weights are, and what else a library must be told to read them."""
    folder = target.folder()
    if folder is None:
        return target.source, {"revision": target.revision}
    gguf = sorted(folder.glob("*.gguf"))
    if gguf:
        from transformers import GgufConfig

        # packed weights are unusably slow on a CPU and cannot be saved
        return str(folder), {"gguf_file": gguf[0].name, "quantization_config": GgufConfig(dequantize=True)}
    return str(folder), {}
