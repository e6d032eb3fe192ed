"""Racing: which candidates answer best, without asking every question of every candidate.

A candidate's score is a weighted sum of right answers. What is still unasked bounds it from above, and a candidate is
left alone as soon as enough others of its error type can no longer fall below that bound. The kept set is exactly
that of asking everything; only scores of candidates left alone are bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Ask = Callable[[list[tuple[int, int]]], list[bool | None]]
"""Takes (candidate, question) pairs, returns whether each was answered rightly; None where that cannot be told."""


@dataclass
class _Runner:
    """One candidate: what it has gained, what it may still gain, and the questions it was not asked yet.

    ``void``: the weight of questions that count for nothing.
    """

    gained: float
    open: float
    left: list[int]
    void: float = 0.0


@dataclass
class Race:
    """The candidates of one error type, of which the best ``keep`` are wanted.

    ``weights``: of the questions, the same for all candidates. ``runners`` are their states in order of candidates.
    """

    candidates: Sequence[int]
    weights: Sequence[float]
    keep: int
    runners: list[_Runner] = field(init=False)
    right: list[int] = field(init=False)
    asked: list[int] = field(init=False)
    whole: float = field(init=False)

    def __post_init__(self) -> None:
        """Set every candidate to its start."""
        n = len(self.weights)
        self.whole = sum(self.weights)
        self.runners = [_Runner(0.0, self.whole, list(range(n))) for _ in self.candidates]
        self.right, self.asked = [0] * n, [0] * n

    def contenders(self) -> list[int]:
        """Return the positions of candidates that may still be kept and are not done, most promising first."""
        floor = sorted((-self._sure(r), i) for i, r in enumerate(self.runners))[: self.keep]
        bar = floor[-1] if len(floor) == self.keep else (1.0, 0)  # (minus the k-th best sure score, its place)
        alive = [i for i, r in enumerate(self.runners) if r.left and (-self._bound(r), i) <= bar]
        return sorted(alive, key=lambda i: (-self._bound(self.runners[i]), i))

    def next_questions(self, position: int, most: int) -> list[int]:
        """Return the unasked questions that tell most: those whose wrong answer is likely and weighs much."""

        def loss(q: int) -> float:
            return self.weights[q] * (1 - (self.right[q] + 1) / (self.asked[q] + 2))

        return sorted(self.runners[position].left, key=lambda q: (-loss(q), q))[:most]

    def record(self, position: int, question: int, right: bool | None) -> None:
        """Take an answer in; one that cannot be told right or wrong leaves the score."""
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
        """Return every candidate's score; an upper bound where it was left alone."""
        return [self._bound(r) for r in self.runners]

    def _sure(self, runner: _Runner) -> float:
        """Return the least a candidate ends with: all that is open wrong, and none of it void."""
        return self._share(runner, runner.gained)

    def _bound(self, runner: _Runner) -> float:
        """Return the most a candidate can still reach."""
        return self._share(runner, runner.gained + (runner.open if runner.left else 0.0))

    def _share(self, runner: _Runner, gained: float) -> float:
        """Return points as if no question were void; rounded, so that sums in another order are equal."""
        counted = self.whole - runner.void
        return round(gained * self.whole / counted, 9) if counted > 1e-9 else 0.0


def run(races: Sequence[Race], ask: Ask, *, step: int, rows: int) -> int:
    """Ask in batches of about ``rows`` pairs, ``step`` of a candidate at a time; return how many were asked."""
    total = 0
    while True:
        batch: list[tuple[Race, int, int]] = []
        for race in races:
            room = max(race.keep, rows // (step * max(1, len(races))))  # of every type, so that none waits for another
            for position in race.contenders()[:room]:
                batch += [(race, position, q) for q in race.next_questions(position, step)]
        if not batch:
            return total
        answers = ask([(race.candidates[position], q) for race, position, q in batch])
        for (race, position, q), right in zip(batch, answers, strict=True):
            race.record(position, q, right)
        total += len(batch)
