"""Terms of the client: what is asked, what comes back, how it behaves, what it cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sei.errors import SeiError


class StoppedError(SeiError):
    """The instructor's server, account or budget does not allow to go on; ``exit_code`` is the instance's."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # a class constant elsewhere


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request.

    ``check`` raises ValueError with what is wrong with a reply's text; ``sample`` tells equal requests apart.
    """

    messages: tuple[tuple[str, str], ...]
    schema: dict[str, Any]
    check: Callable[[str], Any]
    max_tokens: int
    temperature: float | None
    sample: int = 0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of a request: the checked value, or a reason why there is none. Tokens are those the answer needed."""

    value: Any = None
    reason: str = ""
    detail: str = ""
    cached: bool = False
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How the client behaves.

    ``timeout``: seconds one attempt may take in all, whatever trickles in. ``give_up``: seconds without any
    answer after which the run stops resumably. ``max_wait``: longest ``Retry-After`` obeyed. ``tries``:
    attempts at one request while others are answered.
    """

    concurrency: int = 16
    timeout: float = 120.0
    give_up: float = 300.0
    max_wait: float = 120.0
    tries: int = 8
    max_usd: float | None = None
    usd_per_million: tuple[float, float] = (0.0, 0.0)


@dataclass
class Ledger:
    """What this process asked for: requests sent, answers from the cache, tokens and dollars of both."""

    sent: int = 0
    cached: int = 0
    reasked: int = 0
    spent_usd: float = 0.0
    needed_usd: float = 0.0
    rejected: dict[str, int] = field(default_factory=dict)
