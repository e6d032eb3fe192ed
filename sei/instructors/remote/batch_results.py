"""Reads the results of a batch: answers go into the cache, other outcomes are recorded for the next step."""

from __future__ import annotations

import itertools
import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sei.instructors.remote.answers import put_into
from sei.instructors.remote.batch_api import BatchApi
from sei.instructors.remote.batch_lines import UNASKED, results
from sei.instructors.remote.dialect import Dialect, limit_of
from sei.instructors.remote.latex import UndecidedError
from sei.instructors.remote.outbox import TRIES, Batch, Failed, Outbox
from sei.instructors.remote.terms import Ledger, Limits, Request, StoppedError
from sei.instructors.remote.tokens import metered
from sei.instructors.remote.verdict import Drop, Ok, Reask, Refused, ReplyState, Retry, Stop
from sei.instructors.remote.wire import Models, checked_text, unread

log = logging.getLogger(__name__)
_AT_ONCE = 500  # lines per transaction
_LATER = (  # reasons why a correct batch fails
    "token_limit_exceeded", "request_limit_exceeded", "rate_limit_exceeded", "insufficient_quota",
    "billing_hard_limit_reached", "billing_not_active",
)  # fmt: skip


class Reader:
    """Stores results. ``fresh`` are the keys of the answers that this process collected."""

    def __init__(self, outbox: Outbox, limits: Limits, ledger: Ledger, dialect: Dialect, model: str) -> None:
        self.outbox, self.limits, self.ledger = outbox, limits, ledger
        self.dialect, self.model = dialect, model
        self.fresh: set[str] = set()
        self._models = Models()

    def read(self, api: BatchApi, batch: Batch, state: Any, asked: Mapping[str, Request]) -> StoppedError | None:
        """Read the results of a finished batch, for the requests in ``asked``.

        Each line is stored in the same transaction that removes its key from the batch, so a kill neither loses nor
        repeats a line. Results for other callers stay, because only they can check them.

        Returns:
            The error to stop with if a line blames the key, the model or the account, else ``None``.
        """
        left, stop = {k for k in batch.keys if k in asked}, None
        for file_id in (state.output_file_id, state.error_file_id):
            if not file_id:
                continue
            with api.content(file_id) as file:
                if file is None:
                    log.warning("the server no longer has file %s of batch %s", file_id, batch.id)
                    continue
                lines = ((k, v) for k, v in results(file) if k in left)
                while some := list(itertools.islice(lines, _AT_ONCE)):
                    with self.outbox.cache.writing() as db:
                        for key, verdict in some:
                            if key in left:  # ignore a second line with the same key
                                left.discard(key)
                                stop = self._take(db, batch, asked[key], key, verdict) or stop
        unread = Retry(reason="no result" if state.status == "completed" else UNASKED[0])
        with self.outbox.cache.writing() as db:
            for key in left:
                self._take(db, batch, asked[key], key, unread)
        return stop

    def _take(
        self, db: sqlite3.Connection, batch: Batch, request: Request, key: str, verdict: ReplyState
    ) -> StoppedError | None:
        self.outbox.came_back(db, batch.number, key)
        row = self.outbox.failed(key) or Failed(key=key)
        if isinstance(verdict, Refused):
            verdict = self.dialect.learn(verdict, request.body(self.model, structured=True))
            if isinstance(verdict, Reask) and verdict.reason == "dialect":
                self._away(db, row, Retry(reason="bad_request"))  # sent again in the server's dialect
                return None
        if isinstance(verdict, Stop):
            return StoppedError(f"batch {batch.id}: {verdict.reason}. Remedy: {verdict.remedy}.", verdict.exit_code)
        if isinstance(verdict, Retry):
            self._away(db, row, verdict)
            return None
        verdict = metered(verdict, request, self.model)
        self.ledger.spent_usd += self.limits.usd(verdict.input_tokens, verdict.output_tokens)
        row = replace(row, sent=row.sent + verdict.input_tokens, written=row.written + verdict.output_tokens)
        if isinstance(verdict, Drop):
            self.outbox.fail(db, replace(row, tries=TRIES, reason=verdict.reason, detail=verdict.detail))
        elif isinstance(verdict, Reask):
            detail = self._room(request) if verdict.thought else ""
            self._again(db, replace(row, reason=verdict.reason, text="", detail=detail))
        else:
            self._check(db, row, request, verdict)
        return None

    def _check(self, db: sqlite3.Connection, row: Failed, request: Request, ok: Ok) -> None:
        self._models.watch(ok.model)
        undecided = ""
        try:
            checked_text(request, ok.text)
        except UndecidedError as e:
            undecided = str(e)
        except ValueError as e:
            reason, _ = unread(ok, e)
            self._again(db, replace(row, reason=reason, text=ok.text[:4_000], detail=str(e)[:500]))
            return
        if undecided and row.tries + 1 < TRIES:
            self._again(db, replace(row, reason="off_contract", text=ok.text[:4_000], detail=undecided[:500]))
            return
        counts = {"in": row.sent, "out": row.written, "model": ok.model}
        counts |= {} if ok.counted.sent and ok.counted.reply else {"estimated": True}
        put_into(db, row.key, {"text": ok.text, **counts})
        self.outbox.mend(db, row.key)
        self.fresh.add(row.key)

    def _room(self, request: Request) -> str:
        """Make more room for thoughts, and return the explanation with its remedy."""
        body = self.dialect.worded(request, self.model, structured=False)
        self.dialect.more_room(body, request)
        return (
            f"the reasoning used up the {limit_of(body)} tokens of the reply. Remedy: instructor.max_tokens="
            f"{{{request.kind}: {4 * limit_of(body)}}}, or a lower instructor.reasoning_effort"
        )

    def _again(self, db: sqlite3.Connection, row: Failed) -> None:
        if row.reason == "plain":
            log.warning("the server takes no response format: instructor.structured=false saves the second batch")
        self.ledger.reasked += row.tries == 0
        self.outbox.fail(db, replace(row, tries=row.tries + 1))

    def _away(self, db: sqlite3.Connection, row: Failed, verdict: Retry) -> None:
        """Record that a request came back without a reply. After too many times it is given up, else sent again."""
        if verdict.reason in UNASKED:
            return
        row = replace(row, away=row.away + 1)
        if row.away >= self.limits.tries:
            row = replace(row, tries=TRIES, reason="unavailable", detail=verdict.reason)
        self.outbox.fail(db, row)


def failed_error(state: Any) -> StoppedError:
    """Return the error to stop with for a batch that the server did not accept."""
    errors = (state.errors.data if state.errors else None) or []
    code = str((errors[0].code if errors else None) or "no code")
    said = str((errors[0].message if errors else None) or "no message")[:300]
    at = f" at line {errors[0].line}" if errors and errors[0].line else ""
    text = f"batch {state.id} failed: {said} ({code}{at}); none of it is paid"
    if code in _LATER:
        return StoppedError(
            f"{text}. Remedy: run the same command again when other batches are done or the account has funds; "
            "fewer requests at once make smaller batches.", 75
        )  # fmt: skip
    return StoppedError(
        f"{text}. Remedy: check instructor.model and instructor.structured; the same command then submits again.", 2
    )
