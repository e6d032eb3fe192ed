"""Terms of the client: what is asked, what comes back, how it behaves, what it cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sei.errors import SeiError

PLAIN: dict[str, Any] = {"top_p": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
"""What a plain completion says outright: a server has defaults of its own (vLLM: the folder's generation_config)."""
PLAIN_BY_TOKENS: dict[str, Any] = {
    **PLAIN,
    "top_k": -1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "repeat_penalty": 1.0,  # llama.cpp's name
}
"""The same for servers that take token ids: vLLM, SGLang and llama.cpp know these, others refuse them."""


class StoppedError(SeiError):
    """The instructor's server, account or budget does not allow to go on; ``exit_code`` is the instance's."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # a class constant elsewhere


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request.

    ``check`` raises ValueError with what is wrong with a reply's text; ``sample`` tells equal requests apart.
    ``kind`` and ``items`` (problems or phrases asked for) are for the ledger.
    ``prompt`` (text or token ids) asks for a plain completion, cut at ``stop``, instead of a chat reply; such
    answers are kept in no cache. ``seed`` is for a server that samples.
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

    @property
    def chars(self) -> int:
        """Characters of its messages."""
        return sum(len(text) for _, text in self.messages)

    def canonical(self) -> dict[str, Any]:
        """Return what decides the answer, for the cache's key."""
        out: dict[str, Any] = {
            "messages": [list(m) for m in self.messages],
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "sample": self.sample,
        }
        return out if self.prompt is None else {**out, "prompt": self.prompt, "stop": self.stop}

    def body(self, model: str, *, structured: bool) -> dict[str, Any]:
        """Return the request's body as the protocol has it."""
        body: dict[str, Any] = {"model": model, "max_tokens": self.max_tokens}
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
class Answer:
    """What came of a request: the checked value, or a reason why there is none. Tokens are those the answer needed."""

    value: Any = None
    reason: str = ""
    detail: str = ""
    finish: str = "stop"
    cached: bool = False
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How the client behaves.

    ``timeout``: seconds one attempt may take in all, whatever trickles in. ``give_up``: seconds without any
    answer after which the run stops resumably. ``max_wait``: longest ``Retry-After`` obeyed. ``tries``:
    attempts at one request while others are answered. ``drop_at_last``: a server that answers, but with errors
    alone, costs the request after ``give_up`` instead of stopping the run.
    """

    concurrency: int = 16
    timeout: float = 120.0
    give_up: float = 300.0
    max_wait: float = 120.0
    tries: int = 8
    drop_at_last: bool = False
    max_usd: float | None = None
    usd_per_million: tuple[float, float] = (0.0, 0.0)

    def usd(self, input_tokens: int, output_tokens: int) -> float:
        """Return what tokens cost."""
        price = self.usd_per_million
        return (input_tokens * price[0] + output_tokens * price[1]) / 1e6


def used_up(limits: Limits, needed_usd: float) -> StoppedError | None:
    """Return the resumable stop where the answers needed so far have cost the whole budget."""
    if limits.max_usd is None or needed_usd < limits.max_usd:
        return None
    return StoppedError(
        f"instructor.max_usd={limits.max_usd} is used up ({needed_usd:.4f} so far). "
        "Remedy: a higher budget; the same command then goes on, nothing is paid for twice.",
        75,
    )


@dataclass
class Kind:
    """What requests of one kind needed in this process, cached or not; ``items`` and ``chars`` are what they asked."""

    requests: int = 0
    cached: int = 0
    items: int = 0
    chars: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0


@dataclass
class Ledger:
    """What this process asked for: requests sent, answers from the cache, tokens and dollars of both, by kind."""

    sent: int = 0
    cached: int = 0
    reasked: int = 0
    spent_usd: float = 0.0
    needed_usd: float = 0.0
    rejected: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, Kind] = field(default_factory=dict)

    def count(self, request: Request, answer: Answer, usd: float) -> None:
        """Add what one answer, or a refused one, needed; what was spent is counted where it is spent."""
        self.needed_usd += usd
        kind = self.kinds.setdefault(request.kind, Kind())
        kind.requests += 1
        kind.cached += answer.cached
        kind.items += request.items
        kind.chars += request.chars
        kind.input_tokens += answer.input_tokens
        kind.output_tokens += answer.output_tokens
        kind.usd += usd
