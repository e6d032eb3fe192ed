"""Token by token in plain torch: finished rows leave the batch, and rows with the same prefix share its reading.

Hugging Face's ``generate`` pads finished rows until the slowest row of a batch is done. Here the batch shrinks instead.
The tokens are the same up to rounding: another number of rows may change the last bits of a logit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.nn.utils.rnn import pad_sequence

from sei.errors import ConfigError
from sei.lit.window import require_window

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from sei.lit.draws import OwnDraws

Tokens = list[int]
_COMPACT_AT = 0.8  # finished rows are removed if less than this share of the batch is unfinished
_BY_PLACE = ("mpt", "gpt_neo")  # the slopes of ALiBi, and the windows of local attention
_READ_PADDING = ("rwkv", "recurrent_gemma", "minimax")  # recurrent layers that take padding for text
LOOK_EVERY = 8  # steps between searches for texts that end an answer


class Row(NamedTuple):
    """A prompt at index ``at``, split into a ``prefix`` that other rows may share and the ``rest`` (never empty)."""

    at: int
    prefix: Tokens
    rest: Tokens


def has_plain_cache(model: PreTrainedModel) -> bool:
    """Tell whether rows can leave a batch: every layer keeps keys and values of all tokens, and nothing else.

    It is false for models with a sliding window, recurrent layers or a cache class of their own, and for those that
    count positions by the place in a row: padding between a prefix and the rest would shift them.
    """
    from transformers.cache_utils import DynamicCache, DynamicLayer

    if model.config.model_type in _BY_PLACE:
        return False
    if model.config.is_encoder_decoder or not model._supports_default_dynamic_cache():
        return False
    layers = DynamicCache(config=model.config).layers
    return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)


class Decoder:
    """Answers and likelihoods of batches of rows.

    ``ends``: ids of the tokens that end an answer. ``pad``: the id that fills rows up. Models without a plain cache
    (``has_plain_cache``), and all models with ``compact=False``, are left to Hugging Face's ``generate``.
    """

    def __init__(self, model: PreTrainedModel, ends: frozenset[int], pad: int, *, compact: bool = True) -> None:
        self.model, self.pad = model, pad
        self.plain = has_plain_cache(model)
        self.compact = compact and self.plain
        self._ends = torch.tensor(sorted(ends), dtype=torch.long, device=model.device)

    @torch.inference_mode()
    def tokens(
        self,
        batch: Sequence[Row],
        max_new_tokens: int,
        *,
        draws: OwnDraws | None = None,
        stopped: Callable[[Tokens], bool] | None = None,
        beat: Callable[[int], object] = int,
    ) -> dict[int, Tokens]:
        """Return the new tokens of every row by index, up to and including the token that ends its answer.

        Greedy, or drawn by ``draws`` (a row each). ``stopped`` tells of a row's tokens so far whether its answer is
        over; it is asked every few steps, so a few more tokens may follow. ``beat`` hears the number of steps.

        Raises:
            ConfigError: if prompt and answer may exceed the model's window, or if the model reads padding as text.
        """
        self._require_even([len(r.prefix) + len(r.rest) for r in batch])
        require_window(self.model.config, max(len(r.prefix) + len(r.rest) for r in batch), max_new_tokens)
        if not self.compact:
            return self._generated(batch, max_new_tokens, draws, beat)
        cache, before = self._read(batch)
        ids, mask = self._left_padded([r.rest for r in batch])
        mask = torch.cat([before, mask], 1)
        found: dict[int, Tokens] = {r.at: [] for r in batch}
        going = torch.arange(len(batch), device=ids.device)  # rows that are still in the batch
        ended = torch.zeros(len(batch), dtype=torch.bool, device=ids.device)
        for step in range(max_new_tokens):
            logits = self._forward(ids, mask, ids.shape[1], cache, keep=1)[:, -1]
            token = logits.argmax(-1) if draws is None else draws.tokens(logits, going)
            for row, t, over in zip(going.tolist(), token.tolist(), ended.tolist(), strict=True):
                if not over:
                    found[batch[row].at].append(t)
            ended = ended | torch.isin(token, self._ends)
            if stopped is not None and step % LOOK_EVERY == LOOK_EVERY - 1:
                over = [stopped(found[batch[row].at]) for row in going.tolist()]
                ended = ended | torch.tensor(over, device=ended.device)
            beat(step + 1)
            alive = int((~ended).sum())
            if not alive or step == max_new_tokens - 1:
                break
            if alive < _COMPACT_AT * len(going):
                stay = (~ended).nonzero()[:, 0]
                cache.batch_select_indices(stay)
                going, mask, token, ended = going[stay], mask[stay], token[stay], ended[stay]
            ids = token[:, None]
            mask = torch.cat([mask, torch.ones_like(ids)], 1)
        return found

    @torch.inference_mode()
    def likelihoods(self, batch: Sequence[Row], solutions: Sequence[Tokens]) -> dict[int, float]:
        """Return the mean log-probability (nats per token) of each row's solution after it, by index.

        Raises:
            ConfigError: if the model reads padding as text, and rows are of unequal length.
        """
        whole = [len(r.prefix) + len(r.rest) + len(s) for r, s in zip(batch, solutions, strict=True)]
        self._require_even(whole)
        if not self.plain:
            batch = [Row(r.at, [], [*r.prefix, *r.rest]) for r in batch]
        cache, before = self._read(batch)
        ids, mask = self._left_padded([[*r.rest, *s] for r, s in zip(batch, solutions, strict=True)])
        keep = max(map(len, solutions)) + 1  # the position before a token predicts it
        logits = self._forward(ids, torch.cat([before, mask], 1), ids.shape[1], cache, keep=keep)[:, :-1]
        predicted = logits.float().log_softmax(-1).gather(-1, ids[:, -keep + 1 :, None])[..., 0]
        rows = zip(batch, solutions, predicted, strict=True)
        return {r.at: float(p[-len(s) :].mean()) for r, s, p in rows}

    def _require_even(self, lengths: Sequence[int]) -> None:
        kind, different = self.model.config.model_type, len(set(lengths))
        if kind in _READ_PADDING and different > 1:
            raise ConfigError(
                f"a batch has prompts of {different} lengths. Rule: the recurrent layers of {kind} read padding as "
                "text, so its answers would depend on the batch. Remedy: engine.batch_size=1, a server "
                "(engine=openai_server), or another model."
            )

    def _generated(
        self, batch: Sequence[Row], max_new_tokens: int, draws: OwnDraws | None, beat: Callable[[int], object]
    ) -> dict[int, Tokens]:
        ids, mask = self._left_padded([[*r.prefix, *r.rest] for r in batch])
        model: Any = self.model
        out = model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            pad_token_id=self.pad,
            do_sample=False,
            stopping_criteria=[_Beat(beat)],
            **({} if draws is None else {"logits_processor": [draws]}),
        )
        ends, found = set(self._ends.tolist()), {}
        for r, tokens in zip(batch, out[:, ids.shape[1] :].tolist(), strict=True):
            last = next((i for i, t in enumerate(tokens) if t in ends), len(tokens))
            found[r.at] = tokens[: last + 1]
        return found

    def _read(self, batch: Sequence[Row]) -> tuple[Any, torch.Tensor]:
        """Read every prefix once. Return the cache with a row per prompt and the mask (rows, prefix length)."""
        from transformers import DynamicCache

        distinct: dict[tuple[int, ...], int] = {}
        of_row = torch.tensor([distinct.setdefault(tuple(r.prefix), len(distinct)) for r in batch])
        cache = DynamicCache(config=self.model.config)
        longest = max(map(len, distinct))
        if not longest:
            return cache, torch.zeros((len(batch), 0), dtype=torch.long, device=self.model.device)
        ids, mask = self._left_padded([list(p) for p in distinct])
        self._forward(ids, mask, mask.shape[1], cache, keep=1)
        of_row = of_row.to(self.model.device)
        cache.batch_select_indices(of_row)
        return cache, mask[of_row]

    def _left_padded(self, rows: Sequence[Tokens]) -> tuple[torch.Tensor, torch.Tensor]:
        flipped = [torch.tensor(r[::-1], dtype=torch.long) for r in rows]
        ids = pad_sequence(flipped, batch_first=True, padding_value=self.pad).flip(1)
        lengths = torch.tensor([len(r) for r in rows])
        mask = (torch.arange(ids.shape[1]).flip(0)[None] < lengths[:, None]).long()
        return ids.to(self.model.device), mask.to(self.model.device)

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor, new: int, cache: Any, *, keep: int) -> torch.Tensor:
        """Return the logits of the last ``keep`` positions. ``mask`` covers the cache and the ``new`` tokens."""
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -new:]
        out = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=keep,
        )
        logits: torch.Tensor = out.logits
        return logits


class _Beat:
    """A stopping criterion that never stops. It tells the number of steps."""

    def __init__(self, beat: Callable[[int], object]) -> None:
        self.beat, self.made = beat, 0

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        self.made += 1
        self.beat(self.made)
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
