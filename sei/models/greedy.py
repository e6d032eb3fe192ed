"""Decoding that is greedy and nothing else: what of a base's generation_config is used, and what is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TOKENS = ("bos_token_id", "eos_token_id", "pad_token_id")
"""What is kept of a generation_config: which tokens begin, end and pad."""

# how results are handed out or computed, and notes; which tokens come out does not depend on them
_BOOKKEEPING = frozenset(
    "transformers_version _from_model_config use_cache cache_implementation cache_config output_attentions "
    "output_hidden_states output_scores output_logits return_dict_in_generate return_legacy_cache compile_config "
    "disable_compile low_memory decoder_start_token_id is_assistant prefill_chunk_size trust_remote_code".split()
)
_NEUTRAL = {
    "do_sample": False, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "typical_p": 1.0,
    "repetition_penalty": 1.0, "length_penalty": 1.0, "num_beams": 1, "num_beam_groups": 1, "num_return_sequences": 1,
    "no_repeat_ngram_size": 0, "encoder_no_repeat_ngram_size": 0, "encoder_repetition_penalty": 1.0, "min_length": 0,
    "diversity_penalty": 0.0, "epsilon_cutoff": 0.0, "eta_cutoff": 0.0, "remove_invalid_values": False,
    "renormalize_logits": False, "early_stopping": False, "guidance_scale": 1.0, "penalty_alpha": 0.0,
}  # fmt: skip
_ONCE_IN_CONFIG = frozenset(
    "max_length bad_words_ids suppress_tokens begin_suppress_tokens forced_bos_token_id forced_eos_token_id "
    "exponential_decay_length_penalty".split()
)
SAID_TO_ALL = frozenset({"do_sample", "temperature", "top_p", "max_length"})
"""What every request to a server says outright, also to one that takes OpenAI's own fields and no other."""
SAID_TO_TRL = SAID_TO_ALL | {"top_k", "min_p", "repetition_penalty"}
"""What TRL says of every answer that it draws."""


def ids_of(value: Any) -> list[int]:
    """Return token ids that are given as one, several or none."""
    return [] if value is None else list(dict.fromkeys(value)) if isinstance(value, (list, tuple)) else [int(value)]


def decoding_of(generation: Mapping[str, Any], config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a model's decoding settings: its generation_config.json, or without one what older ones keep in config."""
    return generation or {k: v for k, v in config.items() if k in _NEUTRAL or k in _ONCE_IN_CONFIG}


def unused(generation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the decoding settings of a generation_config that say more than greedy decoding; nobody here uses them."""
    return {
        k: v
        for k, v in sorted(generation.items())
        if k not in TOKENS and k not in _BOOKKEEPING and v not in (None, [], {}) and _NEUTRAL.get(k, _Never) != v
    }


def changes_decoding(generation: Mapping[str, Any], said: frozenset[str] = SAID_TO_ALL) -> bool:
    """Say whether a generation_config holds anything that is not ``said`` outright where tokens are asked for."""
    return bool(set(unused(generation)) - said)


def make_greedy(model: Any, tokenizer: Any, *more: int | None) -> None:
    """Give a model a generation_config with its token ids alone, so that ``generate`` takes the likeliest token.

    It ends at every token that its own generation_config or the tokenizer ends at: training ends in the latter.
    ``more``: other ids that it ends at, such as the tokenizer's EOS as it came.
    """
    from transformers import GenerationConfig

    held = model.generation_config
    ends = list(
        dict.fromkeys(
            [*ids_of(held.eos_token_id), *(i for i in more if i is not None), *ids_of(tokenizer.eos_token_id)]
        )
    )
    model.config.use_cache = True
    model.generation_config = GenerationConfig(
        bos_token_id=held.bos_token_id,
        eos_token_id=ends[0] if len(ends) == 1 else ends or None,
        pad_token_id=tokenizer.pad_token_id,
        do_sample=False,
    )


class _Never:
    """Equal to no setting."""
