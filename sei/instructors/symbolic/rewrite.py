"""Rewrites a worked problem with other numbers, other persons and objects, or another problem's tail step.

A problem can be rewritten only if every number of its solution has exactly one source: a numeral of the question, the
result of an earlier step, or a constant implied by a word of the question (a dozen, a week, half). Otherwise it is
refused with a typed reason.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from sei.instructors.symbolic.worked import NUMERAL, Step, Tree, evaluate, number, read_steps, show, show_tree
from sei.signature import persons_and_objects

# a reader's world knowledge: word of the question -> constants that it implies
_LICENSED = {
    r"\bdozens?\b": (12,),
    r"\bweeks?\b|\bevery day\b|\bdaily\b": (7,),
    r"\byards?\b|\bthirds?\b|\btriple\b|\bthrice\b|\bthree\b": (3,),
    r"\bhalf\b|\btwice\b|\bdouble\b|\bpairs?\b|\bboth\b|\baround\b|\bfence\b|\bperimeter\b|\bback\b|\breturns?\b"
    r"|\bsame way\b|\btwo\b": (2,),
    r"\bquarters?\b|\bhorses?\b|\bcows?\b|\bgoats?\b|\bsheep\b|\bdogs?\b|\bcats?\b|\bfour\b": (4,),
    r"\bpercent\b|%|\bcents?\b": (100,),
    r"\bhours?\b|\bminutes?\b": (60,),
    r"\byears?\b|\bmonths?\b|\bfeet\b|\bfoot\b|\binch(?:es)?\b": (12,),
    r"\bfive\b": (5,),
    r"\bsix\b": (6,),
}

Source = tuple[str, int] | Fraction
"""``("q", i)`` is the i-th numeral of the question, ``("r", i)`` the result of step i; otherwise a constant."""


class RefusedError(Exception):
    """A problem that cannot be rewritten. ``args[0]`` is the typed reason."""


@dataclass(frozen=True, kw_only=True)
class Traced:
    """A worked problem with every operand traced: ``plans[i]`` is step i over sources instead of numbers."""

    question: str
    numerals: tuple[Fraction, ...]
    plans: tuple[Plan, ...]
    units: tuple[str, ...]


Plan = Source | tuple[str, "Plan", "Plan"]


def trace(question: str, solution: str) -> Traced:
    """Trace every operand of a worked solution.

    Raises:
        RefusedError: ``no_steps``, ``wrong_arithmetic``, ``untraced_operand``, ``ambiguous_operand``,
            ``unused_number`` or ``answer_is_not_last_step``.
    """
    steps = read_steps(solution)
    if not steps:
        raise RefusedError("no_steps")
    numerals = tuple(n for t in NUMERAL.findall(question) if (n := number(t)) is not None)
    plans = []
    for i, step in enumerate(steps):
        if evaluate(step.tree) != step.value:
            raise RefusedError("wrong_arithmetic")
        plans.append(_plan(step.tree, question, numerals, steps[:i]))
    used = {s for p in plans for s in _sources(p)}
    if any(("q", i) not in used for i in range(len(numerals))):
        raise RefusedError("unused_number")
    stated = NUMERAL.findall(solution.split("####")[-1]) if "####" in solution else []
    if stated and number(stated[0]) != steps[-1].value:
        raise RefusedError("answer_is_not_last_step")
    return Traced(question=question, numerals=numerals, plans=tuple(plans), units=tuple(s.unit for s in steps))


def _plan(tree: Tree, question: str, numerals: tuple[Fraction, ...], before: Sequence[Step]) -> Plan:
    if isinstance(tree, tuple):
        return (tree[0], _plan(tree[1], question, numerals, before), _plan(tree[2], question, numerals, before))
    found: list[Source] = [("q", i) for i, n in enumerate(numerals) if n == tree]
    found += [("r", i) for i, s in enumerate(before) if s.value == tree]
    licensed = {c for pattern, cs in _LICENSED.items() if re.search(pattern, question, re.IGNORECASE) for c in cs}
    if tree in licensed or (re.search(r"\baverage\b", question) and tree == len(numerals)):
        found.append(tree)
    if not found:
        raise RefusedError("untraced_operand")
    if len(found) > 1:
        raise RefusedError("ambiguous_operand")
    return found[0]


def _sources(plan: Plan) -> list[Source]:
    if isinstance(plan, tuple) and len(plan) == 3:
        return _sources(plan[1]) + _sources(plan[2])
    return [plan]


def carry_out(problem: Traced, numerals: Sequence[Fraction], plans: Sequence[Plan] | None = None) -> list[Step] | None:
    """Compute the plans with other numerals, or return ``None`` on a division by zero."""
    results: list[Step] = []
    for plan, unit in zip(plans or problem.plans, problem.units, strict=False):
        tree = _fill(plan, numerals, results)
        value = evaluate(tree)
        if value is None:
            return None
        results.append(Step(tree=tree, value=value, unit=unit, line=len(results)))
    return results


def _fill(plan: Plan, numerals: Sequence[Fraction], results: Sequence[Step]) -> Tree:
    if isinstance(plan, tuple) and len(plan) == 3:
        return (plan[0], _fill(plan[1], numerals, results), _fill(plan[2], numerals, results))
    if isinstance(plan, tuple):
        return numerals[plan[1]] if plan[0] == "q" else results[plan[1]].value
    return plan


def renumber(problem: Traced, rng: random.Random, tries: int = 60) -> tuple[tuple[Fraction, ...], list[Step]]:
    """Draw new numerals of similar size. All results are positive, and whole if the original results are whole.

    Raises:
        RefusedError: ``no_numbers_fit`` after all tries.
    """
    original = carry_out(problem, problem.numerals)
    assert original is not None, "a traced problem can be carried out"
    largest = max([*problem.numerals, *(s.value for s in original)])
    whole = all(s.value.denominator == 1 for s in original)
    for _ in range(tries):
        drawn = tuple(_like(n, rng) for n in problem.numerals)
        steps = carry_out(problem, drawn)
        if steps is None or drawn == problem.numerals:
            continue
        values = [s.value for s in steps]
        if min(values) <= 0 or max(values) > 2 * largest or (whole and any(v.denominator > 1 for v in values)):
            continue
        return drawn, steps
    raise RefusedError("no_numbers_fit")


def _like(n: Fraction, rng: random.Random) -> Fraction:
    if n.denominator > 1:  # keep the number of decimals
        scale = 10 ** max(0, len(show(n).split(".")[-1])) if "." in show(n) else n.denominator
        return Fraction(rng.randint(max(1, int(n * scale / 2)), max(2, int(n * scale * 3 / 2))), scale)
    return Fraction(rng.randint(max(2, int(n) // 2), max(int(n) + 3, int(n) * 3 // 2)))


def write_solution(steps: Sequence[Step]) -> str:
    """Write steps in GSM8K's format, one per line, and the final answer."""
    lines = [
        f"{show_tree(s.tree)}=<<{show_tree(s.tree)}={show(s.value)}>>{show(s.value)} {s.unit}".rstrip() for s in steps
    ]
    return "\n".join([*lines, f"#### {show(steps[-1].value)}"])


def write_question(problem: Traced, numerals: Sequence[Fraction]) -> str:
    """Put numerals into the question, in order."""
    values = iter(numerals)
    return NUMERAL.sub(lambda _: show(next(values)), problem.question)


def rename(
    question: str, units: Sequence[str], others: Sequence[str], rng: random.Random
) -> tuple[str, tuple[str, ...]]:
    """Replace persons and counted objects consistently by those of other problems. Return question and units."""
    persons, objects = persons_and_objects(question)
    pool_p = sorted({p for o in others for p in persons_and_objects(o)[0]} - set(persons))
    seen = {x for o in others for x in persons_and_objects(o)[1] if x.endswith("s") and not _licenses(x)}
    pool_o = sorted(seen - set(objects))
    swap: dict[str, str] = {}
    for p in persons:
        if pool_p:
            swap[p] = pool_p.pop(rng.randrange(len(pool_p)))
    plural = [o for o in objects if o.endswith("s") and not _licenses(o)]  # horses imply four legs
    if len(plural) == 1 and pool_o:  # with two kinds of objects a swap can make nonsense
        new = rng.choice(pool_o)
        swap |= {plural[0]: new, plural[0].removesuffix("s"): new.removesuffix("s")}
    if not swap:
        return question, tuple(units)
    words = re.compile(r"\b(" + "|".join(map(re.escape, sorted(swap, key=len, reverse=True))) + r")\b")
    return words.sub(lambda m: swap[m[1]], question), tuple(swap.get(u, u) for u in units)


def _licenses(word: str) -> bool:
    return any(re.search(pattern, word) for pattern in _LICENSED)


def sentences(question: str) -> list[str]:
    """Split a question into sentences."""
    return re.findall(r"[^.?!]+(?:[.?!](?=\d)[^.?!]*)*[.?!]?", question.strip())


def tail_of(problem: Traced) -> tuple[str, str, Fraction] | None:
    """Return (sentence, operator, number) of a tail, a middle sentence that is used by the last step alone.

    Its only numeral is added to or subtracted from the result of the step before, and it is used nowhere else.
    """
    parts = sentences(problem.question)
    plan = problem.plans[-1]
    if len(problem.plans) < 2 or len(parts) < 3 or not (isinstance(plan, tuple) and len(plan) == 3):
        return None
    op, left, right = plan
    if op not in "+-" or left != ("r", len(problem.plans) - 2) or not (isinstance(right, tuple) and right[0] == "q"):
        return None
    uses = sum(src == right for p in problem.plans for src in _sources(p))
    at = 0
    for i, s in enumerate(parts):
        count = len(NUMERAL.findall(s))
        middle, last = 0 < i < len(parts) - 1, at == len(problem.numerals) - 1
        if count == 1 and at == right[1] and middle and last and uses == 1:
            return s.strip(), str(op), problem.numerals[at]
        at += count
    return None


def without_tail(problem: Traced) -> Traced:
    """Return the problem without its tail sentence and last step. It must have a tail."""
    tail = tail_of(problem)
    assert tail is not None, "only a problem with a tail can lose it"
    kept = [s.strip() for s in sentences(problem.question) if s.strip() != tail[0]]
    return replace(
        problem,
        question=" ".join(kept),
        numerals=problem.numerals[:-1],
        plans=problem.plans[:-1],
        units=problem.units[:-1],
    )


def with_tail(problem: Traced, donor: Traced) -> Traced:
    """Return the problem with the donor's tail before its last sentence, with matching persons and objects.

    Raises:
        RefusedError: ``no_tail_fits`` if the donor has no tail or the tail does not fit.
    """
    tail = tail_of(donor)
    parts = [s.strip() for s in sentences(problem.question)]
    if tail is None or len(parts) < 2 or NUMERAL.search(parts[-1]):
        raise RefusedError("no_tail_fits")
    asked = persons_and_objects(parts[-1])[0] or persons_and_objects(problem.question)[0]
    in_tail = persons_and_objects(tail[0])[0]
    if len(in_tail) != 1 or not asked or donor.units[-1] not in re.findall(r"\w+", tail[0]):
        raise RefusedError("no_tail_fits")
    sentence = re.sub(rf"\b{re.escape(in_tail[0])}\b", asked[0], tail[0])
    sentence = re.sub(rf"\b{re.escape(donor.units[-1])}\b", problem.units[-1], sentence)
    plan: Plan = (tail[1], ("r", len(problem.plans) - 1), ("q", len(problem.numerals)))
    return Traced(
        question=" ".join([*parts[:-1], sentence, parts[-1]]),
        numerals=(*problem.numerals, tail[2]),
        plans=(*problem.plans, plan),
        units=(*problem.units, problem.units[-1]),
    )
