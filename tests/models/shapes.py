"""Small random models with architectures that people fine-tune, written as on the hub, in the format of transformers 4.

A shape has settings that are easily misread: its own rope_theta, scaled RoPE, a sliding window, tied embeddings,
several end-of-text ids, a chat template, unnamed special tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM

TEXTS = (
    "Anna has 12 pens and buys 7 more. How many pens has she now?",
    "  12+7=19,  so\tshe has 19 pens.\n\n#### 19",
    "Über 3.5 % der Äpfel – naïve café, 答案是 42 🙂",
    "<|user|>What is 2/3 of 9?<|end|><|assistant|>It's 6.",
    "x",
)
SPECIAL = ("<|begin|>", "<|eot|>", "<|eom|>", "<|user|>", "<|assistant|>", "<|end|>")
CHAT = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SIZES = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4,
         "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "torch_dtype": "float32"}  # fmt: skip
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}  # fmt: skip
YARN = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
LLAMA = {**SIZES, "model_type": "llama", "max_position_embeddings": 256}
MISTRAL = {**SIZES, "model_type": "mistral", "max_position_embeddings": 256, "rope_theta": 1e6}
QWEN2 = {**SIZES, "model_type": "qwen2", "max_position_embeddings": 128, "rope_theta": 1e6}
SHAPES: dict[str, dict[str, Any]] = {
    "llama3": {**LLAMA, "rope_theta": 5e5},
    "llama3_scaled_tied": {**LLAMA, "rope_theta": 5e5, "rope_scaling": LLAMA3, "tie_word_embeddings": True},
    "mistral": {**MISTRAL, "sliding_window": 8},
    "mistral_whole": {**MISTRAL, "sliding_window": None, "head_dim": 32},
    "qwen2": {**QWEN2, "use_sliding_window": False, "sliding_window": 8, "tie_word_embeddings": True},
    "qwen2_yarn": {**QWEN2, "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1,
                   "rope_scaling": YARN},
    "llama2": {**LLAMA, "num_key_value_heads": 4},
    "llama2_linear": {**LLAMA, "rope_scaling": {"type": "linear", "factor": 2.0}},
    "llama2_dynamic": {**LLAMA, "max_position_embeddings": 16, "rope_scaling": {"type": "dynamic", "factor": 2.0}},
}  # fmt: skip
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_QWEN, _LLAMA3 = _WORDS + r"\p{N}" + _REST, _WORDS + r"\p{N}{1,3}" + _REST


def llama3_tokenizer() -> Tokenizer:
    """Return a byte-level tokenizer that splits as Llama 3's does."""
    return _byte_level(_LLAMA3)


def _byte_level(pattern: str) -> Tokenizer:
    tok = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tok.train_from_iterator(TEXTS * 3, trainer)
    return tok


def _sentencepiece_like() -> Tokenizer:
    """Return a tokenizer like converted ones of Llama 2 and Mistral: a normaliser and BPE with byte fallback."""
    tok = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    special = ["<unk>", "<s>", "</s>", *(f"<0x{i:02X}>" for i in range(256)), *SPECIAL]
    plain = [t for t in TEXTS if t.isascii()]
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=special, show_progress=False)
    tok.train_from_iterator(plain * 3, trainer)
    data = json.loads(tok.to_str())
    data["added_tokens"] = [t for t in data["added_tokens"] if not t["content"].startswith("<0x")]
    tok = Tokenizer.from_str(json.dumps(data))
    tok.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tok


def _with_bos(tok: Tokenizer, bos: str) -> None:
    at = tok.token_to_id(bos)
    tok.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, at)]
    )


def _tokenizer(model_type: str, name: str) -> tuple[Tokenizer, dict[str, Any]]:
    """Return a tokenizer and further entries of its tokenizer_config.json."""
    more: dict[str, Any] = {"model_max_length": 256, "clean_up_tokenization_spaces": False, "chat_template": CHAT}
    more["additional_special_tokens"] = ["<|user|>", "<|assistant|>", "<|end|>"]
    if name.startswith("llama3") or model_type == "qwen2":
        tok = _byte_level(_QWEN if model_type == "qwen2" else _LLAMA3)
        if model_type == "qwen2":
            tok.normalizer = normalizers.NFC()
            return tok, {**more, "tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|eot|>", "pad_token": "<|end|>"}
        _with_bos(tok, "<|begin|>")
        named = {"bos_token": "<|begin|>", "eos_token": "<|eot|>"}
        inputs = {"model_input_names": ["input_ids", "attention_mask"]}
        return tok, {**more, **named, **inputs, "tokenizer_class": "PreTrainedTokenizerFast"}
    tok = _sentencepiece_like()
    _with_bos(tok, "<s>")
    named = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True}
    return tok, {**more, **named, "add_eos_token": False, "legacy": True, "tokenizer_class": "LlamaTokenizer"}


def write_shape(folder: Path, name: str, *, generation: dict[str, Any] | None = None, seed: int = 0) -> Path:
    """Write a model folder with random weights; ``generation`` is added to its generation_config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    config = dict(SHAPES[name])
    tok, tok_config = _tokenizer(config["model_type"], name)
    tok.save(str(folder / "tokenizer.json"))
    _json(folder / "tokenizer_config.json", tok_config)
    ids = {
        k: tok.token_to_id(str(tok_config[f"{k}_token"])) for k in ("bos", "eos", "pad") if f"{k}_token" in tok_config
    }
    config |= {"vocab_size": tok.get_vocab_size(), **{f"{k}_token_id": i for k, i in ids.items()}}
    torch.manual_seed(seed)
    given = {k: v for k, v in config.items() if k != "model_type"}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(config["model_type"], **given))
    with torch.no_grad():
        for p in model.parameters():  # far from the usual initialization, where positions hardly matter
            p.add_(torch.randn_like(p) * (0.25 if p.ndim > 1 else 0.1))
    model.save_pretrained(folder)
    _json(folder / "config.json", {**config, "architectures": [type(model).__name__], "transformers_version": "4.46.0"})
    ends = [ids["eos"], *_ids(tok, ("<|eom|>", "<|end|>"))]
    _json(
        folder / "generation_config.json", {"bos_token_id": ids.get("bos"), "eos_token_id": ends, **(generation or {})}
    )
    return folder


def _ids(tok: Tokenizer, tokens: Iterable[str]) -> list[int]:
    return [int(tok.token_to_id(t)) for t in tokens]


def _json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
