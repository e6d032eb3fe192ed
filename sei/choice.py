"""Which round of a run is the best, and when a run ends. Both are decided on dev only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from sei.records import Checkpoint, Graded, RoundRecord, Score

Ending = Literal["converged", "unreadable", "no_candidate"]
"""Why a round has nothing to learn from: every problem solved, wrong answers unreadable, or no candidates left."""

DIAGNOSED = "diagnosed"
"""Why a run with given outputs ended: its error types are found, and there is no model to train."""


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """A checkpoint with its graded held-out answers and, from round 1 on, the record of its round.

    ``seconds`` and ``devices`` tell, by stage, how long the work took up to here and on which device.
    """

    checkpoint: Checkpoint
    graded: tuple[Graded, ...]
    scores: dict[str, Score]
    record: RoundRecord | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)


def dev_accuracy(e: Evaluated) -> float:
    """Return the accuracy over all dev sets, 0 if there are none."""
    rows = [s for s in e.scores.values() if s.role == "dev"]
    return sum(s.correct for s in rows) / max(1, sum(s.n for s in rows))


def best_on_dev(seen: Sequence[Evaluated]) -> Evaluated:
    """Return the checkpoint with the best accuracy over the dev sets; the earliest of several."""
    return max(seen, key=dev_accuracy)


def on_plateau(seen: Sequence[Evaluated], patience: int) -> bool:
    """Say whether the last ``patience`` rounds brought no better dev accuracy than the rounds before them."""
    best = max(range(len(seen)), key=lambda i: (dev_accuracy(seen[i]), -i))
    return 0 < patience <= len(seen) - 1 - best


def stop_reason(seen: Sequence[Evaluated], rounds: int, patience: int, ending: Ending | None) -> str:
    """Return why a finished run ended: ``rounds``, ``plateau``, or the ``ending`` of its last round."""
    if len(seen) > rounds:
        return "rounds"
    return "plateau" if ending is None and on_plateau(seen, patience) else str(ending)
