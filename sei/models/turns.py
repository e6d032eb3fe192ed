"""Finds how a chat template ends an assistant turn and what it writes around the answer, from a rendered example."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sei.errors import ConfigError
from sei.opened import OpenModel
from sei.store import digest

_QUESTION = "What is 3 + 4?"
_SOLUTIONS = ("The answer is 7.", "7 apples, so #### 7", "(3 + 4) = \\boxed{7}")


@dataclass(frozen=True, kw_only=True)
class Turns:
    """An assistant turn: ``lead`` comes before the answer, ``tail`` after it, and the token ``end`` ends the turn.

    ``lead`` and ``tail`` are also empty if the tokenizer gives the same tokens without them.
    """

    lead: str = ""
    tail: str = ""
    end: int


def turns_of(opened: OpenModel, source: str) -> Turns | None:
    """Return how the chat template renders an assistant turn, or ``None`` if there is none or it cannot be rendered.

    The end of the turn is the first special token after the answer, or the tokenizer's EOS if nothing follows the
    answer.

    Raises:
        ConfigError: if the turn ends with words, so that no token marks a complete answer.
    """
    tokenizer: Any = opened.tokenizer
    if opened.template == "plain" or tokenizer.eos_token_id is None:
        return None
    bare = replace(opened, shots=())
    try:
        (asked,) = bare.prompts([_QUESTION])
        whole = bare.conversation(_QUESTION, _SOLUTIONS[0])
    except Exception:  # a template may raise anything; ``require_usable`` reports it
        return None
    if (at := whole.rfind(_SOLUTIONS[0])) < 0:
        return None
    lead = whole[len(asked) : at] if whole.startswith(asked) and at >= len(asked) else ""
    after = whole[at + len(_SOLUTIONS[0]) :]
    found = _first_special(tokenizer, after)
    if found is None and after.strip():
        raise ConfigError(
            f"model.source={source}: its chat template ends an assistant turn with the text {after.strip()[:40]!r}, "
            "which is not a single token of its tokenizer, so no token marks a complete answer. Remedy: "
            "model.template=plain, or a tokenizer that has this text as a special token."
        )
    text, end = found or ("", int(tokenizer.eos_token_id))
    turns = Turns(lead=lead, tail=after[: after.index(text)] if text else "", end=end)
    plain = Turns(end=end)
    return plain if _rows(bare, turns, asked) == _rows(bare, plain, asked) else turns


def with_turns(opened: OpenModel, source: str) -> OpenModel:
    """Return the same model with the end of a turn as its EOS. Training, stopping and exports use this EOS."""
    turns = turns_of(opened, source)
    if turns is None:
        return opened
    tokenizer: Any = opened.tokenizer
    if turns.end != tokenizer.eos_token_id:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(turns.end)
    return replace(opened, lead=turns.lead, tail=turns.tail)


def mark_of(turns: Turns | None, eos: int | None) -> str:
    """Return the digest of an assistant turn for the store's key, empty if a turn is just a solution and the EOS."""
    return "" if turns is None or turns == Turns(end=eos or 0) else digest([turns.lead, turns.tail, turns.end])


def _rows(bare: OpenModel, turns: Turns, asked: str) -> list[list[int]]:
    """Return the tokens of the example solutions after a prompt, without the end token."""
    prompt = bare.tokenizer([asked] * len(_SOLUTIONS), add_special_tokens=False)["input_ids"]
    shown = replace(bare, lead=turns.lead, tail=turns.tail)
    return [row[:-1] for row in shown.completions([asked] * len(_SOLUTIONS), prompt, _SOLUTIONS)]


def _first_special(tokenizer: Any, text: str) -> tuple[str, int] | None:
    """Return the first special token in a text, with its id. Tokens of white space (as in Gemma) do not count."""
    known = {i: str(t.content) for i, t in tokenizer.added_tokens_decoder.items()}
    known[int(tokenizer.eos_token_id)] = str(tokenizer.eos_token)
    places = [(text.index(t), -len(t), t, i) for i, t in known.items() if t.strip() and t in text]
    return min(places)[2:] if places else None
