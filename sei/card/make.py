"""``teacher_card=true``: make a teacher card, or show the requests that it would send."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sei.card import show
from sei.card.asks import asks
from sei.card.asks import show as show_estimate
from sei.card.embedded import Domain, built_in
from sei.card.measure import Measured, Plan, measure, plan
from sei.card.meter import Meter
from sei.card.rows import Rows, read_rows
from sei.card.settings import Card
from sei.data.deduction import Deduction
from sei.estimate import Assumptions, NothingToEstimateError, as_dict, first_requests, lines
from sei.exchange import Exemplar
from sei.grading.deduction import NameGrader
from sei.instructors.ordering.instructor import RuleInstructor
from sei.instructors.remote.instructor import OpenAICompatible
from sei.loop import Method
from sei.outlook import costs
from sei.parts import identity_of, parts_in, settings
from sei.ports import DataSource, Grader, Instructor, Paid, Preflight
from sei.preview import show_requests
from sei.report.folder import write_json
from sei.store import write_atomic

log = logging.getLogger(__name__)
_ENOUGH = 5  # with fewer solved rows, exemplars come from the training pool


def teacher_card(
    method: Method,
    data: DataSource,
    card: Card,
    assume: Assumptions,
    *,
    folder: Path,
    estimate: bool,
    dry_run: bool,
    digest: str,
) -> dict[str, Any]:
    """Score the instructor of a method. With ``estimate`` or ``dry_run``, only show the requests.

    The card uses the method's instructor, clusterer, embedder and grader. It stores ``digest``, so that a sweep
    recognises a finished card.

    Raises:
        NothingToEstimateError: for an estimate with an instructor that costs nothing.
        ConfigError: from a part that lacks something, such as a key.
        DataError: for rows that cannot be used.
    """
    instructor = _asked_alone(method.diagnose.instructor)
    domain = _domain(instructor, data)
    rows = read_rows(Path(card.rows).expanduser()) if card.rows else built_in(domain, card.cases, card.seed)
    planned = plan(card, rows, _exemplars(rows, data))
    told = asks(planned, instructor, method.cluster.clusterer)
    name = name_of(instructor)
    if dry_run:
        show_requests(first_requests(told), told.not_estimated)
        return {}
    if estimate and not costs(instructor):
        raise NothingToEstimateError(
            f"estimate=true: the instructor {name} sends nothing and costs nothing, so there is nothing to estimate. "
            "Remedy: teacher_card=true alone."
        )
    if costs(instructor):
        priced = lines(told, 1, assume)
        show_estimate(name, priced, told.not_estimated)
        if estimate:
            found = as_dict(priced, told.not_estimated)
            write_json(folder / "estimate.json", found)
            return found
    for part in parts_in([instructor, method.cluster]):
        if isinstance(part, Preflight):
            part.preflight()
    grader: Grader = NameGrader() if not card.rows and domain == "deduction" else method.grade.grader
    meter = Meter(instructor)
    try:
        measured = measure(planned, instructor, method.cluster, grader, meter, card.seed)
        made = _as_dict(name, instructor, card, planned, measured, meter, digest)
    finally:
        if isinstance(instructor, OpenAICompatible):
            instructor.close()
    write_json(folder / show.FILE, made)
    write_atomic(folder / "teacher_card.md", show.page(made).encode())
    show.show(made, folder)
    return made


def name_of(instructor: object) -> str:
    """Return the name of an instructor on a card: its model, or else its own name."""
    name = getattr(instructor, "model", None) or getattr(instructor, "name", None)
    return str(name or type(instructor).__name__)


def _asked_alone(instructor: Instructor) -> Instructor:
    """Return the instructor without its agreement check, because the card checks and counts by itself."""
    if isinstance(instructor, OpenAICompatible):
        return dataclasses.replace(instructor, agreement=False)
    return instructor


def _domain(instructor: Instructor, data: DataSource) -> Domain:
    return "deduction" if isinstance(instructor, RuleInstructor) or isinstance(data, Deduction) else "arithmetic"


def _exemplars(rows: Rows, data: DataSource) -> list[Exemplar]:
    """Return the exemplars for writing problems: rows with a solution, or else the training pool."""
    solved: Sequence[Any] = [r.case.bad_case.problem for r in rows.rows if r.case.bad_case.problem.solution]
    if len(solved) < _ENOUGH:
        solved = [p for p in data.load().pool if p.solution]
        log.info("the rows have too few solutions; exemplars: %d problems of the training pool", len(solved))
    return [Exemplar(id=p.id, question=p.question, solution=p.solution) for p in solved]


def _as_dict(
    name: str, instructor: Instructor, card: Card, planned: Plan, measured: Measured, meter: Meter, digest: str
) -> dict[str, Any]:
    spent = instructor.spent() if isinstance(instructor, Paid) else {}
    return {
        "instructor": name,
        "part": identity_of(type(instructor)),
        "settings": settings(instructor),
        "config_digest": digest,
        "seed": card.seed,
        "rows": {
            "source": planned.rows.source,
            "human": planned.rows.human,
            "n": len(planned.sample),
            "left_out": dict(planned.rows.left_out),
        },
        "numbers": [show.as_dict(x) for x in measured.numbers],
        "refused": dict(meter.refused),
        "first_steps": measured.steps,
        "keyphrases": measured.keyphrases,
        "problems": measured.problems,
        "spent": spent,
        "notes": list(spent.get("notes", ())),
    }
