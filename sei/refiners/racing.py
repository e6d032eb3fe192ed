"""Racing: finds the best candidates without asking every question for every candidate.

A candidate's score is a weighted sum of right answers. Its unasked questions give an upper bound. A candidate leaves
the race as soon as enough others of its error type are certain to stay above that bound. The kept set is exactly the
same as with all questions asked. The scores of candidates that left the race are upper bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Ask = Callable[[list[tuple[int, int]]], list[bool | None]]
"""Takes (candidate, question) pairs and returns whether each answer is right, or None if that is unknown."""


@dataclass
class _Runner:
    """The state of one candidate.

    ``gained``: points so far. ``open``: points still possible. ``left``: questions not asked yet. ``void``: the weight
    of questions that do not count.
    """

    gained: float
    open: float
    left: list[int]
    void: float = 0.0


@dataclass
class Race:
    """The candidates of one error type. The best ``keep`` are wanted.

    ``weights``: the weights of the questions, the same for all candidates. ``runners``: the states of the candidates,
    in their order.
    """

    candidates: Sequence[int]
    weights: Sequence[float]
    keep: int
    runners: list[_Runner] = field(init=False)
    right: list[int] = field(init=False)
    asked: list[int] = field(init=False)
    whole: float = field(init=False)

    def __post_init__(self) -> None:
        """Set every candidate to its initial state."""
        n = len(self.weights)
        self.whole = sum(self.weights)
        self.runners = [_Runner(0.0, self.whole, list(range(n))) for _ in self.candidates]
        self.right, self.asked = [0] * n, [0] * n

    def contenders(self) -> list[int]:
        """Return the positions of unfinished candidates that may still be kept, highest bound first."""
        floor = sorted((-self._sure(r), i) for i, r in enumerate(self.runners))[: self.keep]
        bar = floor[-1] if len(floor) == self.keep else (1.0, 0)  # (minus the k-th best certain score, its position)
        alive = [i for i, r in enumerate(self.runners) if r.left and (-self._bound(r), i) <= bar]
        return sorted(alive, key=lambda i: (-self._bound(self.runners[i]), i))

    def next_questions(self, position: int, most: int) -> list[int]:
        """Return the most informative unasked questions: those with a high weight and a likely wrong answer."""

        def loss(q: int) -> float:
            return self.weights[q] * (1 - (self.right[q] + 1) / (self.asked[q] + 2))

        return sorted(self.runners[position].left, key=lambda q: (-loss(q), q))[:most]

    def record(self, position: int, question: int, right: bool | None) -> None:
        """Record an answer. A question with an unknown verdict (``None``) no longer counts in the score."""
        runner = self.runners[position]
        runner.left.remove(question)
        runner.open -= self.weights[question]
        if right is None:
            runner.void += self.weights[question]
            return
        runner.gained += self.weights[question] * right
        self.right[question] += right
        self.asked[question] += 1

    def scores(self) -> list[float]:
        """Return every candidate's score, or its upper bound if it left the race."""
        return [self._bound(r) for r in self.runners]

    def _sure(self, runner: _Runner) -> float:
        """Return a candidate's lowest final score: all open questions wrong and none void."""
        return self._share(runner, runner.gained)

    def _bound(self, runner: _Runner) -> float:
        """Return the highest score that a candidate can still reach."""
        return self._share(runner, runner.gained + (runner.open if runner.left else 0.0))

    def _share(self, runner: _Runner, gained: float) -> float:
        """Scale points up as if no question were void. Rounding makes sums in any order equal."""
        counted = self.whole - runner.void
        return round(gained * self.whole / counted, 9) if counted > 1e-9 else 0.0


def run(races: Sequence[Race], ask: Ask, *, step: int, rows: int) -> int:
    """Ask in batches of about ``rows`` pairs, ``step`` questions per candidate, and return the number asked."""
    total = 0
    while True:
        batch: list[tuple[Race, int, int]] = []
        for race in races:
            room = max(race.keep, rows // (step * max(1, len(races))))  # per type, so that no type waits for another
            for position in race.contenders()[:room]:
                batch += [(race, position, q) for q in race.next_questions(position, step)]
        if not batch:
            return total
        answers = ask([(race.candidates[position], q) for race, position, q in batch])
        for (race, position, q), right in zip(batch, answers, strict=True):
            race.record(position, q, right)
        total += len(batch)
