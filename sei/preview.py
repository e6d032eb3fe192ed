"""``estimate=true`` and ``dry_run=true``: print a preview and send nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sei.estimate import (
    Assumptions,
    Line,
    NothingToEstimateError,
    as_dict,
    dollars,
    first_requests,
    generations,
    lines,
    of_round,
)
from sei.exchange import DataSet
from sei.instructors.remote.terms import NO_PRICE
from sei.loop import Method
from sei.opened import OpenModel
from sei.outlook import Shown
from sei.printable import printable
from sei.prompts import asked
from sei.records import Checkpoint, Graded, PoolProblem
from sei.report.folder import write_json
from sei.stages.attempt import Attempts
from sei.stages.sampled import draws
from sei.store import Store

log = logging.getLogger(__name__)


def preview(
    method: Method,
    data: DataSet,
    base: Checkpoint,
    store: Store,
    assume: Assumptions,
    *,
    rounds: int,
    seed: int,
    dry_run: bool,
    folder: Path,
) -> dict[str, Any]:
    """Print the requests that a run would need, or the first of each kind (``dry_run``); returns the estimate.

    Attempts of the base that are already in the store make both more exact.

    Raises:
        NothingToEstimateError: if no part costs anything; only for an estimate.
    """
    graded: tuple[Graded, ...] = ()
    if data.warm_up:
        warmed = store.found(method.warm_up, base, data.warm_up, seed=0)
        base = warmed.checkpoint.merged() if warmed else base
    wanted = draws(method.attempt, data.pool, seed)
    attempts = store.kept(method.attempt, base, items=wanted)
    if attempts:
        log.info("%d of %d attempts at the pool are in the store and are used", len(attempts), len(wanted))
        graded = method.grade(attempts)
    if dry_run and isinstance(method.attempt, Attempts):
        method.attempt.target.preflight()
        show_prompt(method.attempt.target.without_weights(), data.pool[0])
    try:
        told = of_round(method, data, assume, graded)
    except NothingToEstimateError:
        if not dry_run:
            raise
        show_requests({})
        return {}
    if dry_run:
        show_requests(first_requests(told), told.not_estimated)
        return {}
    priced = lines(told, rounds, assume)
    samples = getattr(method.attempt, "samples", 1)
    show(priced, generations(told, data, rounds, samples, method.evaluate), told.not_estimated)
    found = as_dict(priced, told.not_estimated)
    write_json(folder / "estimate.json", found)
    return found


def show(priced: Sequence[Line], generated: Mapping[str, int], not_estimated: Sequence[str] = ()) -> None:
    """Print an estimate with the answers that the target model must generate, and what is not estimated."""
    table = Table(title="estimate: what the instructor would be asked")
    for head in ("round", "request", "requests", "input tokens", "output tokens", "USD"):
        table.add_column(head, justify="left" if head == "request" else "right")
    for x in priced:
        numbers = _numbers(x.requests, x.input_tokens, x.output_tokens)
        table.add_row(str(x.round), x.kind, *numbers, _dollars(x.usd))
    totals = [sum(getattr(x, n) for x in priced) for n in ("requests", "input_tokens", "output_tokens")]
    table.add_section()
    table.add_row(
        "all that is estimated" if not_estimated else "all", "", *_numbers(*totals), _dollars(dollars(priced))
    )
    console = Console(width=None if Console().is_terminal else 140)
    console.print(table)
    parts = ", ".join(f"{v:,} {k}" for k, v in generated.items() if v)
    if dollars(priced) is None:
        console.print(f"?: {NO_PRICE}", highlight=False)
    console.print(f"the target model generates at most {sum(generated.values()):,} answers: {parts}", highlight=False)
    for words in not_estimated:
        console.print(Text(f"not estimated: {words}"), soft_wrap=True)


def _dollars(usd: float | None) -> str:
    return "?" if usd is None else f"{usd:,.2f}"


def _numbers(*values: int) -> list[str]:
    return [f"{v:,}" for v in values]


def show_prompt(opened: OpenModel, problem: PoolProblem) -> None:
    """Print the prompt of the first problem: its tokens and the text that they decode to."""
    (text,) = opened.prompts([asked(problem.question, problem.options)])
    ids = opened.tokenizer([text], add_special_tokens=opened.template == "plain")["input_ids"][0]
    console = Console(width=None if Console().is_terminal else 140)
    console.rule(Text("first prompt of the target model"))
    console.print(Text(printable(str(opened.tokenizer.decode(ids)), keep="\n")), soft_wrap=True)
    unknown = sum(i == opened.tokenizer.unk_token_id for i in ids)
    strange = f"; {unknown} of them are words that the tokenizer does not know" if unknown else ""
    console.print(Text(f"[{len(ids)} tokens{strange}]"), soft_wrap=True)


def show_requests(requests: Mapping[str, Shown], not_estimated: Sequence[str] = ()) -> None:
    """Print the first request of every kind in full."""
    console = Console(width=None if Console().is_terminal else 140)
    for kind, request in requests.items():
        console.rule(Text(f"first request: {kind}"))
        for role, text in request.messages:
            console.print(Text(f"[{role}]\n{text}"), soft_wrap=True)
    if not requests:
        console.print("no request would be sent", highlight=False)
    for words in not_estimated:
        console.print(Text(f"not shown: {words}"), soft_wrap=True)
