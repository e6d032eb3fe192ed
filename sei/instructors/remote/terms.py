"""Types of the client: requests, results, limits and the ledger of costs."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sei.errors import SeiError

log = logging.getLogger(__name__)
UNDECIDED = "undecided_latex"
"""The reason for rejecting a text that may be damaged."""
ESTIMATED = (
    "the server does not count tokens: tokens and dollars of its answers, and instructor.max_usd, rest on an estimate"
)
NO_PRICE = "no price is known (instructor.usd_in, usd_out): dollars are not counted"
RESTORED = "texts of replies were damaged by their JSON escapes and are restored; the ledger counts them by kind"
PLAIN: dict[str, Any] = {"top_p": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
"""Settings stated in every plain completion, because servers have their own defaults (vLLM: generation_config)."""
PLAIN_BY_TOKENS: dict[str, Any] = {
    **PLAIN,
    "top_k": -1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "repeat_penalty": 1.0,  # llama.cpp's name
}
"""The same for servers that accept token ids: vLLM, SGLang and llama.cpp know these settings; others refuse them."""


class StoppedError(SeiError):
    """The instructor's server, account or budget does not allow continuing. Each instance has its own ``exit_code``."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # a class constant elsewhere


@dataclass(frozen=True, kw_only=True)
class Read:
    """The result of checking a reply's text, with the counts of repairs by kind."""

    value: Any
    restored: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request.

    ``check`` turns a reply's text into a value or a ``Read``, and raises ValueError with the fault. ``sample``
    distinguishes equal requests. ``kind`` and ``items`` (problems or phrases asked for) are for the ledger. ``prompt``
    (text or token ids) asks for a plain completion, cut at ``stop``, instead of a chat reply; such answers are not
    cached. ``seed`` is for a server that samples. ``reasoning_effort`` and ``extra_body`` are added to the body
    unchanged.
    """

    messages: tuple[tuple[str, str], ...]
    schema: dict[str, Any]
    check: Callable[[str], Any]
    max_tokens: int
    temperature: float | None
    sample: int = 0
    kind: str = "other"
    items: int = 1
    prompt: str | tuple[int, ...] | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    reasoning_effort: str | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def chars(self) -> int:
        """The number of characters in its messages."""
        return sum(len(text) for _, text in self.messages)

    def canonical(self) -> dict[str, Any]:
        """Return the parts that determine the answer, for the cache key."""
        out: dict[str, Any] = {
            "messages": [list(m) for m in self.messages],
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "sample": self.sample,
        }
        if self.reasoning_effort is not None:
            out["reasoning_effort"] = self.reasoning_effort
        if self.extra_body:
            out["extra_body"] = dict(self.extra_body)
        return out if self.prompt is None else {**out, "prompt": self.prompt, "stop": self.stop}

    def body(self, model: str, *, structured: bool) -> dict[str, Any]:
        """Return the request's body in the protocol's format."""
        body: dict[str, Any] = {**self.extra_body, "model": model, "max_tokens": self.max_tokens}
        if self.reasoning_effort is not None:
            body["reasoning_effort"] = self.reasoning_effort
        if self.temperature is not None:
            body["temperature"] = self.temperature
        if self.seed is not None:
            body["seed"] = self.seed
        if self.prompt is not None:
            body |= PLAIN if isinstance(self.prompt, str) else PLAIN_BY_TOKENS
            body["prompt"] = self.prompt if isinstance(self.prompt, str) else list(self.prompt)
            return {**body, "stop": list(self.stop)} if self.stop else body
        body["messages"] = [{"role": role, "content": text} for role, text in self.messages]
        if structured:
            schema = {"name": "reply", "schema": self.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of a request: the checked value, or the reason why there is none.

    Tokens are those that the answer needed, ``estimated`` if the server did not count them. ``restored`` counts the
    repairs of its text by kind. ``text`` is the original reply, if one was complete.
    """

    value: Any = None
    reason: str = ""
    detail: str = ""
    finish: str = "stop"
    cached: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    restored: Counter[str] = field(default_factory=Counter)
    text: str = ""


WATCHING: list[Callable[[Request, Result], None]] = []
"""Functions that are called with every request and its result, in order. ``preview=true`` uses them."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of the client.

    ``timeout``: the most seconds for one attempt, even if parts arrive. ``give_up``: the run stops resumably after this
    many seconds without any answer. ``max_wait``: the longest ``Retry-After`` that is obeyed. ``tries``: attempts at
    one request while others are answered. ``drop_at_last``: if a server answers only with errors, drop the request
    after ``give_up`` seconds instead of stopping the run. ``requests_per_minute`` and ``tokens_per_minute``: limits of
    the account; requests wait for them.
    """

    concurrency: int = 16
    timeout: float = 120.0
    give_up: float = 300.0
    max_wait: float = 120.0
    tries: int = 8
    drop_at_last: bool = False
    max_usd: float | None = None
    usd_per_million: tuple[float, float] = (0.0, 0.0)
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    def usd(self, input_tokens: int, output_tokens: int) -> float:
        """Return the cost of tokens in dollars."""
        price = self.usd_per_million
        return (input_tokens * price[0] + output_tokens * price[1]) / 1e6


def used_up(limits: Limits, needed_usd: float) -> StoppedError | None:
    """Return the resumable stop if the answers so far have used up the budget, else ``None``."""
    if limits.max_usd is None or needed_usd < limits.max_usd:
        return None
    return StoppedError(
        f"instructor.max_usd={limits.max_usd} is used up ({needed_usd:.4f} so far). "
        "Remedy: a higher budget; the same command then continues, and nothing is paid for twice.",
        75,
    )


def silent(address: str, seconds: float, last: str) -> StoppedError:
    """Return the resumable stop for a server that gives no answers. ``last`` says how it failed last."""
    slow = "; if it is slow, a longer instructor.timeout or a smaller instructor.concurrency" * (last == "timeout")
    return StoppedError(
        f"{address} has not answered for {seconds:.0f} s (last: {last}). "
        f"Remedy: run the same command again later; answers so far are kept{slow}.",
        75,
    )


def unreadable(address: str, what: str) -> StoppedError:
    """Return the resumable stop for a server whose answers cannot be read, with the beginning of one."""
    return StoppedError(
        f"{address}: the server answers with HTTP 200, but with {what}. Rule: the body is one JSON object with "
        "choices. Remedy: check instructor.base_url, which usually ends in /v1, and what stands between; if this "
        "passes, run the same command again; answers so far are kept.",
        75,
    )


@dataclass
class Kind:
    """The cost of one kind of request in this process, cached or not. ``items`` and ``chars`` count what was asked."""

    requests: int = 0
    cached: int = 0
    items: int = 0
    chars: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0


@dataclass
class Ledger:
    """The ledger of this process: requests sent, answers from the cache, tokens and dollars of both, by kind.

    ``restored`` counts repairs of replies by kind. ``estimated`` counts answers without the server's token counts.
    ``changed`` gives, by setting, the server's words for refusing the configured value. ``notes`` are remarks for
    readers of the numbers.
    """

    sent: int = 0
    cached: int = 0
    reasked: int = 0
    spent_usd: float = 0.0
    needed_usd: float = 0.0
    rejected: dict[str, int] = field(default_factory=dict)
    restored: dict[str, int] = field(default_factory=dict)
    estimated: int = 0
    changed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    kinds: dict[str, Kind] = field(default_factory=dict)

    def count(self, request: Request, answer: Result, usd: float) -> None:
        """Add the cost of one answer or rejection. ``spent_usd`` is counted elsewhere, when money is spent."""
        self.needed_usd += usd
        if answer.estimated:
            self._note(ESTIMATED)
            self.estimated += 1
        for what, n in answer.restored.items():
            self._note(RESTORED)
            self.restored[what] = self.restored.get(what, 0) + n
        kind = self.kinds.setdefault(request.kind, Kind())
        kind.requests += 1
        kind.cached += answer.cached
        kind.items += request.items
        kind.chars += request.chars
        kind.input_tokens += answer.input_tokens
        kind.output_tokens += answer.output_tokens
        kind.usd += usd

    def _note(self, text: str) -> None:
        """Write a note once, in the log and in the ledger."""
        if text not in self.notes:
            self.notes.append(text)
            log.warning("%s", text)
