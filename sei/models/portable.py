"""Checkpoint folders that transformers 4 and 5 read alike, and with them the servers and tools that build on either.

transformers 5 writes RoPE as ``rope_parameters`` alone, where 4 looks for ``rope_theta`` and ``rope_scaling`` and takes
a default in their place without a word; it names tokenizer classes that 4 does not have; and it keeps whatever decoding
settings the base came with. A mended folder says everything in both spellings, has a tokenizer class that both
know, and its generation_config.json holds token ids and nothing else. Weights are as they were.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sei.models.greedy import TOKENS, changes_decoding, ids_of
from sei.store import write_atomic

OLD = "4.57"  # the older transformers that a test reads mended folders with
COMPARED = frozenset({"llama", "mistral", "qwen2"})
"""Model types that a test compares between both versions of transformers (tests/models/test_exports_slow.py)."""

_ROPE_TYPES = frozenset({"default", "linear", "dynamic", "yarn", "longrope", "llama3"})  # of transformers 4.57
_OWN_PLACE = ("rope_theta", "partial_rotary_factor")  # beside rope_scaling in 4, inside rope_parameters in 5
_NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_CONFIG, _TOKENIZER, _GENERATION = "config.json", "tokenizer_config.json", "generation_config.json"


def mend(folder: Path) -> None:
    """Rewrite the settings of a checkpoint folder of ours in place; a mended folder stays as it is.

    Raises:
        DiskError: when a file cannot be written.
    """
    for name, data in _mended(folder).items():
        write_atomic(folder / name, _text(data))


def view(folder: Path) -> Path | None:
    """Return a new temporary folder with the mended settings of another and links to its other files.

    ``None`` where the folder can be given to a server as it is: both versions read it alike, and its
    generation_config.json holds nothing that a request of ours leaves unsaid.
    """
    mended = _mended(folder)
    held = _read(folder / _GENERATION)
    if not set(mended) - {_GENERATION} and not changes_decoding(held):
        return None
    made = Path(tempfile.mkdtemp(prefix="sei-view-"))
    for path in folder.resolve().iterdir():
        if path.name not in mended:
            (made / path.name).symlink_to(path)
    for name, data in mended.items():
        (made / name).write_bytes(_text(data))
    return made


def discard(made: Path | None) -> None:
    """Delete what ``view`` made."""
    if made is not None:
        shutil.rmtree(made, ignore_errors=True)


def obstacles(config: Mapping[str, Any]) -> list[str]:
    """Return why transformers 4.57 may read a model otherwise than 5, in words; empty where a test has compared it.

    ``config`` is what config.json holds, in either spelling.
    """
    found = []
    kind = config.get("model_type")
    if kind not in COMPARED:
        found.append(f"model type {kind!r} has not been compared")
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if isinstance(rope, dict) and _per_layer(rope) and kind not in COMPARED:
        found.append(f"RoPE is set for each layer type apart ({', '.join(sorted(rope))})")
    elif isinstance(rope, dict) and not _per_layer(rope) and _rope_type(rope) not in _ROPE_TYPES:
        found.append(f"it does not know rope_type {_rope_type(rope)!r}")
    return found


def _mended(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the settings that a mended folder has otherwise, by file name."""
    config, tokenizer, generation = (_read(folder / name) for name in (_CONFIG, _TOKENIZER, _GENERATION))
    new = {_CONFIG: _both_spellings(config)} if config else {}
    if tokenizer and _saved_by_five(tokenizer) and (folder / "tokenizer.json").exists():
        vocabulary = _vocabulary(folder / "tokenizer.json")
        new[_TOKENIZER] = _known_class(tokenizer, vocabulary)
        named = vocabulary.get(_content(tokenizer.get("eos_token")))
    else:
        named = None
    if config:
        new[_GENERATION] = _token_ids(generation or config, named)
    return {name: data for name, data in new.items() if data != _read(folder / name)}


def _both_spellings(held: dict[str, Any]) -> dict[str, Any]:
    config = {k: _both_spellings(v) if isinstance(v, dict) and "model_type" in v else v for k, v in held.items()}
    if config.get("dtype") is not None:
        config["torch_dtype"] = config["dtype"]
    rope = config.get("rope_parameters")
    if not isinstance(rope, dict) or _per_layer(rope):
        return config
    config |= {k: rope[k] for k in _OWN_PLACE if rope.get(k) is not None}
    scaling = {k: v for k, v in rope.items() if k not in _OWN_PLACE}
    scaling["rope_type"] = scaling["type"] = _rope_type(rope)  # the key was called type before
    config["rope_scaling"] = None if scaling["rope_type"] == "default" else scaling
    return config


def _rope_type(rope: Mapping[str, Any]) -> str:
    return str(rope.get("rope_type") or rope.get("type") or "default")


def _per_layer(rope: Mapping[str, Any]) -> bool:
    return any(isinstance(v, dict) for v in rope.values())


def _saved_by_five(tokenizer: Mapping[str, Any]) -> bool:
    return (
        "backend" in tokenizer
        or tokenizer.get("tokenizer_class") == "TokenizersBackend"
        or isinstance(tokenizer.get("extra_special_tokens"), list)
    )


def _known_class(held: dict[str, Any], vocabulary: Mapping[str, int]) -> dict[str, Any]:
    """Return tokenizer settings under which both versions take tokenizer.json as it is.

    Classes of a model family would build their own splitting and special tokens around its vocabulary, each version in
    its own way. A special token outside the vocabulary would be given an id that no embedding has.
    """
    left_out = ("backend", "is_local", "local_files_only")
    new = {k: v for k, v in held.items() if k not in left_out and not (k in _NAMED and _content(v) not in vocabulary)}
    new["tokenizer_class"] = "PreTrainedTokenizerFast"
    new.setdefault("model_input_names", ["input_ids", "attention_mask"])  # 4 adds token_type_ids by default
    new.setdefault("clean_up_tokenization_spaces", False)
    if isinstance(new.get("extra_special_tokens"), list):
        new["additional_special_tokens"] = new.pop("extra_special_tokens")
    return new


def _token_ids(held: Mapping[str, Any], eos: int | None) -> dict[str, Any]:
    ends = ids_of(held.get("eos_token_id"))
    ends = [*ends, *({eos} - {None, *ends})]  # type: ignore[list-item]  # None is taken out
    found = {k: held[k] for k in TOKENS if held.get(k) is not None}
    if ends:
        found["eos_token_id"] = ends[0] if len(ends) == 1 else ends
    more = {"transformers_version": held["transformers_version"]} if "transformers_version" in held else {}
    return {**found, "do_sample": False, **more}


def _vocabulary(path: Path) -> dict[str, int]:
    """Return the ids of a tokenizer.json's tokens, added ones included."""
    held = json.loads(path.read_text(encoding="utf-8"))
    vocab = held["model"].get("vocab") or {}
    known = vocab if isinstance(vocab, dict) else {token: at for at, (token, _) in enumerate(vocab)}
    return {**known, **{t["content"]: t["id"] for t in held.get("added_tokens", ())}}


def _content(token: Any) -> str:
    return str(token.get("content", "")) if isinstance(token, dict) else str(token)


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _text(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
