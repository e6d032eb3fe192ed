"""Asks through the Batch API at half price: submit, stop resumably, and collect into the same cache at the next start.

Every call handles its requests in one pass. It collects finished batches, submits requests that are neither answered
nor submitted, and stops with exit code 75 while a batch is out. Processes that share a cache take turns.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import filelock

from sei.instructors.remote.answers import Answers
from sei.instructors.remote.batch_api import LOOK_BACK, BatchApi
from sei.instructors.remote.batch_lines import digest_of, groups, line_of
from sei.instructors.remote.batch_results import Reader, failed_error
from sei.instructors.remote.dialect import dialect_of
from sei.instructors.remote.outbox import Batch, Failed, Outbox
from sei.instructors.remote.terms import UNDECIDED, Ledger, Limits, Request, Result, StoppedError, used_up
from sei.instructors.remote.wire import answer_key, endpoint_of, usable, with_error, with_room
from sei.store import lock_of

log = logging.getLogger(__name__)
_FORGOTTEN = 2 * 86_400  # seconds; an older batch that the server does not know is submitted again
_OVER = ("completed", "expired", "cancelled")


class BatchClient:
    """Asks one endpoint in batches. Answers come in order, from the same cache as with ``Client``.

    ``wait``: seconds that one call may wait for its batches, checking every ``poll`` seconds, before it stops.
    """

    def __init__(
        self, *, base_url: str, model: str, api_key: str, structured: bool, limits: Limits, cache: Answers,
        wait: float = 0.0, poll: float = 30.0,
    ) -> None:  # fmt: skip
        self.base_url, self.model, self._key = base_url, model, api_key
        self.structured, self.limits, self.cache = structured, limits, cache
        self.wait, self.poll = wait, poll
        self.ledger = Ledger()
        self.outbox = Outbox(cache, endpoint_of(base_url))
        self.dialect = dialect_of(endpoint_of(base_url), model)
        self._reader = Reader(self.outbox, limits, self.ledger, self.dialect, model)
        self._handed: list[Failed] = []

    def run(self, requests: Sequence[Request]) -> Iterator[Result]:
        """Yield an answer per request, in order, once all have arrived.

        Raises:
            StoppedError: with exit code 75 while batches are out, if the budget or quota is used up, or if the server
                is silent; with 2 if it refuses the key, the model or a batch.
        """
        keyed = [(answer_key(self.base_url, self.model, r), r) for r in requests]
        asked: dict[str, Request] = {}
        for key, request in keyed:
            asked.setdefault(key, request)
        try:
            given_up = self._gather(asked)
        except BaseException:
            # the same command continues from here: refusals of earlier calls must not be asked for again
            self.outbox.put_back(self._handed)
            raise
        rejected: dict[str, Result] = {}
        for key, request in keyed:
            if key in rejected:
                yield replace(rejected[key], cached=True, input_tokens=0, output_tokens=0)
            elif key in given_up:
                rejected[key] = self._rejected(request, given_up[key])
                yield rejected[key]
            else:
                yield self._answer(key, request)

    def _gather(self, asked: Mapping[str, Request]) -> dict[str, Failed]:
        """Return the given-up requests once all others are answered."""
        given_up: dict[str, Failed] = {}
        end = time.monotonic() + self.wait
        while (out := self._pass(asked, given_up)) is not None:
            left = end - time.monotonic()
            if left <= 0:
                raise out
            log.info("%s", out)
            time.sleep(min(self.poll, left))
        return given_up

    def _pass(self, asked: Mapping[str, Request], given_up: dict[str, Failed]) -> StoppedError | None:
        """Collect and submit once. Return the error to stop with while a batch is out, else ``None``."""
        if not self._missing(asked, given_up):
            return None
        with self._alone(), BatchApi(self.base_url, self._key, self.limits, self.cache.path.parent) as api:
            self._find_lost(api)
            out = self._collect(api, asked)
            on_way = {k for b in self.outbox.open() for k in b.keys}
            todo = [k for k in self._missing(asked, given_up) if k not in on_way]
            if todo:
                out += self._submit(api, todo, asked)
        return _out(out) if out else None

    def _missing(self, asked: Mapping[str, Request], given_up: dict[str, Failed]) -> list[str]:
        """Return the keys without an outcome. Given-up requests are remembered, as another process may delete them."""
        missing = []
        for key in asked:
            if key not in given_up and usable(self.cache, key, asked[key]) is None:
                row = self._failed(key)
                if row.final:
                    given_up[key] = row
                else:
                    missing.append(key)
        return missing

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = lock_of(Path(f"{self.cache.path}.batch.lock"))
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            log.info("another process is handling the batches of %s: waiting for it", self.cache.path)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _find_lost(self, api: BatchApi) -> None:
        """Resolve batches that a killed process was about to submit: find them at the server, or forget them."""
        for batch in self.outbox.open():
            if not batch.id:
                found = api.find(batch.digest, self.outbox.known(), batch.created - 86_400)
                if found is None:
                    self.outbox.forget(batch.number)
                else:
                    self.outbox.made(batch.number, found)

    def _collect(self, api: BatchApi, asked: Mapping[str, Request]) -> list[str]:
        """Read the finished batches and return a status line for each batch that is still out."""
        out, stop = [], None
        for batch in self.outbox.open():
            if batch.keys.isdisjoint(asked):
                continue
            state = api.state(batch.id)
            if state is None:
                self._unknown(batch)
            elif state.status == "failed":
                self.outbox.close(batch.number)
                stop = stop or failed_error(state)
            elif state.status in _OVER:
                stop = self._reader.read(api, batch, state, asked) or stop
            else:
                n = state.request_counts
                done = f"{n.completed + n.failed} of {n.total}" if n and n.total else f"0 of {len(batch.keys)}"
                out.append(f"batch {batch.id} is {state.status} ({done} requests done)")
        if stop is not None:
            raise stop
        return out

    def _unknown(self, batch: Batch) -> None:
        if time.time() - batch.created < _FORGOTTEN:
            raise StoppedError(
                f"{self.outbox.endpoint} knows no batch {batch.id}, which {self.cache.path} has on record. Remedy: use "
                f"the key of the account that made it; {_FORGOTTEN // 3600} h after its start it is sent again.", 2
            )  # fmt: skip
        log.warning("the server no longer knows batch %s: its %d requests are sent again", batch.id, len(batch.keys))
        self.outbox.close(batch.number)

    def _submit(self, api: BatchApi, todo: Sequence[str], asked: Mapping[str, Request]) -> list[str]:
        if self.limits.max_usd is not None and (over := used_up(self.limits, self._needed(asked))) is not None:
            raise over
        out = []
        for keys in groups((k, len(self._line(k, asked[k]))) for k in todo):
            digest = digest_of([(k, self._failed(k).tries) for k in keys])
            number = self.outbox.intend(digest, keys)  # recorded before it is sent (see ``_find_lost``)
            known = self.outbox.known()
            made = api.find(digest, known, time.time() - LOOK_BACK)
            how = "found again"
            if made is None:
                how = "submitted"
                made = api.create(partial(self._lines, keys, asked), digest, known)
                self.ledger.sent += len(keys)
            self.outbox.made(number, made)
            out.append(f"batch {made} is {how} ({len(keys)} requests)")
        return out

    def _needed(self, asked: Mapping[str, Request]) -> float:
        """Return the cost of this process's answers, including those of this call that are not yielded yet."""
        usd = self.ledger.needed_usd
        for key in asked:
            kept, row = usable(self.cache, key, asked[key]), self._failed(key)
            usd += (
                self.limits.usd(kept.input_tokens, kept.output_tokens)
                if kept
                else self.limits.usd(row.sent, row.written)
            )
        return usd

    def _failed(self, key: str) -> Failed:
        return self.outbox.failed(key) or Failed(key=key)

    def _lines(self, keys: Sequence[str], asked: Mapping[str, Request]) -> Iterator[bytes]:
        return (self._line(k, asked[k]) for k in keys)

    def _line(self, key: str, request: Request) -> bytes:
        row = self._failed(key)
        if row.reason == "off_contract":
            request = with_error(request, row.text, row.detail)
        elif row.reason == "length" and not row.detail:  # a detail means thoughts used the room: the dialect adds some
            request = with_room(request)
        structured = self.structured and row.reason != "plain"
        return line_of(key, self.dialect.worded(request, self.model, structured=structured))

    def _answer(self, key: str, request: Request) -> Result:
        kept = usable(self.cache, key, request)
        assert kept is not None
        fresh = key in self._reader.fresh  # paid by this process, so not a cache hit the first time
        self._reader.fresh.discard(key)
        self.ledger.cached += not fresh
        sent, written = kept.input_tokens, kept.output_tokens
        tokens: dict[str, Any] = {
            "cached": not fresh,
            "input_tokens": sent,
            "output_tokens": written,
            "estimated": kept.estimated,
            "text": kept.text,
        }
        if kept.undecided:
            self.ledger.rejected[UNDECIDED] = self.ledger.rejected.get(UNDECIDED, 0) + 1
            answer = Result(reason=UNDECIDED, detail=kept.undecided, **tokens)
        else:
            answer = Result(value=kept.read.value, restored=kept.read.restored, **tokens)
        self.dialect.changes(self.ledger, request)
        self.ledger.count(request, answer, self.limits.usd(sent, written))
        return answer

    def _rejected(self, request: Request, row: Failed) -> Result:
        """Return the rejection of a given-up request and delete its record, so that a later run asks again."""
        self.outbox.strike(row.key)
        self._handed.append(row)
        self.ledger.rejected[row.reason] = self.ledger.rejected.get(row.reason, 0) + 1
        detail = row.text[:500] if row.reason == "off_contract" else row.detail  # the server's words, or ours
        answer = Result(reason=row.reason, detail=detail, input_tokens=row.sent, output_tokens=row.written)
        self.ledger.count(request, answer, self.limits.usd(row.sent, row.written))
        return answer


def _out(lines: Sequence[str]) -> StoppedError:
    shown = "; ".join(lines[:5]) + (f"; and {len(lines) - 5} more" if len(lines) > 5 else "")
    return StoppedError(
        f"{shown}. Remedy: run the same command again later (a batch takes up to 24 h). It collects the answers and "
        "continues; nothing is paid for twice. instructor.batch_wait=SECONDS waits for them instead.", 75
    )  # fmt: skip
