"""Purely greedy decoding: which settings of a base's generation_config are used, and which are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TOKENS = ("bos_token_id", "eos_token_id", "pad_token_id")
"""The settings kept from a generation_config: the tokens that begin, end and pad."""

# settings of output format and computation, and notes; they do not change the generated tokens
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
"""Settings stated in every request to a server, also to servers that accept only OpenAI's own fields."""
SAID_TO_TRL = SAID_TO_ALL | {"top_k", "min_p", "repetition_penalty"}
"""Settings that TRL states for every answer that it draws."""


def ids_of(value: Any) -> list[int]:
    """Return a list of token ids from one id, several ids or ``None``."""
    return [] if value is None else list(dict.fromkeys(value)) if isinstance(value, (list, tuple)) else [int(value)]


def decoding_of(generation: Mapping[str, Any], config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a model's decoding settings: its generation_config, or else those that older models have in config."""
    return generation or {k: v for k, v in config.items() if k in _NEUTRAL or k in _ONCE_IN_CONFIG}


def unused(generation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a generation_config that differ from greedy decoding. They are not used."""
    return {
        k: v
        for k, v in sorted(generation.items())
        if k not in TOKENS and k not in _BOOKKEEPING and v not in (None, [], {}) and _NEUTRAL.get(k, _Never) != v
    }


def changes_decoding(generation: Mapping[str, Any], said: frozenset[str] = SAID_TO_ALL) -> bool:
    """Tell whether a generation_config has unused settings that a request does not state itself (``said``)."""
    return bool(set(unused(generation)) - said)


def make_greedy(model: Any, tokenizer: Any, *more: int | None) -> None:
    """Give a model a generation_config with only its token ids, so that ``generate`` takes the likeliest token.

    Generation stops at every end token of the model's own generation_config and of the tokenizer; training ends
    answers with the latter. ``more``: further end tokens, such as the tokenizer's original EOS.
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
    """A value that equals no setting."""
