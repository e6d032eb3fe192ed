"""The client: asynchronous requests in order of asking, one owner of retries, adaptive concurrency, a budget.

A background thread runs the event loop; the caller iterates over answers in order. The limit of requests in
flight grows by one with every window of successes and is halved when the server says that it is too much.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import random
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from sei.errors import SeiError
from sei.instructors.remote.answers import Answers, key_of
from sei.instructors.remote.terms import Answer, Ledger, Limits, Request, StoppedError
from sei.instructors.remote.verdict import Drop, Ok, Reask, Retry, Stop, Verdict, of_exception, of_text

log = logging.getLogger(__name__)
_MAX_BODY = 4 * 2**20  # bytes; a longer reply is none
_BACKOFF = (0.5, 30.0)  # seconds: first wait, longest wait


class Client:
    """Sends requests to one endpoint; answers come back in order."""

    def __init__(
        self, *, base_url: str, model: str, api_key: str, structured: bool, limits: Limits, cache: Answers
    ) -> None:
        self.base_url, self.model, self._key = base_url, model, api_key
        self.structured, self.limits, self.cache = structured, limits, cache
        self.ledger = Ledger()
        self._limit = float(max(1, limits.concurrency // 2))
        self._in_flight = 0
        self._not_before = 0.0
        self._last_good = time.monotonic()
        self._models: set[str] = set()
        self._asked: dict[str, asyncio.Event] = {}
        self._stopped: StoppedError | None = None

    def run(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield an answer per request, in order; each is on disk before it is yielded.

        Raises:
            StoppedError: when key, quota, budget or the server's silence end the run.
        """
        done: queue.Queue[tuple[int, Answer | BaseException]] = queue.Queue()
        loop = asyncio.new_event_loop()
        main = loop.create_task(self._all(requests, done))
        thread = threading.Thread(target=self._drive, args=(loop, main, done), daemon=True)
        thread.start()
        held: dict[int, Answer] = {}
        try:
            for i in range(len(requests)):
                while i not in held:
                    at, found = done.get()
                    if isinstance(found, BaseException):
                        raise found
                    held[at] = found
                yield held.pop(i)
        finally:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(main.cancel)
            thread.join(10)

    def _drive(self, loop: asyncio.AbstractEventLoop, main: asyncio.Task[None], done: queue.Queue[Any]) -> None:
        try:
            loop.run_until_complete(main)
        except asyncio.CancelledError:
            pass
        except BaseException as e:  # handed to the caller's thread, which raises it
            done.put((-1, _innermost(e)))
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(asyncio.sleep(0.02))  # lets connections close
            loop.close()

    async def _all(self, requests: Sequence[Request], done: queue.Queue[Any]) -> None:
        from openai import AsyncOpenAI

        self._changed, self._stopped = asyncio.Condition(), None
        self._last_good = time.monotonic()
        api = AsyncOpenAI(api_key=self._key, base_url=self.base_url, max_retries=0, timeout=self.limits.timeout)
        async with api, asyncio.TaskGroup() as group:
            window = asyncio.Semaphore(4 * self.limits.concurrency)  # tasks at once, however many requests

            async def one(i: int, r: Request) -> None:
                try:
                    done.put((i, await self._answer(api, r)))
                except StoppedError as e:
                    self._stopped = self._stopped or e  # what is in flight is still waited for: it is paid
                finally:
                    window.release()

            for i, r in enumerate(requests):
                await window.acquire()
                if self._has_stopped():
                    break
                group.create_task(one(i, r))
        self._raise_if_stopped()

    async def _answer(self, api: Any, request: Request) -> Answer:
        key = key_of(self._canonical(request))
        while key in self._asked:  # equal requests of one batch are sent once
            await self._asked[key].wait()
        self._asked[key] = asyncio.Event()
        try:
            return await self._kept_or_asked(api, request, key)
        finally:
            self._asked.pop(key).set()

    async def _kept_or_asked(self, api: Any, request: Request, key: str) -> Answer:
        kept = self.cache.get(key)
        if kept is not None:
            self.ledger.cached += 1
            value = request.check(kept["text"])
            return self._count(Answer(value=value, cached=True, input_tokens=kept["in"], output_tokens=kept["out"]))
        asked, sent, written = request, 0, 0
        for attempt in range(2):
            verdict = await self._until_answered(api, asked)
            sent, written = sent + verdict.input_tokens, written + verdict.output_tokens
            if isinstance(verdict, Drop):
                return self._rejected(verdict.reason, verdict.detail, sent, written)
            if isinstance(verdict, Ok):
                try:
                    value = request.check(verdict.text)
                except ValueError as e:
                    reason, detail = "off_contract", verdict.text[:500]
                    asked = _with_error(request, verdict.text, str(e))
                else:
                    self.cache.put(key, {"text": verdict.text, "in": sent, "out": written, "model": verdict.model})
                    return self._count(Answer(value=value, input_tokens=sent, output_tokens=written))
            else:
                assert isinstance(verdict, Reask)
                reason, detail = verdict.reason, ""
                asked = replace(request, max_tokens=2 * request.max_tokens) if reason == "length" else request
            self.ledger.reasked += attempt == 0
        return self._rejected(reason, detail, sent, written)

    def _canonical(self, r: Request) -> dict[str, Any]:
        from urllib.parse import urlsplit

        url = urlsplit(self.base_url)
        return {
            "endpoint": f"{url.hostname}:{url.port or ''}{url.path.rstrip('/')}",  # never the user part
            "model": self.model,
            "messages": [list(m) for m in r.messages],
            "max_tokens": r.max_tokens,
            "temperature": r.temperature,
            "sample": r.sample,
        }

    def _count(self, answer: Answer) -> Answer:
        usd = self._usd(answer.input_tokens, answer.output_tokens)
        self.ledger.needed_usd += usd
        if not answer.cached:
            self.ledger.spent_usd += usd
        return answer

    def _rejected(self, reason: str, detail: str, sent: int, written: int) -> Answer:
        self.ledger.rejected[reason] = self.ledger.rejected.get(reason, 0) + 1
        return self._count(Answer(reason=reason, detail=detail, input_tokens=sent, output_tokens=written))

    def _usd(self, input_tokens: int, output_tokens: int) -> float:
        price = self.limits.usd_per_million
        return (input_tokens * price[0] + output_tokens * price[1]) / 1e6

    async def _until_answered(self, api: Any, request: Request) -> Ok | Reask | Drop:
        """Send until the verdict is about the answer, not about the way; waits grow and are jittered."""
        alone, failed_at = 0, time.monotonic()
        for tried in range(100_000):
            async with self._slot():
                self._require_go()
                verdict = await self._send(api, request)
            if isinstance(verdict, Stop):
                raise StoppedError(f"{verdict.reason}. Remedy: {verdict.remedy}.", verdict.exit_code)
            if isinstance(verdict, Reask) and verdict.reason == "plain" and self.structured:
                log.warning("the server takes no response format: replies are checked here alone from now on")
                self.structured = False
                continue
            if not isinstance(verdict, Retry):
                self._succeeded()
                return verdict
            self._failed(verdict)
            alone += self._last_good > failed_at and not verdict.slow_down
            failed_at = time.monotonic()
            silent = failed_at - self._last_good
            if alone >= self.limits.tries:  # others are answered in between, this one is not
                return Drop(reason="unavailable", detail=verdict.reason)
            if silent > self.limits.give_up:
                raise StoppedError(
                    f"{self.base_url.rsplit('@', 1)[-1]} has not answered for {silent:.0f} s (last: {verdict.reason}). "
                    "Remedy: run the same command again later; answers so far are kept.", 75
                )  # fmt: skip
            wait = min(_BACKOFF[1], _BACKOFF[0] * 2 ** min(tried, 10))
            await asyncio.sleep(random.uniform(wait / 2, wait))
        raise AssertionError("give_up ends this loop")

    def _has_stopped(self) -> bool:
        return self._stopped is not None

    def _raise_if_stopped(self) -> None:
        if self._stopped is not None:
            raise self._stopped

    def _require_go(self) -> None:
        self._raise_if_stopped()
        if self.limits.max_usd is not None and self.ledger.needed_usd >= self.limits.max_usd:
            raise StoppedError(
                f"instructor.max_usd={self.limits.max_usd} is used up ({self.ledger.needed_usd:.4f} so far). "
                "Remedy: a higher budget; the same command then goes on, nothing is paid for twice.",
                75,
            )

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: self._in_flight < max(1, int(self._limit)))
            self._in_flight += 1
        try:
            while (wait := self._not_before - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            yield
        finally:
            async with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()

    def _succeeded(self) -> None:
        self._last_good = time.monotonic()
        self._limit = min(float(self.limits.concurrency), self._limit + 1 / max(1.0, self._limit))

    def _failed(self, verdict: Retry) -> None:
        if verdict.slow_down or verdict.reason.startswith("HTTP 5"):
            self._limit = max(1.0, self._limit / 2)
        if verdict.after is not None:
            if verdict.after > self.limits.max_wait:
                raise StoppedError(
                    f"the server asks to wait {verdict.after:.0f} s, longer than instructor.max_wait="
                    f"{self.limits.max_wait}. Remedy: the same command again after that; answers so far are kept.", 75
                )  # fmt: skip
            self._not_before = max(self._not_before, time.monotonic() + verdict.after)

    async def _send(self, api: Any, request: Request) -> Verdict:
        self.ledger.sent += 1
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": role, "content": text} for role, text in request.messages],
            "max_tokens": request.max_tokens,
        }
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if self.structured:
            schema = {"name": "reply", "schema": request.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        try:
            async with asyncio.timeout(1.15 * self.limits.timeout):  # the last resort; cancelling leaks a socket
                text = await self._body(api, body)
        except Exception as e:  # whatever the transport raises is classified in one place
            return of_exception(e)
        verdict = of_text(text) if len(text) < _MAX_BODY else Drop(reason="too_large", detail=text[:300])
        if isinstance(verdict, Ok) and verdict.model:
            self._watch(verdict.model)
        return verdict

    async def _body(self, api: Any, body: dict[str, Any]) -> str:
        """Return the body of a response; one that trickles in or never ends is given up at the time limit."""
        end = time.monotonic() + self.limits.timeout
        parts, size = [], 0
        async with api.chat.completions.with_streaming_response.create(**body) as response:
            async for part in response.iter_bytes():
                parts.append(part)
                size += len(part)
                if time.monotonic() > end:
                    raise TimeoutError
                if size >= _MAX_BODY:
                    break
        return b"".join(parts).decode("utf-8", "replace")

    def _watch(self, model: str) -> None:
        if model not in self._models and self._models:
            log.warning("the server now says that it is %s (before: %s)", model, ", ".join(sorted(self._models)))
        self._models.add(model)


def _innermost(error: BaseException) -> BaseException:
    """Return the error that a user can act on, out of a task group's."""
    while isinstance(error, BaseExceptionGroup):
        ours = [e for e in error.exceptions if isinstance(e, (SeiError, BaseExceptionGroup))]
        error = (ours or list(error.exceptions))[0]
    return error


def _with_error(request: Request, text: str, error: str) -> Request:
    """Return the request with the reply and what is wrong with it, for the one second try."""
    said = (("assistant", text[:4_000]), ("user", f"That cannot be used: {error[:500]}. Answer again, as asked."))
    return replace(request, messages=(*request.messages, *said))
