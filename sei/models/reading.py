"""Whether a model can read the questions that it will be asked: its tokenizer knows their words."""

from __future__ import annotations

from collections.abc import Sequence

from sei.errors import ConfigError
from sei.models.target import TargetModel

_LOOKED_AT = 50  # questions, spread over the pool


def require_words(target: TargetModel, questions: Sequence[str]) -> None:
    """Refuse a model whose tokenizer does not know words of most questions: a word-level model reads its own domain.

    Weights of a hub are not fetched for it; their tokenizers know every text.

    Raises:
        ConfigError: with the number of such questions and one of the words.
    """
    if target.folder() is None or not questions:
        return
    tokenizer = target.without_weights().tokenizer
    if tokenizer.unk_token_id is None:
        return
    some = list(questions)[:: max(1, len(questions) // _LOOKED_AT)][:_LOOKED_AT]
    encoded = tokenizer(some, add_special_tokens=False)["input_ids"]
    strange = [q for q, ids in zip(some, encoded, strict=True) if tokenizer.unk_token_id in ids]
    if 2 * len(strange) <= len(some):
        return
    words = strange[0].split()
    unknown = [w for w in words if tokenizer.unk_token_id in tokenizer(w, add_special_tokens=False)["input_ids"]]
    raise ConfigError(
        f"model.source={target.source} does not know words of {len(strange)} of {len(some)} questions that were looked "
        f"at, such as {(unknown or words)[0][:40]!r} in {strange[0][:80]!r}. Rule: a word-level model reads the domain "
        "that it was made for. Remedy: model=smollm2_135m or another language model (model.source=FOLDER), or "
        "data=arithmetic for the embedded ones."
    )
