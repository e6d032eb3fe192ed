"""Grade: attempts to verdicts. It is a separate stage, so a new grader needs no new outputs."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from sei import returned
from sei.errors import DataError, TooManyBadRecordsError
from sei.exchange import DataSet, Outcome
from sei.parts import part
from sei.ports import Grader
from sei.records import Attempt, BadCase, Graded, HeldOutProblem, PoolProblem, Problem, Score, Solved
from sei.signature import masked_signature
from sei.stages.sampled import by_problem, is_bad, majority, pass_at, rights
from sei.statistics import clustered, wilson
from sei.store import digest

log = logging.getLogger(__name__)


@part
class Grade:
    """Applies the grader to every attempt. A fault of the grader is recorded as a fault, never as a wrong answer."""

    identity: ClassVar[str] = "stage/grade"
    version: ClassVar[int] = 2
    grader: Grader

    def __call__(self, attempts: tuple[Attempt, ...]) -> tuple[Graded, ...]:
        """Return one graded attempt per attempt, in order."""
        outcomes = returned.graded_all(
            self.grader, [(a.problem, a.output, a.finished) for a in attempts if not a.fault]
        )
        return tuple(_without_output(a) if a.fault else _with(a, next(outcomes)) for a in attempts)


def _without_output(a: Attempt) -> Graded:
    return Graded(attempt=a, verdict="unreadable", strict_verdict="unreadable", fault=f"no output: {a.fault}")


def _with(a: Attempt, outcome: Outcome) -> Graded:
    return Graded(
        attempt=a,
        verdict=outcome.verdict,
        strict_verdict=outcome.strict_verdict,
        extracted=outcome.extracted,
        fault=outcome.fault,
    )


@part
class GoldCheck:
    """Finds the problems with a gold answer that the grader refuses, shown as their reference solution."""

    identity: ClassVar[str] = "stage/gold_check"
    version: ClassVar[int] = 1
    grader: Grader

    def __call__(self, problems: tuple[Problem, ...]) -> tuple[str, ...]:
        """Return the ids of these problems, in order."""
        return returned.refused_gold(self.grader, problems)


def bad_cases(graded: Sequence[Graded], wrong_in: float = 0.5) -> tuple[BadCase, ...]:
    """Return the complete, readable, wrong outputs on pool problems (section 3.1).

    With several answers per problem at least a share ``wrong_in`` must be wrong. The first wrong one is shown.

    Raises:
        RoleError: if a dev or test problem is among them.
    """
    from sei.records import require_pool

    require_pool(tuple(g.attempt.problem for g in graded), "bad-case extraction")
    out = []
    for answers in by_problem(graded).values():
        shown = next((g for g in answers if g.verdict == "wrong"), None)
        if shown is not None and is_bad(answers, wrong_in) and isinstance(p := shown.attempt.problem, PoolProblem):
            out.append(BadCase(problem=p, output=shown.attempt.output, extracted=shown.extracted))
    return tuple(out)


def solved(graded: Sequence[Graded], wrong_in: float = 0.5) -> Solved:
    """Split solved pool problems, by hash of the masked signature, into refinement's good questions and replay.

    With several answers per problem at least half must be right, and the problem must not be a bad case.
    """
    right = [
        p
        for answers in by_problem(graded).values()
        if 2 * rights(answers) >= len(answers) and not is_bad(answers, wrong_in)
        if isinstance(p := answers[0].attempt.problem, PoolProblem)
    ]
    parts: tuple[list[PoolProblem], list[PoolProblem]] = ([], [])
    for p in right:
        parts[int(digest("solved", masked_signature(p.question))[:8], 16) % 2].append(p)
    return Solved(good=tuple(parts[0]), replay=tuple(parts[1]))


def scores(graded: Sequence[Graded]) -> dict[str, Score]:
    """Score every held-out set: right / n, where n includes unreadable answers and excludes grader faults."""
    sets: dict[str, list[Graded]] = defaultdict(list)
    for g in graded:
        if isinstance(g.attempt.problem, HeldOutProblem):
            sets[g.attempt.problem.set].append(g)
    return {name: _score(rows) for name, rows in sets.items()}


def on_dev(graded: Sequence[Graded]) -> list[Graded]:
    """Return the answers to dev problems."""
    return [g for g in graded if isinstance(g.attempt.problem, HeldOutProblem) and g.attempt.problem.role == "dev"]


def _score(rows: list[Graded]) -> Score:
    first = rows[0].attempt.problem
    assert isinstance(first, HeldOutProblem), "scores() passes held-out problems only"
    counted = [g for g in rows if not g.fault]
    correct = sum(g.verdict == "right" for g in counted)
    problems = list(by_problem(rows).values())
    most = max(map(len, problems), default=1)
    groups: dict[str, list[bool]] = defaultdict(list)
    for g in counted:
        if isinstance(g.attempt.problem, HeldOutProblem) and g.attempt.problem.group:
            groups[g.attempt.problem.group].append(g.verdict == "right")
    n = len(counted)
    return Score(
        role=first.role,
        n=n,
        correct=correct,
        unreadable=sum(g.verdict == "unreadable" for g in counted),
        grader_errors=len(rows) - n,
        accuracy=correct / n if n else 0.0,
        accuracy_strict=sum(g.strict_verdict == "right" for g in counted) / n if n else 0.0,
        macro=sum(sum(v) / len(v) for v in groups.values()) / len(groups) if groups else None,
        ci95=_interval(problems, correct, n),
        cut=sum(not g.attempt.finished for g in counted),
        **(_of_several(problems, most) if most > 1 else {}),
    )


def _interval(problems: Sequence[Sequence[Graded]], correct: int, n: int) -> tuple[float, float]:
    """Return Wilson's interval of the share of right answers, clustered by problem if there are several per problem."""
    if n == len(problems):
        return wilson(correct, n).ends if n else (0.0, 1.0)
    values = [float(g.verdict == "right") for answers in problems for g in answers]
    if len(set(values)) == 1:  # no spread: treat each problem as one answer
        return wilson(int(values[0]) * len(problems), len(problems)).ends
    found = clustered(values, [i for i, answers in enumerate(problems) for _ in answers])
    return max(0.0, found.low), min(1.0, found.high)


def _of_several(problems: Sequence[Sequence[Graded]], most: int) -> dict[str, Any]:
    """Return maj@k, and pass@k for powers of two up to k and for k, over problems with enough answers."""
    counts = [(rights(answers), len(answers)) for answers in problems]
    ks = sorted({min(2**i, most) for i in range(most.bit_length() + 1)})
    share = {k: [pass_at(c, m, k) for c, m in counts if m >= k] for k in ks}
    return {
        "samples": most,
        "majority": sum(map(majority, problems)) / len(problems),
        "pass_at": tuple((k, sum(v) / len(v)) for k, v in share.items() if v),
    }


def with_sound_gold(data: DataSet, failures: Sequence[str], *, skip: bool) -> DataSet:
    """Return a data set without ``failures``, the problems with a gold answer that the grader refuses (``GoldCheck``).

    Raises:
        DataError: unless ``skip`` is set, or if no problem would be left; shows the first failures.
    """
    if not failures:
        return data
    refused = set(failures)
    pool = tuple(p for p in data.pool if p.id not in refused)
    held_out = tuple(p for p in data.held_out if p.id not in refused)
    found = [p for p in (*data.pool, *data.held_out) if p.id in refused]
    shown = "; ".join(map(_refused, found[:3]))
    if not skip or not pool or (data.held_out and not held_out):
        raise DataError(
            f"the grader refuses {len(failures)} gold answers of the data set's {len(data.pool) + len(data.held_out)}: "
            f"{shown}{' ...' if len(found) > 3 else ''}. Rule: the grader must accept a gold answer before it grades "
            "the problem. Remedy: grader.skip_bad_gold=true to leave these problems out and count them (some must "
            "remain); or correct them; or use a grader that reads their answers."
        )
    log.warning("%d problems are left out because the grader refuses their gold answers: %s", len(found), shown)
    return replace(data, pool=pool, held_out=held_out)


def _refused(p: Problem) -> str:
    ends = f", solution ends {p.solution[-60:]!r}" if p.solution else ""
    return f"{p.id}: gold answer {p.answer[:80]!r} of {p.question[:80]!r}{ends}"


class UnreadableAnswersError(TooManyBadRecordsError):
    """Too many answers of the base model state no result."""


def require_readable(graded: Sequence[Graded], most: float, where: str, *, given: bool = False) -> None:
    """Refuse a base model with too many unreadable answers: it lacks the format, which gives no error types.

    ``most``: the largest allowed share of unreadable answers. ``where``: the source of the answers, such as ``pool``.
    ``given``: they come from the file ``where``, so no setting of this run has influenced them.

    Raises:
        UnreadableAnswersError: with counts, three of the answers, and remedies, most likely first.
    """
    counted = tuple(g for g in graded if not g.fault)
    unread = [g for g in counted if g.verdict == "unreadable"]
    if not counted or len(unread) <= most * len(counted):
        return
    cut = sum(not g.attempt.finished for g in unread)
    longer = "engine.max_new_tokens=N with a larger N (a thinking model needs thousands)"
    asking = [
        "model.ask=hash or boxed, which asks for an answer format",
        "model.few_shot=PATH with worked examples",
    ]
    whose, cap, last = (
        f"answers of the base on the {where}",
        "engine.max_new_tokens",
        ["data.warm_up=N if the data set has it"],
    )
    if given:
        longer = "let the model answer with more new tokens"
        asking = [r"let it answer in a fixed format (a line '#### answer', or \boxed{answer})"]
        whose, cap, last = f"outputs of {where}", "a length cap", []
    remedies = [longer, *asking] if cut > len(unread) / 2 else [*asking, longer]
    shown = "; ".join(repr(" ".join(g.attempt.output.split())[-120:]) for g in unread[:3])
    raise UnreadableAnswersError(
        f"{len(unread)} of {len(counted)} {whose} state no result that can be read, more than max_unreadable={most:g}; "
        f"{cut} of them were cut at {cap}. Three of them end: {shown}. Rule: a missing format is not a reasoning "
        "error, so it gives no error types. Remedy, most likely first: "
        f"{'; '.join([*remedies, *last, 'or a higher max_unreadable'])}."
    )
