"""Reads or fetches the tokenizer of a target model and inspects its chat template before any cost arises."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sei.errors import ConfigError, SeiError, disk_trouble
from sei.models.places import gguf_in
from sei.models.turns import mark_of, turns_of
from sei.opened import OpenModel, tells_the_date
from sei.prompts import ask_template, prompt_digest
from sei.store import digest

if TYPE_CHECKING:
    from sei.models.target import TargetModel


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a tokenizer has: a ``chat`` template, and the ``mark`` of its turns for the store's key.

    ``dated``: the template tells the date.
    """

    chat: bool
    mark: str
    dated: bool


def tokenizer_of(target: TargetModel) -> Any:
    """Return the tokenizer of a target's base. It pads on the left and has a padding token.

    Raises:
        ConfigError: if it cannot be read or fetched.
    """
    from transformers import AutoTokenizer

    where, more = location_of(target)
    more.pop("quantization_config", None)
    file = Path(where) / more["gguf_file"] if "gguf_file" in more else None
    key = None if file is None else (file, state_of(file))
    if key in _OF_GGUF:
        return copy.deepcopy(_OF_GGUF[key])
    with reading(target, where):
        tokenizer = AutoTokenizer.from_pretrained(where, padding_side="left", trust_remote_code=False, **more)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if key is not None:
        _OF_GGUF[key] = copy.deepcopy(tokenizer)
    return tokenizer


def _require_open_end(tokenizer: Any, source: str) -> None:
    """Keep a tokenizer from ending every text, and so every prompt, with its EOS.

    Raises:
        ConfigError: if it cannot be kept from that.
    """
    if getattr(tokenizer, "add_eos_token", False):
        tokenizer.add_eos_token = False
    ids = tokenizer("a")["input_ids"]
    if ids and ids[-1] == tokenizer.eos_token_id:
        raise ConfigError(
            f"model.source={source}: its tokenizer ends every text with {tokenizer.eos_token!r}, so a prompt would end "
            "before the answer begins. Remedy: a tokenizer without it: take the token out of post_processor in "
            "tokenizer.json, and set add_eos_token to false in tokenizer_config.json."
        )


_OF_GGUF: dict[Any, Any] = {}  # reading a vocabulary from a GGUF file takes many seconds


def asked_with(target: TargetModel, tokenizer: Any) -> OpenModel:
    """Return a target's prompt settings without weights, with the tokenizer as given.

    Raises:
        ConfigError: if the tokenizer would end every prompt of the ``plain`` template.
    """
    if tokenizer is not None and target.kind == "plain":  # a chat template writes all special tokens itself
        _require_open_end(tokenizer, target.source)
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
    """Tell whether the tokenizer of a target is on this machine."""
    if target.folder() is not None:
        return True
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(target.source, "tokenizer_config.json", revision=target.revision), str)


def offline() -> bool:
    """Tell whether the hub must not be contacted."""
    said = (os.environ.get(name, "").upper() for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return any(value in ("1", "ON", "YES", "TRUE") for value in said)


def unserved_end(target: TargetModel) -> str | None:
    """Return the token that ends a turn if a server would not stop at it, else ``None``.

    A server takes its end tokens from the base's files.

    Raises:
        ConfigError: if the tokenizer is not available.
    """
    if target.source.startswith("packaged:") or not here(target) or target.kind == "plain":
        return None
    tokenizer = tokenizer_of(target)
    turns = turns_of(asked_with(target, tokenizer), target.source)
    if turns is None or turns.end in {tokenizer.eos_token_id, *target.base_ends()}:
        return None
    return str(tokenizer.convert_ids_to_tokens(turns.end))


def key_of(target: TargetModel) -> tuple[Any, ...]:
    """Return everything that a target's prompts depend on: its tokenizer's files and its settings."""
    folder = target.folder()
    how = digest(
        target.system(),
        target.chat_template_kwargs,
        prompt_digest(ask_template(target.ask)),
        [list(s) for s in target.shots()],
    )
    return target.template, target.source, target.revision, () if folder is None else state_of(folder), how


def seen(target: TargetModel) -> Seen:
    """Inspect a tokenizer, once per process. It is fetched if it is not on this machine.

    Raises:
        ConfigError: if it is not available, or if no token ends its turns.
    """
    key = key_of(target)[1:]
    if key not in _SEEN:
        tokenizer = _fetched(target)
        chat = bool(getattr(tokenizer, "chat_template", None))
        asked = asked_with(replace(target, template="chat", few_shot=None), tokenizer)
        turns = turns_of(asked, target.source) if chat else None
        _SEEN[key] = Seen(chat=chat, mark=mark_of(turns, tokenizer.eos_token_id), dated=tells_the_date(tokenizer))
    return _SEEN[key]


_SEEN: dict[tuple[Any, ...], Seen] = {}


def files_in(folder: Path) -> list[Path]:
    """Return all files of a folder of weights, in order, or the file itself if it is one."""
    if folder.is_file():
        return [folder]
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
            "and HF_HUB_OFFLINE forbids fetching it, so its chat template is unknown. Remedy: HF_HUB_OFFLINE=0, "
            f"or 'hf download {target.source}' on a machine that reaches the hub."
        ) from e


@contextmanager
def reading(target: TargetModel, where: str) -> Iterator[None]:
    """Turn errors while reading weights into a ``ConfigError``. Disk, memory and our own errors pass unchanged."""
    try:
        yield
    except Exception as e:  # the libraries raise many types; each means that this model cannot be used
        if isinstance(e, (SeiError, MemoryError)) or disk_trouble(e) is not None:
            raise
        reason = " ".join(f"{type(e).__name__}: {e}".split())[:400]
        raise ConfigError(
            f"model.source={target.source}: {where} cannot be loaded ({reason}). Rule: safetensors or GGUF weights of "
            "an architecture that transformers knows, with a tokenizer beside them; pickled weights are not opened, "
            "and a model's code is not run. Remedy: another model.source, or save the weights as safetensors "
            "(save_pretrained)."
        ) from e


def location_of(target: TargetModel) -> tuple[str, dict[str, Any]]:
    """Return the place of the base's weights and the further arguments needed to load them."""
    folder = target.folder()
    if folder is None:
        return target.source, {"revision": target.revision}
    if (file := gguf_in(folder)) is not None:
        from transformers import GgufConfig

        # quantized weights are too slow on a CPU and cannot be saved
        return str(file.parent), {"gguf_file": file.name, "quantization_config": GgufConfig(dequantize=True)}
    return str(folder), {}
