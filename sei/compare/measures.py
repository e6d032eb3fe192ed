"""Measures of runs: outcomes, their mean and interval for a method, and the budget of a run.

An outcome is a test set, or the mean over all test sets of one role. All values are shares (0 to 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from sei.compare.methods import Block, Method
from sei.compare.runs import Run, SetScore
from sei.compare.significance import bootstrap
from sei.statistics import Z95, Z95_ROUNDED, Interval, alike, clustered, clustered_error, limited, t_interval, wilson

ROLES = {"in_domain": "in domain", "out_of_domain": "out of domain"}  # dev is not a test: it chose the checkpoint
WITHIN = 0.02  # budgets within this share of each other count as equal
Stage = Callable[[Run], int]
STAGES: Mapping[str, Stage] = {"best": lambda run: run.best, "last": lambda run: run.last}


def at_round(number: int) -> Stage:
    """Return the stage after a round; 0 is the base."""
    return lambda _: number


@dataclass(frozen=True)
class Outcome:
    """The mean of the accuracies on ``sets``. ``headline`` outcomes are compared, one for each role."""

    title: str
    role: str
    sets: tuple[str, ...]
    headline: bool


@dataclass(frozen=True)
class Estimate:
    """A method's accuracy: mean over seeds with a 95 % interval of type ``kind``.

    ``by_question``: the interval for new questions of the same kind and the same seeds (clustered by question), if item
    files exist. ``unreadable``: in some run and set, more than half of the answers have no readable result.
    """

    interval: Interval
    kind: str
    seeds: tuple[int, ...]
    n: int
    by_question: Interval | None
    unreadable: bool = False


def outcomes(runs: Sequence[Run]) -> list[Outcome]:
    """Return the outcomes of runs: for each role the mean over its sets (if there are several), then each set."""
    out: list[Outcome] = []
    for role, words in ROLES.items():
        names = list(dict.fromkeys(k for r in runs for k, s in r.summary.baseline.items() if s.role == role))
        if len(names) > 1:
            out.append(Outcome(f"{words}, mean of {len(names)} sets", role, tuple(names), headline=True))
        out += [Outcome(f"{k} ({words})", role, (k,), headline=len(names) == 1) for k in names]
    return out


def of_block(block: Block) -> list[Run]:
    """Return all runs of a block."""
    return [r for m in block.methods for r in m.runs.values()]


def trained(block: Block) -> list[Method]:
    """Return the methods of a block that train; runs with ``rounds=0`` only have a base."""
    return [m for m in block.methods if m.trains]


def values(method: Method, outcome: Outcome, stage: Stage) -> dict[int, float]:
    """Return the outcome by seed; seeds without a measurement of some set are left out."""
    out = {}
    for seed in method.seeds:
        run = method.runs[seed]
        found = [run.accuracy(stage(run), name) for name in outcome.sets]
        known = [v for v in found if v is not None]
        if len(known) == len(outcome.sets):
            out[seed] = sum(known) / len(known)
    return out


def estimate(method: Method, outcome: Outcome, stage: Stage, *, items: bool = True) -> Estimate | None:
    """Return mean and interval of an outcome: t over seeds, or over items for one seed; None if never measured.

    Seeds that are equal up to rounding (above all those with the same base model) count as one measurement. Without
    ``items`` no item file is read, and ``by_question`` stays empty.
    """
    found = values(method, outcome, stage)
    if not found:
        return None
    runs = [method.runs[s] for s in found]
    counts = [runs[0].stages[stage(runs[0])][name] for name in outcome.sets]
    if not alike(list(found.values())):
        interval, kind = limited(t_interval(list(found.values())), 0, 1), "t over seeds"
    elif any(c.samples > 1 for c in counts):
        interval, kind = _over_questions(counts), "clustered by question"
    elif len(counts) == 1:
        interval, kind = wilson(round(counts[0].accuracy * counts[0].n), counts[0].n, Z95), "Wilson over items"
    elif any(c.accuracy in (0.0, 1.0) for c in counts):  # a bootstrap of equal items has no spread
        each = [wilson(round(c.accuracy * c.n), c.n, Z95) for c in counts]
        interval, kind = _over_sets([x.mean for x in each], [x.ends for x in each]), "Wilson over items, by set"
    else:
        right = [round(c.accuracy * c.n) for c in counts]
        drawn = [[1.0] * k + [0.0] * (c.n - k) for k, c in zip(right, counts, strict=True)]
        interval, kind = bootstrap(drawn), "bootstrap over items"
    questions = clustered_mean([(r.items(stage(r)), None) for r in runs], outcome.sets) if items else None
    questions = questions and limited(questions, 0, 1)
    scores = [r.stages[stage(r)][name] for r in runs for name in outcome.sets]
    unread = any(2 * s.unreadable > s.n for s in scores)
    return Estimate(interval, kind, tuple(found), sum(c.n for c in counts), questions, unread)


def _over_questions(counts: Sequence[SetScore]) -> Interval:
    """Return the mean over sets with several answers a question, from each set's own interval."""
    return _over_sets([c.accuracy for c in counts], [c.ci95 or (0.0, 1.0) for c in counts])


def _over_sets(means: Sequence[float], ends: Sequence[tuple[float, float]]) -> Interval:
    """Return the mean over independent sets; the distances to each end are added as squares, the lower apart."""
    mean = sum(means) / len(means)
    low, high = (
        math.sqrt(sum((end[side] - m) ** 2 for m, end in zip(means, ends, strict=True))) / len(means) for side in (0, 1)
    )
    return Interval(mean, max(0.0, mean - low), min(1.0, mean + high))


Answers = Mapping[str, Mapping[tuple[str, str], bool]]


def clustered_mean(pairs: Sequence[tuple[Answers, Answers | None]], sets: Sequence[str]) -> Interval | None:
    """Return the mean over sets of the share of right answers, clustered by question over all seeds.

    ``pairs``: for each seed the answers of a run and, for a difference, those of the run to compare with; only shared
    questions are used. None if a run has no answers to a set.
    """
    means: list[float] = []
    errors: list[float] = []
    for name in sets:
        x: list[float] = []
        questions: list[Hashable] = []
        for mine, other in pairs:
            a, b = mine.get(name, {}), None if other is None else other.get(name, {})
            shared = list(a) if b is None else [q for q in a if q in b]
            if not shared:
                return None
            x += [float(a[q]) - (0.0 if b is None else float(b[q])) for q in shared]
            questions += shared
        means.append(clustered(x, questions).mean)
        errors.append(clustered_error(x, questions))
    mean, half = sum(means) / len(means), Z95_ROUNDED * math.sqrt(sum(e * e for e in errors)) / len(errors)
    return Interval(mean, mean - half, mean + half)


@dataclass(frozen=True)
class Budget:
    """The budget of a whole run: candidates after screening, and supervised tokens and steps of all its fine-tunes."""

    candidates: int | None
    tokens: int | None
    steps: int | None


def budget(run: Run) -> Budget:
    """Return what a run spent; None for values that its summary lacks for some round."""
    made = [r.synthesized for r in run.summary.rounds]
    trained = [r.trained_tokens for r in run.summary.rounds]
    return Budget(_total(made), _total(trained), _total([r.trained_steps for r in run.summary.rounds]))


def spent(method: Method) -> tuple[float | None, float | None]:
    """Return a method's candidates and supervised tokens, as means over seeds."""
    all_of = [budget(r) for r in method.runs.values()]
    return _mean([b.candidates for b in all_of]), _mean([b.tokens for b in all_of])


def unequal(mine: float | None, other: float | None) -> bool:
    """Say whether two budgets differ by more than 2 %; unknown budgets do not count as equal."""
    if mine is None or other is None:
        return True
    return max(mine, other) > (1 + WITHIN) * min(mine, other)


def _total(found: Sequence[int | None]) -> int | None:
    known = [v for v in found if v is not None]
    return sum(known) if len(known) == len(found) else None


def _mean(found: Sequence[int | None]) -> float | None:
    known = [v for v in found if v is not None]
    return sum(known) / len(known) if known and len(known) == len(found) else None
