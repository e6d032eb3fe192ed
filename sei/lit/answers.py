"""From generated tokens to an answer: where it ends, and its text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sei.lit.decoder import LOOK_EVERY, Tokens
from sei.opened import Answer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Reader:
    """Reads answers. ``ends``: ids of end tokens; ``stop``: texts that end an answer and do not belong to it."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, ends: frozenset[int], stop: Sequence[str]) -> None:
        self.tokenizer, self.ends, self.stop = tokenizer, ends, tuple(stop)
        self._tail = LOOK_EVERY + max((len(s.encode()) for s in self.stop), default=0)  # a token has at least a byte

    @property
    def stopped(self) -> Callable[[Tokens], bool] | None:
        """Return the test whether tokens contain a text that ends an answer; ``None`` if there are no such texts."""
        return self._stopped if self.stop else None

    def _stopped(self, tokens: Tokens) -> bool:
        # the end first, which is cheap; a hit is confirmed on all tokens, as ``answer`` reads them
        return self._cut(self._text(tokens[-self._tail :])) is not None and self._cut(self._text(tokens)) is not None

    def _text(self, tokens: Tokens) -> str:
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True))

    def _cut(self, text: str) -> int | None:
        return min((at for s in self.stop if (at := text.find(s)) >= 0), default=None)

    def answer(self, at: int, tokens: Tokens) -> Answer:
        """Return the answer to the prompt at an index. It is finished at an end token or at a ``stop`` text."""
        finished = bool(tokens) and tokens[-1] in self.ends
        text = self._text(tokens[:-1] if finished else tokens)
        cut = self._cut(text)
        return Answer(at, text[:cut].strip(), finished or cut is not None)
