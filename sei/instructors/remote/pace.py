"""Limits per minute: computes how long a request must wait so that no minute has too many requests or tokens."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

_MINUTE = 60.0


@dataclass
class Sent:
    """The time of a request and the tokens that it may use, corrected once they are known."""

    at: float
    tokens: int


class Pace:
    """Schedules requests in order, each as soon as the minute before it has room. It is not thread-safe."""

    def __init__(self, requests_per_minute: int | None, tokens_per_minute: int | None) -> None:
        self.requests, self.tokens = requests_per_minute, tokens_per_minute
        self._sent: deque[Sent] = deque()
        self.longest = 0.0

    def reserve(self, tokens: int) -> tuple[Sent, float]:
        """Return a slot for a request with this many tokens, and the seconds to wait for it."""
        now = time.monotonic()
        if self.requests is None and self.tokens is None:
            return Sent(now, tokens), 0.0
        while self._sent and self._sent[0].at <= now - _MINUTE:
            self._sent.popleft()
        if self.tokens is not None:
            tokens = min(tokens, self.tokens)  # a request larger than the limit goes alone
        at = max(now, self._sent[-1].at if self._sent else now)
        for earlier in tuple(self._sent):
            if self._fits(at, tokens):
                break
            at = max(at, earlier.at + _MINUTE)
        sent = Sent(at, tokens)
        self._sent.append(sent)
        self.longest = max(self.longest, at - now)
        return sent, at - now

    def _fits(self, at: float, tokens: int) -> bool:
        held = [s for s in self._sent if s.at > at - _MINUTE]
        enough = self.requests is None or len(held) < self.requests
        return enough and (self.tokens is None or sum(s.tokens for s in held) + tokens <= self.tokens)
