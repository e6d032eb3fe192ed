"""Answers and likelihoods of prompts with a shared prefix, in plain torch. The prefix is read once.

In-context scoring asks one model the same questions after every candidate. A prompt is (candidate, question), so all
prompts of a candidate share a prefix. Its keys and values are computed once and reused for every question. Finished
rows leave the batch; Hugging Face's ``generate`` would pad them until the slowest row is done.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from sei.opened import Answer, OpenModel, ends_of
from sei.store.journal import Journal

Tokens = list[int]
_COMPACT_AT = 0.8  # finished rows are removed if less than this share of the batch is unfinished


class SharedPrefix:
    """Greedy answers and solution likelihoods for groups of prompts. Each group has its own prefix.

    ``rows``: the most prompts in a batch. Groups stay whole if they fit.
    """

    def __init__(self, opened: OpenModel, *, rows: int = 96) -> None:
        self.model, self.tokenizer, self.rows = opened.weights, opened.tokenizer, rows
        self._special = opened.template == "plain"
        self._ends, self._opened = ends_of(opened), opened

    @torch.inference_mode()
    def answers(
        self,
        groups: Sequence[Sequence[str]],
        max_new_tokens: int,
        stop: Sequence[str] = (),
        advance: Callable[[int], object] = int,
        kept: Journal | None = None,
        name: str = "answers",
    ) -> list[list[Answer]]:
        """Return the greedy answer to every prompt of every group. ``at`` numbers the prompts of all groups from 0.

        ``kept`` stores the tokens of finished batches under ``name``. The batches do not depend on its content.
        """
        found: dict[int, Tokens] = {}
        kept = kept if kept is not None else Journal({}, lambda *_: None)
        for number, batch in enumerate(self._batches([self._encode(g) for g in groups])):
            pairs = kept.once(f"{name}/{number}", partial(self._decoded, batch, max_new_tokens))
            found.update((at, list(tokens)) for at, tokens in pairs)
            advance(len(batch))
        answers = [self._answer(at, found[at], stop) for at in range(len(found))]
        ends = [0]
        for g in groups:
            ends.append(ends[-1] + len(g))
        return [answers[a:b] for a, b in itertools.pairwise(ends)]

    @torch.inference_mode()
    def log_likelihoods(
        self, groups: Sequence[Sequence[tuple[str, str]]], advance: Callable[[int], object] = int
    ) -> list[list[float]]:
        """Return the mean log-probability (nats per token) of each solution after its prompt.

        ``groups`` are groups of (prompt, solution) pairs.
        """
        encoded = [self._encode([p for p, _ in g]) for g in groups]
        asked = [p for g in groups for p, _ in g]
        prompts = [self._ids(p, special=self._special) for p in asked]
        solutions = self._opened.completions(asked, prompts, [s for g in groups for _, s in g]) if asked else []
        out: dict[int, float] = {}
        for batch in self._batches(encoded):
            out |= self._likelihood(batch, [solutions[at] for at, _, _ in batch])
            advance(len(batch))
        values = iter([out[at] for at in range(len(out))])
        return [[next(values) for _ in g] for g in groups]

    def _ids(self, text: str, *, special: bool) -> Tokens:
        return list(self.tokenizer(text, add_special_tokens=special)["input_ids"])

    def _encode(self, prompts: Sequence[str]) -> tuple[Tokens, list[Tokens]]:
        """Return the tokens of the shared prefix, and the rest of each prompt, at least one token."""
        ids = [self._ids(p, special=self._special) for p in prompts]
        shared = min((len(i) for i in ids), default=1) - 1
        for row in ids[1:]:
            differ = next((k for k in range(shared) if row[k] != ids[0][k]), shared)
            shared = min(shared, differ)
        return (ids[0][:shared] if ids else []), [row[shared:] for row in ids]

    def _batches(self, groups: Sequence[tuple[Tokens, list[Tokens]]]) -> list[list[tuple[int, Tokens, Tokens]]]:
        """Cut rows (number, prefix, rest) into batches of whole groups of similar length. Large groups are split."""
        pieces, at = [], 0
        for prefix, rests in groups:
            rows = [(at + i, prefix, rest) for i, rest in enumerate(rests)]
            pieces += [rows[i : i + self.rows] for i in range(0, len(rows), self.rows)]
            at += len(rests)
        pieces.sort(key=lambda p: (-len(p[0][1]) - max(len(r) for _, _, r in p), p[0][0]))
        batches: list[list[tuple[int, Tokens, Tokens]]] = []
        for piece in pieces:
            if batches and len(batches[-1]) + len(piece) <= self.rows:
                batches[-1] += piece
            else:
                batches.append(piece)
        return batches

    def _read(self, batch: Sequence[tuple[int, Tokens, Tokens]]) -> tuple[Any, torch.Tensor]:
        """Read every prefix once. Return the cache with a row per prompt and the mask (rows, prefix length)."""
        from transformers import DynamicCache

        distinct: dict[tuple[int, ...], int] = {}
        of_row = torch.tensor([distinct.setdefault(tuple(p), len(distinct)) for _, p, _ in batch])
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
        ids = pad_sequence(flipped, batch_first=True, padding_value=int(self.tokenizer.pad_token_id)).flip(1)
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

    def _decode(self, batch: Sequence[tuple[int, Tokens, Tokens]], max_new_tokens: int) -> dict[int, Tokens]:
        cache, before = self._read(batch)
        ids, mask = self._left_padded([rest for _, _, rest in batch])
        mask = torch.cat([before, mask], 1)
        new = ids.shape[1]
        found: dict[int, Tokens] = {at: [] for at, _, _ in batch}
        going = torch.arange(len(batch), device=ids.device)  # rows that are still in the batch
        ended = torch.zeros(len(batch), dtype=torch.bool, device=ids.device)
        ends = torch.tensor(sorted(self._ends), dtype=torch.long, device=ids.device)
        for step in range(max_new_tokens):
            token = self._forward(ids, mask, new, cache, keep=1)[:, -1].argmax(-1)
            for row, t, over in zip(going.tolist(), token.tolist(), ended.tolist(), strict=True):
                if not over:
                    found[batch[row][0]].append(t)
            ended = ended | torch.isin(token, ends)
            alive = int((~ended).sum())
            if not alive or step == max_new_tokens - 1:
                break
            if alive < _COMPACT_AT * len(going):
                stay = (~ended).nonzero()[:, 0]
                cache.batch_select_indices(stay)
                going, mask, token, ended = going[stay], mask[stay], token[stay], ended[stay]
            ids, new = token[:, None], 1
            mask = torch.cat([mask, torch.ones_like(ids)], 1)
        return found

    def _decoded(self, batch: Sequence[tuple[int, Tokens, Tokens]], max_new_tokens: int) -> list[tuple[int, Tokens]]:
        return list(self._decode(batch, max_new_tokens).items())

    def _answer(self, at: int, tokens: Tokens, stop: Sequence[str]) -> Answer:
        finished = bool(tokens) and tokens[-1] in self._ends
        text = self.tokenizer.decode(tokens[:-1] if finished else tokens, skip_special_tokens=True)
        cut = min((i for s in stop if (i := text.find(s)) >= 0), default=None)
        return Answer(at, text[:cut].strip(), finished or cut is not None)

    def _likelihood(self, batch: Sequence[tuple[int, Tokens, Tokens]], solutions: Sequence[Tokens]) -> dict[int, float]:
        cache, before = self._read(batch)
        ids, mask = self._left_padded([[*rest, *s] for (_, _, rest), s in zip(batch, solutions, strict=True)])
        keep = max(map(len, solutions)) + 1  # the position before a token predicts it
        logits = self._forward(ids, torch.cat([before, mask], 1), ids.shape[1], cache, keep=keep)[:, :-1]
        predicted = logits.float().log_softmax(-1).gather(-1, ids[:, -keep + 1 :, None])[..., 0]
        rows = zip(batch, solutions, predicted, strict=True)
        return {at: float(p[-len(s) :].mean()) for (at, _, _), s, p in rows}
