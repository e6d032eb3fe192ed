"""Finds the step where a wrong attempt departs from the reference solution.

Fully annotated solutions (``<<3*4=12>>``) are compared position by position. Free solutions, with steps merged, split
or reordered, are compared by the values that they reach.
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

    Returns a ``Finding``, or the reason (one word) why there is none: ``no_reference_steps``, ``no_attempt_steps`` or
    ``no_divergence``.
    """
    if _in_one_form(reference, attempt):
        return first_difference(question, reference, attempt)
    return first_departure(question, reference, attempt)


def counted_steps(question: str, reference: str, attempt: str) -> list[Step]:
    """Return the steps of an attempt, with their lines, as counted by ``step`` of its finding."""
    if _in_one_form(reference, attempt):
        return read_steps(attempt)
    return read_attempt(question, reference, attempt)


def _in_one_form(reference: str, attempt: str) -> bool:
    """Tell whether the i-th step of an attempt corresponds to the i-th step of the reference.

    It does if the reference has only annotated steps, because attempts then imitate its form, or if every equation of
    the attempt is annotated.
    """
    lines = [line for line in reference.split("\n") if line.strip()]
    return all(_BARE_WORKING.fullmatch(line) for line in lines) or _annotated_throughout(attempt)


def _annotated_throughout(attempt: str) -> bool:
    if "<<" not in attempt:
        return False
    marked = {(s.line, s.value) for s in read_steps(attempt)}
    worked = [s for s in read_freeform(attempt) if isinstance(s.tree, tuple)]
    return bool(marked) and all((s.line, s.value) in marked for s in worked)
