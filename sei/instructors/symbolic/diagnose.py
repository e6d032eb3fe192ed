"""Finding the step of a wrong attempt where it leaves the reference solution.

Working that is all annotated (``<<3*4=12>>``) is compared position by position; what models write freely, with steps
merged, split or in another order, is compared by the values that it reaches.
"""

from __future__ import annotations

import re

from sei.instructors.symbolic.by_value import first_departure, read_attempt
from sei.instructors.symbolic.freeform import read_freeform
from sei.instructors.symbolic.in_order import first_difference
from sei.instructors.symbolic.worked import Step, read_steps
from sei.records import Finding

_BARE_WORKING = re.compile(r"[^A-Za-z<>]*<<[^<>]*>>[^A-Za-z<>]*[A-Za-z]*\W*|####.*")


def find_divergence(question: str, reference: str, attempt: str) -> Finding | str:
    """Name the first wrong step of an attempt.

    Returns a ``Finding``, or the reason (a word) why none can be named: ``no_reference_steps``, ``no_attempt_steps``
    or ``no_divergence``.
    """
    if _in_one_form(reference, attempt):
        return first_difference(question, reference, attempt)
    return first_departure(question, reference, attempt)


def counted_steps(question: str, reference: str, attempt: str) -> list[Step]:
    """Return the steps of an attempt that ``step`` of its finding counts, with the lines they stand in."""
    if _in_one_form(reference, attempt):
        return read_steps(attempt)
    return read_attempt(question, reference, attempt)


def _in_one_form(reference: str, attempt: str) -> bool:
    """Say whether the i-th step of an attempt is meant to be the i-th of the reference.

    So it is where the reference is nothing but annotated working, because attempts then imitate that, and where every
    equation of the attempt is annotated.
    """
    lines = [line for line in reference.split("\n") if line.strip()]
    return all(_BARE_WORKING.fullmatch(line) for line in lines) or _annotated_throughout(attempt)


def _annotated_throughout(attempt: str) -> bool:
    if "<<" not in attempt:
        return False
    marked = {(s.line, s.value) for s in read_steps(attempt)}
    worked = [s for s in read_freeform(attempt) if isinstance(s.tree, tuple)]
    return bool(marked) and all((s.line, s.value) in marked for s in worked)
