"""One small random model of every type in ``COMPARED``, with RoPE settings that are easily lost in conversion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from tests.models.shapes import llama3_tokenizer

_SIZES = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4,
          "num_key_value_heads": 2, "vocab_size": 420, "max_position_embeddings": 128, "bos_token_id": 0,
          "eos_token_id": 1, "pad_token_id": 5, "rope_theta": 3e5}  # fmt: skip
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "norm_topk_prob": True,
            "shared_expert_intermediate_size": 32}  # fmt: skip
_LONG = {"rope_type": "longrope", "short_factor": [1.0 + 0.1 * i for i in range(8)],
         "long_factor": [2.0 + 0.1 * i for i in range(8)]}  # fmt: skip
_GEMMA3 = {"head_dim": 16, "sliding_window": 8, "query_pre_attn_scalar": 16, "rope_local_base_freq": 2e4,
           "layer_types": ["sliding_attention", "full_attention"] * 2}  # fmt: skip
_DEEPSEEK = {"n_routed_experts": 8, "n_group": 2, "topk_group": 1, "num_experts_per_tok": 2, "q_lora_rank": 16,
             "moe_intermediate_size": 32, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8,
             "v_head_dim": 16, "first_k_dense_replace": 1}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "bloom": {"n_head": 4, "n_layer": 3},
    "cohere": {},
    "deepseek_v3": _DEEPSEEK,
    "exaone4": {"sliding_window": 8},
    "falcon": {},
    "gemma": {"head_dim": 16},
    "gemma3_text": _GEMMA3,
    "gemma3_text, scaled": {**_GEMMA3, "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
    "glm": {"head_dim": 16},
    "glm4": {"head_dim": 16},
    "gpt2": {"n_embd": 64, "n_head": 4, "n_layer": 3, "n_positions": 128},
    "gpt_neox": {"rotary_emb_base": 3e5, "rotary_pct": 0.5},
    "gpt_oss": {"head_dim": 16, "num_local_experts": 4, "sliding_window": 8},
    "granite": {},
    "llama": {},
    "llama, longrope": {"rope_scaling": {**_LONG, "factor": 8.0, "original_max_position_embeddings": 32}},
    "llama, dynamic": {"max_position_embeddings": 32, "rope_scaling": {"rope_type": "dynamic", "factor": 4.0}},
    "ministral": {"head_dim": 16},
    "mistral": {"sliding_window": 8},
    "mixtral": {"num_local_experts": 4},
    "nemotron": {"partial_rotary_factor": 0.5},
    "olmo": {},
    "olmo2": {},
    "opt": {"word_embed_proj_dim": 64, "ffn_dim": 96},
    "phi": {"partial_rotary_factor": 0.5},
    "phi3": {"sliding_window": 8},
    "phi3, longrope": {"original_max_position_embeddings": 32, "rope_scaling": _LONG},
    "qwen2": {},
    "qwen2_moe": _EXPERTS,
    "qwen3": {"head_dim": 16},
    "qwen3, yarn": {"head_dim": 16, "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "beta_fast": 16.0,
                    "original_max_position_embeddings": 128, "attention_factor": 1.1, "truncate": False}},
    "qwen3_moe": {"head_dim": 16, **_EXPERTS},
    "seed_oss": {"head_dim": 16},
    "smollm3": {},
    "stablelm": {"partial_rotary_factor": 0.25},
    "starcoder2": {"sliding_window": 8},
}  # fmt: skip


def write_kind(folder: Path, name: str, ids: list[list[int]]) -> torch.Tensor:
    """Write a model in the format of transformers 5; return its logits."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(name.split(",")[0], **{**_SIZES, **KINDS[name]})
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for p in model.parameters():  # far from the usual initialization, where positions hardly matter
            p.add_(torch.randn_like(p) * (0.25 if p.ndim > 1 else 0.1))
        had = model(torch.tensor(ids)).logits
    model.save_pretrained(folder)
    tok = PreTrainedTokenizerFast(tokenizer_object=llama3_tokenizer(), eos_token="<|eot|>", pad_token="<|end|>")
    tok.chat_template = "{{ messages[0].content }}"
    tok.save_pretrained(folder)
    AutoTokenizer.from_pretrained(folder).save_pretrained(
        folder
    )  # transformers 5 has classes of its own for some types
    return had
