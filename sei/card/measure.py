"""The measurements of a teacher card: its requests, and the numbers made from the replies."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sei.card.grouping import PHRASES, as_clusterer, of_keyphrases, reference
from sei.card.meter import Meter
from sei.card.numbers import Number, not_asked, share
from sei.card.phrases import labelled
from sei.card.rows import Row, Rows
from sei.card.settings import Card
from sei.exchange import Draft, Exemplar, SynthesisRequest
from sei.ports import Grader, Instructor, Locating, Solving
from sei.records import Problem, Rejection
from sei.stages.cluster import Cluster

FIRST, WRITTEN, CONTRACT = "first wrong step", "problems", "replies"
_SHOWN = 5  # exemplars of a request for problems
_DROPPED = ("off_contract", "answer_mismatch", "undecided_latex")  # reasons that reject a single problem


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a card asks, fixed beforehand and the same for every instructor.

    ``rows``: the source. ``sample``: the rows of it that are shown. ``requests``: the requests for problems.
    """

    rows: Rows
    sample: tuple[Row, ...]
    requests: tuple[SynthesisRequest, ...]


@dataclass
class Measured:
    """A card's numbers and the rows behind them, as dicts for the file."""

    numbers: list[Number] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    keyphrases: list[dict[str, Any]] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)


def plan(card: Card, rows: Rows, exemplars: Sequence[Exemplar]) -> Plan:
    """Draw cases and exemplars."""
    rng = random.Random(f"teacher card/{card.seed}")
    chosen = sorted(rng.sample(range(len(rows.rows)), min(card.cases, len(rows.rows))))
    phrases = rng.sample(labelled(), 20)
    requests = []
    for i, left in enumerate(range(card.problems, 0, -card.per_request)):
        shown = rng.sample(list(exemplars), min(_SHOWN, len(exemplars)))
        phrase, n = phrases[i % len(phrases)].phrase, min(card.per_request, left)
        requests.append(SynthesisRequest(error_type=phrase, exemplars=tuple(shown), n=n, index=i, seed=card.seed))
    return Plan(rows=rows, sample=tuple(rows.rows[i] for i in chosen), requests=tuple(requests))


def measure(plan: Plan, instructor: Instructor, cluster: Cluster, grader: Grader, meter: Meter, seed: int) -> Measured:
    """Send all requests and return the numbers."""
    out = Measured()
    _first_steps(plan, instructor, meter, out)
    _keyphrases(plan, instructor, cluster, meter, out, seed)
    out.numbers += as_clusterer(instructor, meter)
    out.numbers += reference(cluster, seed)
    _problems(plan, instructor, grader, meter, out)
    if meter.remote:
        reasons = ", ".join(f"{r}: {n}" for r, n in meter.refused.most_common())
        refused = sum(n for r, n in meter.refused.items() if r not in ("bad_request", "unavailable"))
        out.numbers.append(share(CONTRACT, "off contract", refused, meter.replies, reasons, none="no reply came"))
    else:
        out.numbers.append(not_asked(CONTRACT, "off contract", "share", "rules cannot break the contract"))
    return out


def refusal_counts(rejections: Iterable[Rejection | None]) -> str:
    """Return each reason of rejection with its count, or an empty text without rejections."""
    reasons = Counter(r.reason for r in rejections if r is not None)
    return ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())


def _reason(rejection: Rejection | None) -> str:
    return rejection.reason if rejection is not None else ""


def _first_steps(plan: Plan, instructor: Instructor, meter: Meter, out: Measured) -> None:
    who = "a person" if plan.rows.human else "construction"
    title = f"agreement with the step marked by {who}"
    if not isinstance(instructor, Locating):
        out.numbers.append(not_asked(FIRST, title, "share", "it has no method first_wrong_steps"))
        return
    replies = instructor.first_wrong_steps([r.case for r in plan.sample])
    found = meter.ask(FIRST, replies, len(plan.sample), lambda x: (x.usage, _reason(x.rejection)))
    for row, x in zip(plan.sample, found, strict=True):
        said = {"id": row.id, "steps": len(row.case.steps), "marked": row.step, "said": x.step}
        out.steps.append(said | ({"refused": x.rejection.reason} if x.rejection else {}))
    hits = [x.step == row.step for row, x in zip(plan.sample, found, strict=True)]
    named = sum(x.step is not None for x in found)
    refused = refusal_counts(x.rejection for x in found)
    if not named and not meter.remote:
        out.numbers.append(not_asked(FIRST, title, "share", f"it can read none of these {len(hits)} rows: {refused}"))
        return
    guess = sum(1 / len(r.case.steps) for r in plan.sample) / len(plan.sample)
    why = f"guessing: {100 * guess:.1f} %" + (f"; without a step: {refused}" if refused else "")
    out.numbers += [
        share(FIRST, title, sum(hits), len(hits), why),
        share(FIRST, "the same, where it names a step", sum(hits), named, none="it names none"),
        *meter.numbers(FIRST, "a first wrong step", FIRST),
    ]


def _keyphrases(plan: Plan, instructor: Instructor, cluster: Cluster, meter: Meter, out: Measured, seed: int) -> None:
    cases = [r.case.bad_case for r in plan.sample]
    found = meter.ask("keyphrase", instructor.diagnose(cases), len(cases), lambda d: (d.usage, _reason(d.rejection)))
    named = [(row, d.keyphrase) for row, d in zip(plan.sample, found, strict=True) if d.keyphrase is not None]
    out.keyphrases = [
        {"id": row.id, "type": row.type, "keyphrase": d.keyphrase.phrase if d.keyphrase else None}
        | ({"refused": d.rejection.reason} if d.rejection else {})
        for row, d in zip(plan.sample, found, strict=True)
    ]
    title, refused = "wrong attempts that get a keyphrase", refusal_counts(d.rejection for d in found)
    if not named and not meter.remote:
        out.numbers.append(
            not_asked(PHRASES, title, "share", f"it can read none of these {len(found)} rows: {refused}")
        )
        return
    out.numbers.append(share(PHRASES, title, len(named), len(found), refused))
    out.numbers += meter.numbers(PHRASES, "a keyphrase", "keyphrase")
    typed = [(row.type, k) for row, k in named if row.type]
    out.numbers += of_keyphrases([t for t, _ in typed], [k for _, k in typed], cluster, seed)


def _problems(plan: Plan, instructor: Instructor, grader: Grader, meter: Meter, out: Measured) -> None:
    holds, kept = "answers that hold when it solves them again", "problems written that pass the contract's checks"
    if not plan.requests:
        out.numbers.append(not_asked(WRITTEN, kept, "share", "card.problems=0, or no row has a solution to show"))
        return
    replies = meter.ask(
        WRITTEN,
        instructor.write(plan.requests),
        len(plan.requests),
        lambda r: (r.usage, r.rejections[0].reason if r.whole else ""),
        lambda r: len(r.drafts),
    )
    drafts = [d for r in replies for d in r.drafts]
    single = [r for reply in replies for r in reply.rejections if r.reason in _DROPPED and not reply.whole]
    wanted = sum(r.n for r in plan.requests)
    passed = share(WRITTEN, kept, len(drafts), len(drafts) + len(single), f"{wanted} wanted", none="none was written")
    if not meter.remote:
        passed = not_asked(WRITTEN, kept, "share", f"rules; {len(drafts)} of {wanted} problems were written")
    out.numbers += [passed, *meter.numbers(WRITTEN, "a problem written", WRITTEN, waves=True)]
    if not isinstance(instructor, Solving):
        out.numbers.append(not_asked(WRITTEN, holds, "share", "it cannot solve a question without its solution"))
        return
    _solved_again(drafts, instructor, grader, meter, out, holds)


def _solved_again(
    drafts: Sequence[Draft], instructor: Solving, grader: Grader, meter: Meter, out: Measured, title: str
) -> None:
    replies = instructor.solve([d.question for d in drafts])
    worked = meter.ask("solution", replies, len(drafts), lambda w: (w.usage, _reason(w.rejection)))
    held = 0
    for draft, w in zip(drafts, worked, strict=True):
        posed = Problem(id="written", question=draft.question, answer=draft.answer)
        same = w.rejection is None and grader.grade(posed, f"#### {w.answer}").verdict == "right"
        held += same
        row = {"question": draft.question, "answer": draft.answer, "again": w.answer or None, "holds": same}
        out.problems.append(row | ({"refused": w.rejection.reason} if w.rejection else {}))
    refused = sum(w.rejection is not None for w in worked)
    why = f"{refused} refused replies count as no" if refused else ""
    out.numbers += [
        share(WRITTEN, title, held, len(drafts), why, none="no problem was written"),
        *meter.numbers(WRITTEN, "a problem solved", "solution"),
    ]
