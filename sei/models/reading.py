"""Checks that a model can read the questions: a word-level tokenizer knows only the words of its own domain."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sei.errors import ConfigError
from sei.models.target import TargetModel

_OF_PUZZLES = "packaged:tiny_d"  # the other embedded models read word problems
_LOOKED_AT = 50  # questions to check, spread over the pool


def require_words(target: TargetModel, questions: Sequence[str]) -> None:
    """Refuse a word-level model if most questions have unknown words. Other tokenizers can encode any text.

    Raises:
        ConfigError: names the number of such questions and one of the words.
    """
    folder = target.folder()
    path = folder / "tokenizer.json" if folder is not None else None
    if path is None or not path.is_file():
        return
    model = json.loads(path.read_text(encoding="utf-8")).get("model", {})
    if model.get("type") != "WordLevel":
        return
    from tokenizers import Tokenizer  # not transformers: a run of store hits need not import it

    tokenizer = Tokenizer.from_file(str(path))
    unknown = tokenizer.token_to_id(model["unk_token"])

    def strange(text: str) -> bool:
        return unknown in tokenizer.encode(text, add_special_tokens=False).ids

    some = list(questions)[:: max(1, len(questions) // _LOOKED_AT)][:_LOOKED_AT]
    some = target.prompts(some)  # includes the words of template, model.ask and few-shot rows
    found = [q for q in some if strange(q)]
    if 2 * len(found) <= len(some):
        return
    word = next((w for w in found[0].split() if strange(w)), found[0])
    own = "data=deduction instructor=deduction" if target.source == _OF_PUZZLES else "data=arithmetic"
    raise ConfigError(
        f"model.source={target.source} does not know words of {len(found)} of {len(some)} questions that were looked "
        f"at, such as {word[:40]!r} in {found[0][:80]!r}. Rule: a word-level model reads only its own domain. Remedy: "
        f"model=smollm2_135m or another language model (model.source=FOLDER), or {own} for this model."
    )
