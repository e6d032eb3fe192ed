"""Compares a freely written attempt with the reference solution by the values that it reaches.

An attempt may merge, split or reorder steps and still be right, so its i-th step need not match the reference's i-th. A
step counts as sound if its arithmetic is right and the reference states or computes its value. A detour is sound if a
later step leads back to a result of the reference. The first step that is neither is the first wrong step.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from sei.instructors.symbolic.freeform import read_freeform
from sei.instructors.symbolic.in_order import compare
from sei.instructors.symbolic.worked import NUMERAL, Step, evaluate, leaves, number, show
from sei.records import Finding

_UNKNOWN = re.compile(r"\bunknown variable ([A-Za-z])\b")
_SOLVED = re.compile(r"(?<![A-Za-z\\])([A-Za-z])\s*=\s*\\?\$?(-?[\d,.]*\d)")
_FINAL = re.compile(r"####\s*\$?(-?[\d.,]+)")
_SAID: dict[str, int] = {  # numbers given in words
    **{w: i for i, w in enumerate("one two three four five six seven eight nine ten eleven twelve".split(), start=1)},
    **{w: 10 * i for i, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)},
    **dict.fromkeys(("half", "twice", "double"), 2),
    **dict.fromkeys(("third", "triple", "thrice"), 3),
    "quarter": 4,
    "dozen": 12,
    "hundred": 100,
    "week": 7,
    "year": 12,
    "day": 24,
    "hour": 60,
    "minute": 60,
}
_NEAR = Fraction(1, 100)  # attempts round to cents ...
_NEAR_SHARE = Fraction(3, 1000)  # ... or to three digits
_LAST_DIGITS = tuple(Fraction(1, 10**n) for n in range(7))  # the largest rounding error, by number of decimals
_SCALES = (Fraction(100), Fraction(1, 100))  # a share and its percentage, dollars and cents


@dataclass(frozen=True, kw_only=True)
class _Reference:
    """The content of a question and its reference: computed steps, results, and all values an attempt may reach."""

    steps: tuple[Step, ...]
    results: frozenset[Fraction]
    given: frozenset[Fraction]
    sound: frozenset[Fraction]
    answer: Fraction | None


def read_attempt(question: str, reference: str, attempt: str) -> list[Step]:
    """Return the steps of an attempt, with its unknown replaced by the reference's answer."""
    answer = _answer(reference)
    letter = _unknown(question, attempt)
    return read_freeform(attempt, {letter: answer} if letter and answer is not None else None)


def read_reference(question: str, reference: str) -> list[Step]:
    """Return the steps of a reference, with the unknown that its question names replaced by its answer."""
    answer, asked = _answer(reference), _UNKNOWN.search(question)
    return read_freeform(reference, {asked[1]: answer} if asked and answer is not None else None)


def first_departure(question: str, reference: str, attempt: str) -> Finding | str:
    """Name the first step of an attempt that neither follows the reference nor returns to it.

    Returns a ``Finding`` with a ``step`` that counts the steps of ``read_attempt``, or the reason (one word) why there
    is none: ``no_reference_steps``, ``no_attempt_steps`` or ``no_divergence``.
    """
    known, written = _read_reference(question, reference), read_attempt(question, reference, attempt)
    if not known.steps and known.answer is None:
        return "no_reference_steps"
    if not written:
        return "no_attempt_steps"
    at = _first_unsound(known, written)
    if at is not None:
        return _name(question, known, written, at, wanted=bool(_unknown(question, attempt)))
    if written[-1].value == known.answer:
        return "no_divergence"
    return _wrong_quantity(known, written)


def _answer(reference: str) -> Fraction | None:
    marked, numerals = _FINAL.search(reference), NUMERAL.findall(reference)
    return number(marked[1]) if marked else number(numerals[-1]) if numerals else None


def _unknown(question: str, attempt: str) -> str | None:
    """Return the letter for the quantity asked: the question names it, or the attempt ends with its value."""
    asked, numerals = _UNKNOWN.search(question), NUMERAL.findall(attempt[-500:])
    if asked:
        return asked[1]
    final = number(numerals[-1]) if numerals else None
    solved = [m[1] for m in _SOLVED.finditer(attempt) if final is not None and number(m[2]) == final]
    return solved[-1] if solved else None


def _read_reference(question: str, reference: str) -> _Reference:
    answer, told = _answer(reference), read_reference(question, reference)
    steps = tuple(s for s in told if isinstance(s.tree, tuple))
    given = _given(question)
    sound = {s.value for s in told} | {n for s in steps for n in leaves(s.tree)} | _complements(question, given)
    return _Reference(
        steps=steps,
        results=frozenset(s.value for s in steps),
        given=given,
        sound=frozenset(sound | {answer} if answer is not None else sound),
        answer=answer,
    )


def _given(question: str) -> frozenset[Fraction]:
    numerals = {n for t in NUMERAL.findall(question) if (n := number(t)) is not None}
    words = (w if w in _SAID else w.removesuffix("s") for w in re.findall(r"[a-z]+", question.lower()))
    return frozenset(numerals | {Fraction(1)} | {Fraction(_SAID[w]) for w in words if w in _SAID})


def _complements(question: str, given: Iterable[Fraction]) -> set[Fraction]:
    """Return complements of a whole, such as 70 for 30 % or 2/3 for a third. References often omit them."""
    found: set[Fraction] = set()
    percent = "%" in question or "percent" in question
    for n in given:
        if percent and 0 < n < 100:
            found |= {100 - n, 100 + n, 1 - n / 100, 1 + n / 100, n / 100}
        if 0 < n < 1:
            found |= {1 - n, 1 + n}
        if n > 1:
            found |= {1 / n, 1 - 1 / n}
    return found


def _near(value: Fraction, others: Iterable[Fraction]) -> bool:
    return any(_same(value, o) for o in others)


def _same(a: Fraction, b: Fraction) -> bool:
    """Tell whether two values are equal up to rounding. Whole numbers must be equal."""
    if a == b or (a.denominator == 1 and b.denominator == 1):
        return a == b
    return abs(a - b) <= _NEAR or (b != 0 and abs((a - b) / b) < _NEAR_SHARE)


def _slips(step: Step) -> bool:
    """Tell whether a step's arithmetic is wrong, allowing for rounding and for shares written as percentages."""
    value = evaluate(step.tree)
    if value is None or value == step.value:
        return False
    last = next((u for u in _LAST_DIGITS if step.value % u == 0), _LAST_DIGITS[-1])
    whole = value.denominator == 1
    return not any(
        value * k == step.value or (not whole and abs(value * k - step.value) <= last) for k in (Fraction(1), *_SCALES)
    )


def _first_unsound(known: _Reference, written: Sequence[Step]) -> int | None:
    """Return the index of the first step with wrong arithmetic or with a value that leads to no reference result."""
    slips, away = [], []
    seen: set[Fraction] = set()
    for i, step in enumerate(written):
        if isinstance(step.tree, tuple) and _slips(step):
            slips.append(i)
        elif _leads_away(known, step, seen):
            away.append(i)
        seen.add(step.value)
    returned: set[int] = set()
    for i in reversed(away):
        later = [j for j in range(i + 1, len(written)) if j in returned or (j not in slips and j not in away)]
        if isinstance(written[i].tree, tuple) and _returns(known, written, i, later, returned):
            returned.add(i)
    return min({*slips, *away} - returned, default=None)


def _leads_away(known: _Reference, step: Step, seen: Collection[Fraction]) -> bool:
    """Tell whether a step's value occurs neither in the reference nor earlier in the attempt.

    A computed step also leads away if it yields a number of the question that no step of the reference computes, unless
    it repeats one of its own operands (``48*1``).
    """
    if step.value in known.given:
        worked = isinstance(step.tree, tuple) and step.value not in step.operands
        return worked and not _near(step.value, known.results)
    return step.value not in seen and not _near(step.value, known.sound)


def _returns(known: _Reference, written: Sequence[Step], i: int, later: Sequence[int], returned: set[int]) -> bool:
    """Tell whether a later step turns the i-th value into a new reference result, or into a detour that returns."""
    told = {*known.given, *(s.value for s in written[:i])}
    return any(
        isinstance(written[j].tree, tuple)
        and written[i].value in written[j].operands
        and (j in returned or (written[j].value not in told and _near(written[j].value, known.results)))
        for j in later
    )


def _name(question: str, known: _Reference, written: Sequence[Step], at: int, *, wanted: bool) -> Finding:
    """Name the mistake of a step: wrong by itself, or different from its corresponding reference step."""
    step = written[at]
    operation = step.operation
    if not isinstance(step.tree, tuple):
        return Finding(step=at + 1, relation="unfounded_number", written=show(step.value), unit=step.unit)
    right = evaluate(step.tree)
    if right is not None and _slips(step):
        relation = "wrong_equation" if wanted and known.answer in step.operands else "wrong_result"
        shown = show(right) if relation == "wrong_result" else ""
        return Finding(
            step=at + 1,
            relation=relation,
            operation=operation,
            written_operation=operation,
            expected=shown,
            written=show(step.value),
            unit=step.unit,
        )
    place = _stands_for(known.steps, written[:at], step)
    if place is None:
        return Finding(
            step=at + 1,
            relation="different_step",
            written_operation=operation,
            written=show(step.value),
            unit=step.unit,
        )
    return replace(compare(question, known.steps, place, step), step=at + 1)


def _stands_for(steps: Sequence[Step], before: Sequence[Step], step: Step) -> int | None:
    """Return the index of the most similar reference step that is not reached yet, or ``None``."""
    reached = {s.value for s in before}
    waiting = [i for i, s in enumerate(steps) if s.value not in reached]

    def alike(i: int) -> tuple[int, int]:
        shared = Counter(steps[i].operands) & Counter(step.operands)
        return shared.total(), -i

    return max(waiting, key=alike, default=None)


def _wrong_quantity(known: _Reference, written: Sequence[Step]) -> Finding:
    """Name the place where an attempt with sound steps answers with another quantity than the one asked for."""
    at = len(written) - 1
    while at and written[at - 1].value == written[-1].value:
        at -= 1
    final = written[at]
    left = [s for s in known.steps if s.value not in {w.value for w in written}]
    stopped = bool(left) and final.value in known.results
    missing = left[0] if left else None
    return Finding(
        step=at + 1,
        relation="stopped_early" if stopped else "wrong_quantity",
        operation=missing.operation if missing else "none",
        expected=show(missing.value) if missing else "",
        written=show(final.value),
        unit=missing.unit if missing and stopped else final.unit,
    )
