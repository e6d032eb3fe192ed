"""Counts an instructor's replies, rejections, tokens, seconds and dollars for a card, by kind of request."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sei.card.numbers import Number, mean, not_asked, unknown
from sei.outlook import Priced, costs
from sei.ports import Paid
from sei.progress import progress
from sei.records import Usage

Found = TypeVar("Found")
_NO_REPLY = ("bad_request", "unavailable")  # the model gave no reply that could break the contract
_RULES = "rules send nothing"


@dataclass
class _Kind:
    """What one kind of item cost."""

    items: list[int] = field(default_factory=list)  # one count per reply
    usages: list[Usage] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)  # seconds from one reply to the next
    kept: int = 0  # replies stored earlier


class Meter:
    """Measures an instructor's replies. ``replies`` and ``refused`` count over all kinds of request."""

    def __init__(self, instructor: object) -> None:
        self.instructor = instructor
        self.remote = costs(instructor)
        self.priced = isinstance(instructor, Priced) and instructor.priced
        self.kinds: dict[str, _Kind] = defaultdict(_Kind)
        self.replies = 0
        self.refused: Counter[str] = Counter()

    def ask(
        self,
        what: str,
        replies: Iterator[Found],
        n: int,
        read: Callable[[Found], tuple[Usage, str | None]],
        items: Callable[[Found], int] = lambda _: 1,
    ) -> list[Found]:
        """Take all ``n`` replies, with a progress bar.

        ``read`` returns a reply's usage and the reason why it was rejected. An empty reason means that it was used;
        ``None`` means that the caller counts it. ``items`` returns the number of items in a reply.
        """
        kind, before, out = self.kinds[what], self._kept(), []
        last = time.perf_counter()
        with progress(f"teacher card: {what}", n) as advance:
            for reply in replies:
                now = time.perf_counter()
                kind.gaps.append(now - last)
                last = now
                usage, reason = read(reply)
                kind.usages.append(usage)
                kind.items.append(items(reply))
                if reason is not None:
                    self.count(reason)
                out.append(reply)
                advance(1)
        kind.kept += self._kept() - before
        return out

    def count(self, reason: str) -> None:
        """Count a reply that was rejected for a reason, or used (empty reason)."""
        if reason not in _NO_REPLY:
            self.replies += 1
        if reason:
            self.refused[reason] += 1

    def numbers(self, group: str, item: str, what: str, *, waves: bool = False) -> list[Number]:
        """Return tokens, seconds and dollars per item. ``waves``: replies arrive all at once, so gaps tell nothing."""
        kind = self.kinds[what]
        n = sum(kind.items)
        return [
            self._tokens(group, f"tokens {item}", kind, n),
            self._seconds(group, f"seconds {item}", kind, n, waves=waves),
            self._usd(group, f"USD {item}", kind, n),
        ]

    def _tokens(self, group: str, title: str, kind: _Kind, n: int) -> Number:
        if not self.remote:
            return not_asked(group, title, "tokens", _RULES)
        spent = [u.input_tokens + u.output_tokens for u in kind.usages]
        if not n or not sum(spent):
            return unknown(group, title, "tokens", "no tokens were counted", n)
        sent, written = sum(u.input_tokens for u in kind.usages) / n, sum(u.output_tokens for u in kind.usages) / n
        return _by_item(group, title, "tokens", spent, n, f"{sent:,.0f} in, {written:,.0f} out")

    def _usd(self, group: str, title: str, kind: _Kind, n: int) -> Number:
        if not self.remote:
            return not_asked(group, title, "USD", _RULES)
        if not n or not self.priced:
            return unknown(group, title, "USD", "no price is known" if n else "nothing came back", n)
        return _by_item(group, title, "USD", [u.usd for u in kind.usages], n, "")

    def _seconds(self, group: str, title: str, kind: _Kind, n: int, *, waves: bool) -> Number:
        if not n or kind.kept:
            asked = sum(u.requests for u in kind.usages)
            why = f"{kind.kept} of {asked} answers were kept from earlier" if kind.kept else "nothing came back"
            return unknown(group, title, "seconds", why, n)
        if waves:
            return mean(group, title, "seconds", [sum(kind.gaps) / n], n)
        return mean(group, title, "seconds", kind.gaps, n)

    def _kept(self) -> int:
        return int(self.instructor.spent().get("cached", 0)) if isinstance(self.instructor, Paid) else 0


def _by_item(group: str, title: str, unit: str, spent: Sequence[float], n: int, why: str) -> Number:
    """Return the total spent over the number of items, with an interval from the spread of the replies."""
    scale = len(spent) / n  # replies per item
    return mean(group, title, unit, [x * scale for x in spent], n, why)  # type: ignore[arg-type]  # one of the units
