"""Counts tokens if a server does not: with the model's own tokenizer if it is on this machine, else by a rule.

The rule counts one token per three ASCII characters and one per other character. English has four to five characters
per token and mathematics about three, so a budget ends early rather than late.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

from sei.instructors.remote.terms import Request
from sei.instructors.remote.verdict import Drop, Ok, Reask

_CHARS = 3  # ASCII characters per token
_A_MESSAGE = 4  # tokens of overhead per message
Told = TypeVar("Told", bound=Ok | Reask | Drop)


def tokens_of(text: str, model: str = "") -> int:
    """Return the number of tokens of a text, by the model's tokenizer if it is on this machine, else by the rule."""
    tokenizer = _tokenizer(model) if model else None
    if tokenizer is not None:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])
    plain = sum(c < "\x80" for c in text)
    return -(-plain // _CHARS) + len(text) - plain


def request_tokens(request: Request, model: str = "") -> int:
    """Return the number of tokens of a request's messages or prompt."""
    if request.prompt is not None:
        return tokens_of(request.prompt, model) if isinstance(request.prompt, str) else len(request.prompt)
    return sum(_A_MESSAGE + tokens_of(text, model) for _, text in request.messages)


def metered(verdict: Told, request: Request, model: str = "") -> Told:
    """Return a verdict with estimates for the token counts that the server did not give."""
    counted = verdict.counted
    if counted.sent and counted.reply:
        return verdict
    return replace(
        verdict,
        input_tokens=verdict.input_tokens if counted.sent else request_tokens(request, model),
        output_tokens=verdict.output_tokens if counted.reply else tokens_of(counted.written, model),
    )


@lru_cache(maxsize=4)
def _tokenizer(model: str) -> Any:
    """Return the tokenizer of a folder or of a model in the hub's cache, or ``None`` if there is neither."""
    import transformers

    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        return transformers.AutoTokenizer.from_pretrained(model, local_files_only=True)
    except Exception as e:  # in any case the rule can be used
        logging.getLogger(__name__).debug("no tokenizer for %s here (%s)", model, e)
        return None
    finally:
        transformers.logging.set_verbosity(level)
