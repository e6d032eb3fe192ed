"""Combines the steps of one problem with the tail steps of other problems, placed before or after them."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from fractions import Fraction

from sei.instructors.symbolic.rewrite import Plan, RefusedError, Traced, sentences, tail_of, with_tail, without_tail
from sei.instructors.symbolic.worked import NUMERAL, show
from sei.signature import persons_and_objects

_MOST_STEPS = 2  # at most this many steps of other problems in one new problem
_COUNTED = re.compile(r"^([A-Z]\w+) (?:has|had|starts with|owns) (\S+) ([a-z]+)\.$")


def in_context_of(problem: Traced, contexts: Sequence[Traced], rng: random.Random) -> Traced:
    """Return the problem without its own tail and with up to two tails of other problems.

    A tail comes before the problem's own steps, which then come later, or after them. A tail that fits nowhere is left
    out.
    """
    core = without_tail(problem) if tail_of(problem) is not None else problem
    donors = [c for c in contexts if tail_of(c) is not None]
    for _ in range(rng.randint(0, _MOST_STEPS) if donors else 0):
        place = rng.choice((with_opening, with_tail))
        try:
            core = place(core, rng.choice(donors))
        except RefusedError:
            continue
    return core


def with_opening(problem: Traced, donor: Traced) -> Traced:
    """Return the problem with the donor's tail right after its first sentence, which counts a person's things.

    The first numeral is then the count before the tail. All later steps use the count after it.

    Raises:
        RefusedError: ``no_opening_fits`` if the problem has another beginning or the tail does not fit.
    """
    parts = [s.strip() for s in sentences(problem.question)]
    tail, start = tail_of(donor), _COUNTED.match(parts[0]) if parts else None
    if tail is None or start is None or not NUMERAL.fullmatch(start[2]) or len(parts) < 2:
        raise RefusedError("no_opening_fits")
    person, thing, unit = start[1], start[3], donor.units[-1]
    in_tail = persons_and_objects(tail[0])[0]
    if len(in_tail) != 1 or not unit or unit not in re.findall(r"\w+", tail[0]):
        raise RefusedError("no_opening_fits")
    change = tail[2]
    if tail[1] == "-" and change >= problem.numerals[0]:  # more would be taken than there is
        change = Fraction(problem.numerals[0] // 2)
    if change < 1:
        raise RefusedError("no_opening_fits")
    sentence = NUMERAL.sub(show(change), tail[0])
    sentence = re.sub(rf"\b{re.escape(in_tail[0])}\b", person, sentence)
    sentence = re.sub(rf"\b{re.escape(unit)}\b", thing, sentence)
    opening: Plan = (tail[1], ("q", 0), ("q", 1))
    return Traced(
        question=" ".join([parts[0], sentence, *parts[1:]]),
        numerals=(problem.numerals[0], change, *problem.numerals[1:]),
        plans=(opening, *(_later(p) for p in problem.plans)),
        units=(thing, *problem.units),
    )


def _later(plan: Plan) -> Plan:
    """Shift a plan by one step and one numeral. The former first numeral becomes the first result."""
    if isinstance(plan, Fraction):
        return plan
    if len(plan) == 3:
        return (plan[0], _later(plan[1]), _later(plan[2]))
    kind, i = plan
    if kind == "r":
        return ("r", i + 1)
    return ("r", 0) if i == 0 else ("q", i + 1)
