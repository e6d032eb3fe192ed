"""``instructor=symbolic``: diagnoses and synthesizes without a language model.

It sees only what GPT-4o would see. To diagnose, it gets question, reference solution and wrong attempt. To write
problems, it gets questions with worked solutions. A configurable share of its output is flawed on purpose, as with a
real language model.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Annotated, ClassVar

from pydantic import Field

from sei.exchange import EMBEDDED_TASKS, Draft, Exemplar, Located, Reply, Stepped, SynthesisRequest, Task
from sei.instructors.rules import diagnosed, draw, located
from sei.instructors.symbolic.compose import in_context_of
from sei.instructors.symbolic.diagnose import counted_steps, find_divergence
from sei.instructors.symbolic.phrases import VAGUE, word_finding
from sei.instructors.symbolic.rewrite import (
    Plan,
    RefusedError,
    Traced,
    carry_out,
    rename,
    renumber,
    tail_of,
    trace,
    with_tail,
    without_tail,
    write_question,
    write_solution,
)
from sei.instructors.symbolic.worked import Step, show
from sei.parts import part
from sei.records import BadCase, Diagnosis, Finding, PoolProblem, Rejection

FLAWS = ("slip", "operation", "missing_step", "constant", "question")
_TRIES_PER_DRAFT = 4  # a draft is given up after this many tries


@part
class SymbolicInstructor:
    """The embedded instructor.

    ``flaw_rate``: share of written problems with a flaw (a slip, a wrong operation, a missing step, a wrong constant, a
    question that does not fit its solution), and share of vague diagnoses. ``splice_rate``: share of drafts that
    combine two exemplars, if possible.
    """

    identity: ClassVar[str] = "instructor/symbolic"
    version: ClassVar[int] = 4
    TASKS: ClassVar[frozenset[Task]] = EMBEDDED_TASKS | {"combine"}
    name: str = "symbolic"
    flaw_rate: Annotated[float, Field(ge=0, le=1)] = 0.12
    splice_rate: Annotated[float, Field(ge=0, le=1)] = 0.5

    def diagnose(self, cases: Sequence[BadCase]) -> Iterator[Diagnosis]:
        """Yield one diagnosis per bad case: a keyphrase with its finding, or a typed rejection."""
        yield from diagnosed(cases, find_divergence, word_finding, VAGUE, self.flaw_rate)

    def traces(self, problem: PoolProblem) -> bool:
        """Tell whether every number of the reference solution can be traced back to the question."""
        return bool(_trace_all([Exemplar(id=problem.id, question=problem.question, solution=problem.solution)])[0])

    def first_wrong_steps(self, cases: Sequence[Stepped]) -> Iterator[Located]:
        """Yield the step of each case's finding. A missing step counts as the last one."""
        yield from located(cases, self.diagnose([c.bad_case for c in cases]), _line_of)

    def write(self, requests: Sequence[SynthesisRequest]) -> Iterator[Reply]:
        """Yield one reply per request, with ``n`` drafts minus the rejected ones."""
        for request in requests:
            rng = draw("write", request.seed, request.error_type, request.index)
            traced, rejections = _trace_all(request.exemplars)
            contexts = [t for _, t in _trace_all(request.contexts)[0]]
            drafts = []
            for _ in range(request.n if traced else 0):
                try:
                    drafts.append(self._draft(traced, (*request.exemplars, *request.contexts), contexts, rng))
                except RefusedError as e:
                    rejections.append(Rejection(stage="synthesize", reason=str(e.args[0])))
            yield Reply(drafts=tuple(drafts), rejections=tuple(rejections))

    def correct(self, cases: Sequence[BadCase]) -> Iterator[Reply]:
        """Yield every bad case's question with a new solution, flawed at ``flaw_rate``, or a rejection."""
        for case in cases:
            problem = case.problem
            rng = draw("correct", problem.question, case.output)
            try:
                traced = trace(problem.question, problem.solution)
            except RefusedError as e:
                refused = Rejection(stage="synthesize", reason=str(e.args[0]), subject=problem.id)
                yield Reply(drafts=(), rejections=(refused,))
                continue
            steps = carry_out(traced, traced.numerals)
            assert steps is not None, "a traced problem can be carried out"
            flaw = rng.choice([f for f in FLAWS if f != "question"]) if rng.random() < self.flaw_rate else ""
            _, steps, flaw = _spoil(traced, traced.numerals, steps, flaw, rng)
            draft = Draft(
                question=problem.question,
                solution=write_solution(steps),
                answer=show(steps[-1].value),
                sources=(problem.id,),
                flaw=flaw,
            )
            yield Reply(drafts=(draft,))

    def _draft(
        self,
        traced: Sequence[tuple[Exemplar, Traced]],
        exemplars: Sequence[Exemplar],
        contexts: Sequence[Traced],
        rng: random.Random,
    ) -> Draft:
        reason = "no_numbers_fit"
        for _ in range(_TRIES_PER_DRAFT):
            exemplar, problem = rng.choice(traced)
            sources = [exemplar.id]
            if contexts:
                problem = in_context_of(problem, contexts, rng)
            elif rng.random() < self.splice_rate:
                problem, donor = _splice(problem, traced, rng)
                sources += [donor] if donor else []
            try:
                numerals, steps = renumber(problem, rng)
                flaw = rng.choice(FLAWS) if rng.random() < self.flaw_rate else ""
                numerals, steps, flaw = _spoil(problem, numerals, steps, flaw, rng)
            except RefusedError as e:
                reason = str(e.args[0])
                continue
            question, units = rename(
                write_question(problem, numerals), problem.units, [e.question for e in exemplars], rng
            )
            steps = [replace(s, unit=u) for s, u in zip(steps, units, strict=False)]
            solution = write_solution(steps)
            return Draft(
                question=question, solution=solution, answer=show(steps[-1].value), sources=tuple(sources), flaw=flaw
            )
        raise RefusedError(reason)


def _line_of(case: Stepped, finding: Finding) -> int:
    problem = case.bad_case.problem
    steps = counted_steps(problem.question, problem.solution, case.bad_case.output)
    return steps[min(finding.step, len(steps)) - 1].line


def _trace_all(exemplars: Sequence[Exemplar]) -> tuple[list[tuple[Exemplar, Traced]], list[Rejection]]:
    traced, rejections = [], []
    for e in exemplars:
        try:
            traced.append((e, trace(e.question, e.solution)))
        except RefusedError as err:
            reason = f"exemplar_{err.args[0]}"
            rejections.append(Rejection(stage="synthesize", reason=reason, subject=e.id, detail=e.question[:300]))
    return traced, rejections


def _splice(
    problem: Traced, traced: Sequence[tuple[Exemplar, Traced]], rng: random.Random
) -> tuple[Traced, str | None]:
    """Remove the tail, or add the tail of another exemplar. Return the problem unchanged if neither fits."""
    if tail_of(problem) is not None and rng.random() < 0.5:
        return without_tail(problem), None
    donors = [(e, t) for e, t in traced if t is not problem and tail_of(t) is not None]
    if donors and tail_of(problem) is None:
        exemplar, donor = rng.choice(donors)
        try:
            return with_tail(problem, donor), exemplar.id
        except RefusedError:
            return problem, None
    return problem, None


def _spoil(
    problem: Traced, numerals: tuple[Fraction, ...], steps: list[Step], flaw: str, rng: random.Random
) -> tuple[tuple[Fraction, ...], list[Step], str]:
    """Make one flaw, if possible, and return the flaw that was made."""
    at = rng.randrange(len(steps))
    if flaw == "slip":
        off = rng.choice([-2, -1, 1, 2, 10])
        steps = [replace(s, value=s.value + off) if i == at and s.value + off > 0 else s for i, s in enumerate(steps)]
    elif flaw == "missing_step" and len(steps) > 1:
        steps = steps[:-1]
    elif flaw == "question":
        i = rng.randrange(len(numerals)) if numerals else 0
        numerals = tuple(n + 1 if j == i else n for j, n in enumerate(numerals))
    elif flaw in ("operation", "constant"):
        plans = tuple(_bent(p, flaw, rng) if i == at else p for i, p in enumerate(problem.plans))
        worked = carry_out(problem, numerals, plans)
        if plans == problem.plans or worked is None or any(s.value <= 0 or s.value.denominator > 1 for s in worked):
            return numerals, steps, ""
        steps = worked
    else:
        return numerals, steps, ""
    return numerals, steps, flaw


def _bent(plan: Plan, flaw: str, rng: random.Random) -> Plan:
    if not (isinstance(plan, tuple) and len(plan) == 3):
        return plan
    op, left, right = plan
    if flaw == "operation":
        return (rng.choice([o for o in "+-*" if o != op]), left, right)
    if isinstance(right, Fraction):
        return (op, left, right + rng.choice([1, 2]))
    return plan
