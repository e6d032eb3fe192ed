"""The client: asynchronous requests with answers in order, central retries, adaptive concurrency and a budget.

A background thread runs the event loop, and the caller iterates over the answers in order. The limit of requests in
flight grows by one with every window of successes and is halved when the server reports overload.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import random
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sei.errors import SeiError
from sei.instructors.remote.answers import Answers, NoAnswers
from sei.instructors.remote.dialect import dialect_of, limit_of
from sei.instructors.remote.flow import Flow, Keeper
from sei.instructors.remote.latex import UndecidedError
from sei.instructors.remote.pace import Pace
from sei.instructors.remote.reach import REFUSED, is_loopback
from sei.instructors.remote.replied import of_body
from sei.instructors.remote.terms import (
    UNDECIDED,
    Ledger,
    Limits,
    Request,
    Result,
    StoppedError,
    silent,
    unreadable,
    used_up,
)
from sei.instructors.remote.tokens import metered, request_tokens
from sei.instructors.remote.verdict import (
    Answered,
    Drop,
    Ok,
    Reask,
    Refused,
    ReplyState,
    Retry,
    Stop,
    of_exception,
)
from sei.instructors.remote.wire import (
    Kept,
    Models,
    answer_key,
    checked_text,
    connection,
    endpoint_of,
    read_body,
    unread,
    usable,
    with_error,
    with_room,
)

log = logging.getLogger(__name__)
_POOL = 2  # connections per HTTP pool, because a pool inspects all of them for every request
_UNREADABLE = 5  # bodies in a row that cannot be read; they may be paid
_STARTING = 60  # seconds
_BACKOFF = (0.5, 30.0)  # seconds: first wait, longest wait


class Client:
    """Sends requests to one endpoint. Answers come in order.

    ``gone`` returns how the server ended, or ``None``. It is called after every failure on the way.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str,
        structured: bool,
        limits: Limits,
        cache: Answers | NoAnswers,
        gone: Callable[[], str | None] | None = None,
    ) -> None:
        self.gone = gone
        self.base_url, self.model, self._key = base_url, model, api_key
        self.structured, self.limits, self.cache = structured, limits, cache
        self.ledger = Ledger()
        self.dialect = dialect_of(endpoint_of(base_url), model)
        self._pace = Pace(limits.requests_per_minute, limits.tokens_per_minute)
        self._flow, self._keeper = Flow(limits), Keeper(cache)
        self._models = Models()
        self._asked: dict[str, asyncio.Event] = {}
        self._stopped: StoppedError | None = None
        self._lasting: set[str] = set()  # words that are not understood and came twice for one request

    def run(self, requests: Sequence[Request]) -> Iterator[Result]:
        """Yield an answer per request, in order. Each is on disk before it is yielded.

        Raises:
            StoppedError: if the key, the quota, the budget or the server's silence ends the run.
        """
        held: dict[int, Result] = {}
        found = self.as_completed(requests)
        try:
            for i in range(len(requests)):
                while i not in held:
                    at, answer = next(found)
                    held[at] = answer
                yield held.pop(i)
        finally:
            found.close()

    def as_completed(self, requests: Sequence[Request]) -> Generator[tuple[int, Result]]:
        """Yield the index of a request and its answer as soon as it is there. Otherwise as ``run``."""
        done: queue.Queue[tuple[int, Result | BaseException]] = queue.Queue()
        loop = asyncio.new_event_loop()
        main = loop.create_task(self._all(requests, done))
        thread = threading.Thread(target=self._drive, args=(loop, main, done), daemon=True)
        thread.start()
        given = 0
        try:
            while given < len(requests):
                at, found = done.get()
                if isinstance(found, BaseException):
                    raise found
                given += 1
                yield at, found
        finally:
            if given < len(requests):  # otherwise the loop closes its connections and ends by itself
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(main.cancel)
            thread.join(10)

    def _drive(self, loop: asyncio.AbstractEventLoop, main: asyncio.Task[None], done: queue.Queue[Any]) -> None:
        try:
            loop.run_until_complete(main)
        except asyncio.CancelledError:
            pass
        except BaseException as e:  # the caller's thread raises it
            done.put((-1, _innermost(e)))
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(asyncio.sleep(0.02))  # time for connections to close
            loop.close()

    async def _all(self, requests: Sequence[Request], done: queue.Queue[Any]) -> None:
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        self._stopped = None
        self._flow.begin()
        self._keeper.begin()
        logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs a line for every request
        apis: list[Any] = []
        settings = {**connection(self.base_url, self._key), "timeout": self.limits.timeout}
        async with contextlib.AsyncExitStack() as stack:
            pools = min(-(-self.limits.concurrency // _POOL), -(-len(requests) // _POOL)) or 1
            trust = ssl.create_default_context()  # made once, because it is slow
            for _ in range(pools):
                http = DefaultAsyncHttpxClient(verify=trust)
                apis.append(await stack.enter_async_context(AsyncOpenAI(**settings, max_retries=0, http_client=http)))
            await self._ask_all(apis, requests, done)
        self._raise_if_stopped()

    async def _ask_all(self, apis: Sequence[Any], requests: Sequence[Request], done: queue.Queue[Any]) -> None:
        async with asyncio.TaskGroup() as group:
            window = asyncio.Semaphore(4 * self.limits.concurrency)  # limits the tasks at once

            async def one(i: int, r: Request) -> None:
                try:
                    done.put((i, await self._answer(apis[i % len(apis)], r)))
                except StoppedError as e:
                    self._stopped = self._stopped or e  # requests in flight are paid, so wait for them
                finally:
                    window.release()

            for i, r in enumerate(requests):
                await window.acquire()
                if self._has_stopped():
                    break
                group.create_task(one(i, r))

    async def _answer(self, api: Any, request: Request) -> Result:
        key = answer_key(self.base_url, self.model, request)
        while key in self._asked:  # equal requests of one batch are sent once
            await self._asked[key].wait()
        self._asked[key] = asyncio.Event()
        try:
            return await self._kept_or_asked(api, request, key)
        finally:
            self._asked.pop(key).set()

    async def _kept_or_asked(self, api: Any, request: Request, key: str) -> Result:
        kept = usable(self.cache, key, request)
        if kept is not None:
            self.ledger.cached += 1
            return self._from_cache(request, kept)
        asked, sent, written, estimated = request, 0, 0, False
        ticket = self._flow.ticket()
        for attempt in range(2):
            verdict = await self._until_answered(api, asked, ticket)
            sent, written = sent + verdict.input_tokens, written + verdict.output_tokens
            estimated = estimated or not (verdict.counted.sent and verdict.counted.reply)
            tokens: dict[str, Any] = {"input_tokens": sent, "output_tokens": written, "estimated": estimated}
            if isinstance(verdict, Drop):
                return self._rejected(request, verdict.reason, verdict.detail, tokens)
            if isinstance(verdict, Ok):
                tokens["text"] = verdict.text
                try:
                    found, reason, detail, again = await self._take(key, request, verdict, tokens, last=attempt == 1)
                finally:
                    self._flow.release()  # its answer is on disk or useless
                if found is not None:
                    return found
                asked = again
            else:
                reason, detail = verdict.reason, verdict.detail
                asked = with_room(request) if reason == "length" and not verdict.thought else request
            self.ledger.reasked += attempt == 0
        return self._rejected(request, reason, detail, tokens)

    async def _take(
        self, key: str, request: Request, verdict: Ok, tokens: dict[str, Any], *, last: bool
    ) -> tuple[Result | None, str, str, Request]:
        """Return (result, reason, detail, next request) for a complete reply. A result is on disk by then.

        Without a result, reason and detail say why, and the next request asks again.
        """
        row: dict[str, Any] = {"text": verdict.text, "in": tokens["input_tokens"], "out": tokens["output_tokens"]}
        row |= {"model": verdict.model, **({"estimated": True} if tokens["estimated"] else {})}
        try:
            read = checked_text(request, verdict.text)
        except UndecidedError as e:
            if last:  # it is complete and paid, so a later start must not ask again
                await self._keeper.keep(key, row)
            return None, UNDECIDED, str(e), with_error(request, verdict.text, str(e))
        except ValueError as e:
            reason, detail = unread(verdict, e)
            return None, reason, detail, request if verdict.thought else with_error(request, verdict.text, str(e))
        found = Result(value=read.value, restored=read.restored, finish=verdict.finish, **tokens)
        self._count(request, found)  # before any wait, for the budget
        await self._keeper.keep(key, row)
        return found, "", "", request

    def _from_cache(self, request: Request, kept: Kept) -> Result:
        """Return a stored answer, or the rejection of an undecided one. Neither is paid again."""
        tokens: dict[str, Any] = {"input_tokens": kept.input_tokens, "output_tokens": kept.output_tokens}
        tokens |= {"estimated": kept.estimated, "cached": True, "text": kept.text}
        if kept.undecided:
            return self._rejected(request, UNDECIDED, kept.undecided, tokens)
        return self._count(request, Result(value=kept.read.value, restored=kept.read.restored, **tokens))

    def _count(self, request: Request, answer: Result) -> Result:
        usd = self.limits.usd(answer.input_tokens, answer.output_tokens)
        self.ledger.count(request, answer, usd)
        self.ledger.spent_usd += 0.0 if answer.cached else usd
        return answer

    def _rejected(self, request: Request, reason: str, detail: str, tokens: dict[str, Any]) -> Result:
        self.ledger.rejected[reason] = self.ledger.rejected.get(reason, 0) + 1
        return self._count(request, Result(reason=reason, detail=detail, **tokens))

    async def _until_answered(self, api: Any, request: Request, ticket: int) -> Answered:
        """Send until the verdict concerns the answer, not the transport. Waits grow, with jitter."""
        alone, garbled, probe, doubts = 0, 0, "", set[str]()
        began = failed_at = time.monotonic()
        for tried in range(100_000):
            async with self._flow.slot(ticket):
                self._require_go()
                body = self.dialect.worded(request, self.model, structured=self.structured and not probe)
                verdict = await self._send(api, request, body)
                if isinstance(verdict, Ok):
                    self._flow.hold()  # until ``_kept_or_asked`` has its answer on disk
            if isinstance(verdict, Refused):
                learnt, probe = self._refused(verdict, body, probe, doubts)
                if learnt is None:
                    continue
                verdict = learnt
            if isinstance(verdict, Stop):
                raise StoppedError(f"{verdict.reason}. Remedy: {verdict.remedy}.", verdict.exit_code)
            if not isinstance(verdict, Retry):
                self._flow.succeeded()
                if probe and not isinstance(verdict, Drop):
                    self._go_plain(probe)
                return self._explained(verdict, body, request)
            self._flow.failed(verdict)
            self._require_server(verdict)
            garbled = garbled + 1 if verdict.unreadable else 0
            patience = min(_STARTING, self.limits.give_up)  # a gateway may answer with a page while its server starts
            if garbled >= _UNREADABLE and time.monotonic() - began > patience and self._flow.last_good <= began:
                raise unreadable(self._address, verdict.reason)
            alone += self._flow.last_good > failed_at and not verdict.slow_down
            failed_at = time.monotonic()
            quiet = failed_at - self._flow.last_good
            if alone >= self.limits.tries:  # other requests are answered meanwhile, this one is not
                return Drop(reason="unavailable", detail=verdict.reason)
            quiet -= self._pace.longest  # waiting for a limit per minute does not count as silence
            if quiet > self.limits.give_up and self.limits.drop_at_last and verdict.reason.startswith("HTTP"):
                return Drop(reason="unavailable", detail=verdict.reason)
            if quiet > self.limits.give_up:
                raise silent(self._address, quiet, verdict.reason)
            wait = min(_BACKOFF[1], _BACKOFF[0] * 2 ** min(tried, 10))
            await asyncio.sleep(random.uniform(wait / 2, wait))
        raise AssertionError("give_up ends this loop")

    def _require_server(self, verdict: Retry) -> None:
        """Stop if no server can answer: our own has ended, or none has ever answered at a loopback address."""
        if self.gone is not None:
            if (how := self.gone()) is not None:
                raise StoppedError(f"{how} Answers so far are kept; the same command continues.", 75)
            return
        if verdict.reason == REFUSED and not self._flow.answered and is_loopback(self.base_url):
            said = f"nothing listens at {self._address} ({REFUSED})"
            raise StoppedError(f"{said}. Remedy: start the server, then run the same command; answers are kept.", 75)

    @property
    def _address(self) -> str:
        return self.base_url.rsplit("@", 1)[-1]

    def _has_stopped(self) -> bool:
        return self._stopped is not None

    def _raise_if_stopped(self) -> None:
        if self._stopped is not None:
            raise self._stopped

    def _require_go(self) -> None:
        self._raise_if_stopped()
        if (over := used_up(self.limits, self.ledger.needed_usd)) is not None:
            raise over

    def _refused(
        self, refused: Refused, body: dict[str, Any], probe: str, doubts: set[str]
    ) -> tuple[Drop | Stop | None, str]:
        """Return what to do with a request of refused form (``None``: send it again), and the words being probed.

        If the server's words are not understood, the request is sent again unchanged, because they may pass. The second
        time it is tried without a response format, because servers word that refusal in many ways. ``doubts`` are the
        words that this request has met, and are added to.
        """
        learnt = self.dialect.learn(refused, body)
        if isinstance(learnt, Reask):
            if learnt.reason == "plain":
                self._go_plain(learnt.detail)
            return None, probe
        if isinstance(learnt, Drop) and "response_format" in body:
            said = learnt.detail or "no words"
            if said in doubts or said in self._lasting:
                self._lasting.add(said)
                return None, said
            doubts.add(said)
            return None, probe
        return learnt, probe

    def _go_plain(self, said: str) -> None:
        if self.structured:
            log.warning("the server takes no response format: replies are checked here alone from now on (%s)", said)
        self.structured = False
        self.dialect.no_format(said)

    def _explained(self, verdict: Answered, body: dict[str, Any], request: Request) -> Answered:
        """If thoughts used up the room, add an explanation to the verdict and give the next try more room."""
        self.dialect.changes(self.ledger, request)
        if not isinstance(verdict, Reask) or not verdict.thought:
            return verdict
        room = limit_of(body)
        self.dialect.more_room(body, request)
        remedy = f"instructor.max_tokens={{{request.kind}: {4 * room}}}, or a lower instructor.reasoning_effort"
        return replace(verdict, detail=f"the reasoning used up the {room} tokens of the reply. Remedy: {remedy}")

    async def _send(self, api: Any, request: Request, body: dict[str, Any]) -> ReplyState:
        place, wait = self._pace.reserve(request_tokens(request) + limit_of(body))
        await asyncio.sleep(wait)
        self.ledger.sent += 1
        try:
            async with asyncio.timeout(1.15 * self.limits.timeout):  # a last resort, because cancelling leaks a socket
                found, kind = await read_body(api, self.model, body, self.limits.timeout)
        except Exception as e:  # all errors of the transport are classified in one place
            return of_exception(e, self._key)
        verdict = of_body(found, kind, self._key)
        if isinstance(verdict, Ok):
            self._models.watch(verdict.model)
        if isinstance(verdict, (Ok, Reask, Drop)):
            if not (verdict.counted.sent and verdict.counted.reply):  # a tokenizer takes seconds to load
                verdict = await asyncio.to_thread(metered, verdict, request, self.model)
            place.tokens = min(place.tokens, verdict.input_tokens + verdict.output_tokens)
        return verdict


def _innermost(error: BaseException) -> BaseException:
    """Return the error in a task group that a user can act on."""
    while isinstance(error, BaseExceptionGroup):
        ours = [e for e in error.exceptions if isinstance(e, (SeiError, BaseExceptionGroup))]
        error = (ours or list(error.exceptions))[0]
    return error
