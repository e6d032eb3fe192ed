"""Makes checkpoint folders that transformers 4 and 5, and the servers and tools based on them, read alike.

transformers 5 writes RoPE only as ``rope_parameters``. Version 4 reads ``rope_theta`` and ``rope_scaling`` and silently
uses a default if they are missing. Version 5 also names tokenizer classes that version 4 does not have, and it keeps
the base's decoding settings. A mended folder has the settings in both spellings, a tokenizer class that both versions
know, and a generation_config.json with only token ids. Weights do not change.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sei.models.greedy import TOKENS, changes_decoding, decoding_of, ids_of
from sei.store import write_atomic

OLD = "4.57"  # a test reads mended folders with this older transformers
COMPARED = frozenset(
    "bloom cohere deepseek_v3 exaone4 falcon gemma gemma3_text glm glm4 gpt2 gpt_neox gpt_oss granite llama ministral "
    "mistral mixtral nemotron olmo olmo2 opt phi phi3 qwen2 qwen2_moe qwen3 qwen3_moe seed_oss smollm3 stablelm "
    "starcoder2".split()
)
"""Model types that a test compares between both versions of transformers (tests/models/test_exports_read.py)."""

_ROPE_TYPES = frozenset({"default", "linear", "dynamic", "yarn", "longrope", "llama3"})  # in transformers 4.57
_OWN_PLACE = ("rope_theta", "partial_rotary_factor")  # beside rope_scaling in 4, inside rope_parameters in 5
_PLAIN = {"rope_type", "rope_theta"}
_PHI3 = ("type", "short_factor", "long_factor")  # version 4 refuses any other key for phi3
_PHI3_WHOLE = {*_PHI3, "rope_type", *_OWN_PLACE, "original_max_position_embeddings"}
_RENAMED = {"qwen3_moe": {"num_experts": "num_local_experts"},
            "gpt_neox": {"rotary_emb_base": "rope_theta", "rotary_pct": "partial_rotary_factor"}}  # fmt: skip
_NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_CONFIG, _TOKENIZER, _GENERATION = "config.json", "tokenizer_config.json", "generation_config.json"


def mend(folder: Path) -> None:
    """Rewrite the settings of one of our checkpoint folders in place. A mended folder does not change.

    Raises:
        DiskError: if a file cannot be written.
    """
    for name, data in _mended(folder).items():
        write_atomic(folder / name, _text(data))


def view(folder: Path) -> Path | None:
    """Return a new temporary folder with the mended settings of ``folder`` and links to its other files.

    Return ``None`` if a server can use the folder as it is: both versions read it alike, and our requests state all
    decoding settings of its generation_config.json.
    """
    mended = _mended(folder)
    held = decoding_of(read_settings(folder / _GENERATION), read_settings(folder))
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
    """Delete a folder made by ``view``."""
    if made is not None:
        shutil.rmtree(made, ignore_errors=True)


def obstacles(config: Mapping[str, Any]) -> list[str]:
    """Return the reasons, in words, why transformers 4.57 may read a model differently from 5; empty if tested.

    ``config`` is the content of config.json, in either spelling.
    """
    kind = config.get("model_type")
    if kind not in COMPARED:
        return [f"model type {kind!r} has not been compared"]
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if _per_layer(rope):
        apart = f"RoPE is set for each layer type apart ({', '.join(sorted(rope))})"
        return [] if _two_bases(kind, rope) else [apart]
    if _rope_type(rope) not in _ROPE_TYPES:
        return [f"it does not know rope_type {_rope_type(rope)!r}"]
    if kind == "phi3" and _rope_type(rope) == "longrope" and (more := sorted(set(rope) - _PHI3_WHOLE)):
        return [f"it refuses {', '.join(more)} in the RoPE settings of Phi 3"]
    return []


def folder_obstacles(folder: Path) -> list[str]:
    """Return the reasons (as in ``obstacles``) for a checkpoint folder, including its tokenizer."""
    whole = [] if (folder / "tokenizer.json").exists() else ["its tokenizer has no tokenizer.json"]
    return [*obstacles(read_settings(folder)), *whole]


def _mended(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the settings files that mending changes, by file name."""
    config, tokenizer, generation = (read_settings(folder / name) for name in (_CONFIG, _TOKENIZER, _GENERATION))
    new = {_CONFIG: _both_spellings(config)} if config else {}
    if tokenizer and _saved_by_five(tokenizer) and (folder / "tokenizer.json").exists():
        vocabulary = _vocabulary(folder / "tokenizer.json")
        new[_TOKENIZER] = _known_class(tokenizer, vocabulary)
        named = vocabulary.get(_content(tokenizer.get("eos_token")))
    else:
        named = None
    if config:
        new[_GENERATION] = _token_ids(generation or config, named)
    return {name: data for name, data in new.items() if data != read_settings(folder / name)}


def _both_spellings(held: dict[str, Any]) -> dict[str, Any]:
    config = {k: _both_spellings(v) if isinstance(v, dict) and "model_type" in v else v for k, v in held.items()}
    if config.get("dtype") is not None:
        config["torch_dtype"] = config["dtype"]
    rope, kind = config.get("rope_parameters"), config.get("model_type")
    if isinstance(rope, dict) and _per_layer(rope):
        if _two_bases(kind, rope):
            config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
            config |= _older_rope(kind, rope["full_attention"], config)
    elif isinstance(rope, dict):
        config |= _older_rope(kind, rope, config)
    for old, new in _RENAMED.get(str(kind), {}).items():
        if new in config:
            config[old] = config[new]
    return config


def _older_rope(kind: Any, rope: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a config.json that express ``rope_parameters`` in the spelling of transformers 4."""
    older = {k: rope[k] for k in _OWN_PLACE if rope.get(k) is not None}
    scaling = {k: v for k, v in rope.items() if k not in _OWN_PLACE}
    scaling["rope_type"] = scaling["type"] = _rope_type(rope)  # the older name of the key is type
    whole, longest = rope.get("original_max_position_embeddings"), config.get("max_position_embeddings")
    if scaling["type"] == "yarn" and rope.get("factor") is None and whole and longest:
        scaling["factor"] = longest / whole  # the default of version 5; version 4 refuses a missing factor
    if scaling["type"] == "longrope" and whole:
        older["original_max_position_embeddings"] = whole
        factor = rope.get("factor") or (longest / whole if longest else 1.0)
        if rope.get("attention_factor") is None and kind != "phi3":  # 4 would use the lengths, not the factor
            scaling["attention_factor"] = math.sqrt(1 + math.log(factor) / math.log(whole)) if factor > 1 else 1.0
    if kind == "phi3":
        scaling = {k: v for k, v in scaling.items() if k in _PHI3}
    return {**older, "rope_scaling": None if scaling["type"] == "default" else scaling}


def _two_bases(kind: Any, rope: Mapping[str, Any]) -> bool:
    """Tell whether RoPE by layer type is that of Gemma 3. Version 4 knows a second base for sliding-window layers."""
    local = rope.get("sliding_attention") or {}
    return kind == "gemma3_text" and set(rope) == {"full_attention", "sliding_attention"} and set(local) <= _PLAIN


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
    """Return tokenizer settings with which both versions use tokenizer.json unchanged.

    Classes of a model family add their own splitting and special tokens, differently in each version. A special token
    outside the vocabulary would get an id without an embedding.
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
    ends = [*ends, *({eos} - {None, *ends})]  # type: ignore[list-item]  # None is removed
    found = {k: held[k] for k in TOKENS if held.get(k) is not None}
    if ends:
        found["eos_token_id"] = ends[0] if len(ends) == 1 else ends
    more = {"transformers_version": held["transformers_version"]} if "transformers_version" in held else {}
    return {**found, "do_sample": False, **more}


def _vocabulary(path: Path) -> dict[str, int]:
    """Return the ids of all tokens in a tokenizer.json, including added ones."""
    held = json.loads(path.read_text(encoding="utf-8"))
    vocab = held["model"].get("vocab") or {}
    known = vocab if isinstance(vocab, dict) else {token: at for at, (token, _) in enumerate(vocab)}
    return {**known, **{t["content"]: t["id"] for t in held.get("added_tokens", ())}}


def _content(token: Any) -> str:
    return str(token.get("content", "")) if isinstance(token, dict) else str(token)


def read_settings(path: Path) -> dict[str, Any]:
    """Return the content of a settings file, or of a folder's config.json; empty if it does not exist."""
    path = path / _CONFIG if path.is_dir() else path
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _text(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
