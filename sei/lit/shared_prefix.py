"""Answers and likelihoods of prompts with a shared prefix, in plain torch. The prefix is read once.

In-context scoring asks one model the same questions after every candidate. A prompt is (candidate, question), so all
prompts of a candidate share a prefix. Its keys and values are computed once and reused for every question. Finished
rows leave the batch; Hugging Face's ``generate`` would pad them until the slowest row is done.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial

import torch

from sei.lit.answers import Reader
from sei.lit.decoder import Decoder, Row, Tokens
from sei.opened import Answer, OpenModel, ends_of
from sei.store.journal import Journal


class SharedPrefix:
    """Greedy answers and solution likelihoods for groups of prompts. Each group has its own prefix.

    ``rows``: the most prompts in a batch. Groups stay whole if they fit.
    """

    def __init__(self, opened: OpenModel, *, rows: int = 96) -> None:
        self.model, self.tokenizer, self.rows = opened.weights, opened.tokenizer, rows
        self._special = opened.template == "plain"
        self._ends, self._opened = ends_of(opened), opened
        self.decoder = Decoder(self.model, self._ends, int(self.tokenizer.pad_token_id))

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
        reader = Reader(self.tokenizer, self._ends, stop)
        kept = kept if kept is not None else Journal({}, lambda *_: None)
        for number, batch in enumerate(self._batches([self._encode(g) for g in groups])):
            pairs = kept.once(f"{name}/{number}", partial(self._decoded, batch, max_new_tokens, reader))
            found.update((at, list(tokens)) for at, tokens in pairs)
            advance(len(batch))
        answers = [reader.answer(at, found[at]) for at in range(len(found))]
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
            out |= self.decoder.likelihoods(batch, [solutions[r.at] for r in batch])
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

    def _batches(self, groups: Sequence[tuple[Tokens, list[Tokens]]]) -> list[list[Row]]:
        """Cut rows (number, prefix, rest) into batches of whole groups of similar length. Large groups are split."""
        pieces, at = [], 0
        for prefix, rests in groups:
            rows = [Row(at + i, prefix, rest) for i, rest in enumerate(rests)]
            pieces += [rows[i : i + self.rows] for i in range(0, len(rows), self.rows)]
            at += len(rests)
        pieces.sort(key=lambda p: (-len(p[0].prefix) - max(len(r.rest) for r in p), p[0].at))
        batches: list[list[Row]] = []
        for piece in pieces:
            if batches and len(batches[-1]) + len(piece) <= self.rows:
                batches[-1] += piece
            else:
                batches.append(piece)
        return batches

    def _decoded(self, batch: Sequence[Row], max_new_tokens: int, reader: Reader) -> list[tuple[int, Tokens]]:
        return list(self.decoder.tokens(batch, max_new_tokens, stopped=reader.stopped).items())
