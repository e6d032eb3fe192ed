"""The requests that a teacher card would send to a remote instructor, listed before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sei.card.measure import Plan
from sei.card.phrases import labelled
from sei.clusterers.llm import LLMClusterer, group_request, merge_request
from sei.estimate import Line, RoundEstimate, dollars
from sei.instructors.remote.instructor import OpenAICompatible
from sei.instructors.remote.terms import NO_PRICE
from sei.outlook import Asks, costs
from sei.ports import Clusterer, Instructor
from sei.printable import printable

_TYPES = 20  # about how many type names a later batch is shown


def asks(plan: Plan, instructor: Instructor, clusterer: Clusterer) -> RoundEstimate:
    """Return the requests of a card by kind. A rule-based instructor has none."""
    if not isinstance(instructor, OpenAICompatible):
        name = type(instructor).__name__
        silent = (f"{name}: it does not show what it would send (sei.outlook.Remote)",) if costs(instructor) else ()
        return RoundEstimate(asks=(), generates={}, not_estimated=silent)
    n, wanted = len(plan.sample), sum(r.n for r in plan.requests)
    steps = [instructor.first_step_request(r.case) for r in plan.sample]
    phrases = [instructor.keyphrase_request(r.case.bad_case) for r in plan.sample]
    found = [
        Asks(kind="first step", requests=n, samples=steps, instructor=instructor, output_tokens=60.0),
        Asks(kind="keyphrase", requests=n, samples=phrases, instructor=instructor),
        *_grouping(LLMClusterer(instructor=instructor), [x.phrase for x in labelled()], ""),
    ]
    silent = ()
    if isinstance(clusterer, LLMClusterer):
        found += _grouping(clusterer, ["x" * 40] * n, "its keyphrases: ")
    elif costs(clusterer):
        silent = (f"{type(clusterer).__name__}: it asks an instructor to group the keyphrases",)
    if wanted:
        writing = [instructor.synthesis_request(r) for r in plan.requests]
        solving = [instructor.solve_request(r.case.bad_case.problem.question) for r in plan.sample]
        each = wanted / len(writing)
        found += [
            Asks(kind="problems", requests=len(writing), samples=writing, instructor=instructor, items=each),
            Asks(kind="agreement", requests=wanted, samples=solving, instructor=instructor, label="solved again"),
        ]
    return RoundEstimate(asks=tuple(found), generates={}, not_estimated=silent)


def _grouping(clusterer: LLMClusterer, phrases: Sequence[str], label: str) -> list[Asks]:
    i, size = clusterer.instructor, clusterer.batch
    names = [x.phrase for x in labelled()[:_TYPES]]
    batches = [phrases[at : at + size] for at in range(0, len(phrases), size)]
    grouping = [
        i.configured(group_request(b, names if k else (), clusterer.max_left_out, i)) for k, b in enumerate(batches)
    ]
    items = len(phrases) / len(batches)
    kinds = [
        Asks(kind="error types", requests=len(batches), samples=grouping, instructor=i, items=items,
             label=f"{label}error types"),
    ]  # fmt: skip
    if clusterer.merge:
        merging = [i.configured(merge_request(names, i))]
        kinds.append(Asks(kind="merge", requests=1, samples=merging, instructor=i, items=_TYPES, label=f"{label}merge"))
    return kinds


def show(who: str, lines: Sequence[Line], not_estimated: Sequence[str]) -> None:
    """Print the most requests, tokens and dollars that a card can need. Stored answers are not paid for again."""
    table = Table(title=Text(printable(f"estimate: what a teacher card asks of {who}")))
    for head in ("request", "requests", "input tokens", "output tokens", "USD"):
        table.add_column(head, justify="left" if head == "request" else "right")
    for x in lines:
        table.add_row(x.kind, *(f"{v:,}" for v in (x.requests, x.input_tokens, x.output_tokens)), _usd(x.usd))
    table.add_section()
    totals = [sum(getattr(x, name) for x in lines) for name in ("requests", "input_tokens", "output_tokens")]
    table.add_row("all", *(f"{v:,}" for v in totals), _usd(dollars(lines)))
    console = Console(width=None if Console().is_terminal else 140)
    console.print(table)
    if dollars(lines) is None:
        console.print(f"?: {NO_PRICE}", highlight=False)
    for words in not_estimated:
        console.print(Text(printable(f"not estimated: {words}")), soft_wrap=True)


def _usd(usd: float | None) -> str:
    return "?" if usd is None else f"{usd:,.4f}"
