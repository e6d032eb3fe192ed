"""Compares a wrong attempt with the reference solution position by position.

This suits attempts in the form of the reference, with one annotated step per line. It also names the mistake of a step
when the corresponding reference step is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from sei.instructors.symbolic.worked import NUMERAL, Step, evaluate, number, read_steps, show
from sei.records import Finding


def first_difference(question: str, reference: str, attempt: str) -> Finding | str:
    """Compare the i-th step of an attempt with the i-th of the reference.

    Returns a ``Finding`` for the first that differs, or the reason (one word) why there is none:
    ``no_reference_steps``, ``no_attempt_steps`` or ``no_divergence``.
    """
    expected, written = read_steps(reference), read_steps(attempt)
    if not expected:
        return "no_reference_steps"
    if not written:
        return "no_attempt_steps"
    for i, (e, w) in enumerate(zip(expected, written, strict=False)):
        if not _same(e, w):
            return compare(question, expected, i, w)
    if len(written) < len(expected):
        missing = expected[len(written)]
        return Finding(
            step=len(written) + 1,
            relation="stopped_early",
            operation=missing.operation,
            expected=show(missing.value),
            written=show(written[-1].value),
            unit=missing.unit,
        )
    if len(written) > len(expected):
        extra = written[len(expected)]
        return Finding(
            step=len(expected) + 1,
            relation="extra_step",
            written_operation=extra.operation,
            written=show(extra.value),
            unit=extra.unit,
        )
    return "no_divergence"


def _same(e: Step, w: Step) -> bool:
    """Tell whether a step reaches the expected value by correct arithmetic, in any order."""
    return e.value == w.value == evaluate(w.tree)


def compare(question: str, expected: Sequence[Step], i: int, w: Step) -> Finding:
    """Return how a written step differs from the i-th expected one. Its ``step`` is i counted from 1."""
    e = expected[i]
    left, right = Counter(e.operands), Counter(w.operands)
    missing, added = list((left - right).elements()), list((right - left).elements())
    shown, wrote = show(e.value), show(w.value)
    if not missing and not added:
        if e.operation != w.operation:
            relation = "wrong_operation"
        elif evaluate(w.tree) == w.value:
            relation = "reversed"
        else:
            relation = "wrong_result"
    elif i + 1 < len(expected) and _does_work_of(expected[i + 1], w, instead_of=e):
        relation = "skipped_step"
    elif e.operation == w.operation and len(missing) == len(added) == 1:
        given = _known_numbers(question, expected[:i])
        relation = "wrong_operand" if missing[0] in given else "wrong_constant"
        shown, wrote = show(missing[0]), show(added[0])
    elif e.operation != w.operation and len(missing) <= 1 and len(added) <= 1:
        relation = "wrong_operation"
    else:
        relation = "different_step"
    return Finding(
        step=i + 1,
        relation=relation,
        operation=e.operation,
        written_operation=w.operation,
        expected=shown,
        written=wrote,
        unit=e.unit,
    )


def _does_work_of(later: Step, w: Step, *, instead_of: Step) -> bool:
    """Tell whether a written step is the later step: same operation on a number that only the later one uses."""
    return later.operation == w.operation and bool(set(w.operands) & (set(later.operands) - set(instead_of.operands)))


def _known_numbers(question: str, before: Sequence[Step]) -> set[Fraction]:
    numerals = {n for t in NUMERAL.findall(question) if (n := number(t)) is not None}
    return numerals | {s.value for s in before}
