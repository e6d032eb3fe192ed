"""``instructor=deduction``: diagnoses and synthesizes ordering puzzles without a language model.

It sees only what a language model would see. To diagnose, it gets question, reference solution and wrong attempt. To
write puzzles, it gets questions with worked solutions. A configurable share of its output is flawed on purpose, as with
a real language model.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import Field

from sei.exchange import Draft, Exemplar, Located, Reply, Stepped, SynthesisRequest, Worked
from sei.instructors.ordering.misreadings import VAGUE, find_divergence, read_working, word_finding
from sei.instructors.ordering.puzzle import Clue, Puzzle, RefusedError, answer, arrange, read, tell, work
from sei.instructors.rules import diagnosed, draw, located
from sei.parts import part
from sei.records import BadCase, Diagnosis, Finding, PoolProblem, Rejection

FLAWS = ("answer", "order", "reading")
_TRIES_PER_DRAFT = 4  # a draft is given up after this many tries
_Read = tuple[Exemplar, Puzzle]


@part
class RuleInstructor:
    """The embedded instructor of the deduction domain.

    ``flaw_rate``: share of written puzzles with a flawed solution (a wrong answer, two persons in the wrong order, a
    reversed clue), and share of vague diagnoses. ``splice_rate``: share of drafts that take their question or relation
    from another exemplar, if it fits.
    """

    identity: ClassVar[str] = "instructor/deduction"
    version: ClassVar[int] = 1
    name: str = "deduction"
    flaw_rate: Annotated[float, Field(ge=0, le=1)] = 0.12
    splice_rate: Annotated[float, Field(ge=0, le=1)] = 0.5

    def diagnose(self, cases: Sequence[BadCase]) -> Iterator[Diagnosis]:
        """Yield one diagnosis per bad case: a keyphrase with its finding, or a typed rejection."""
        yield from diagnosed(cases, find_divergence, word_finding, VAGUE, self.flaw_rate)

    def traces(self, problem: PoolProblem) -> bool:
        """Tell whether the puzzle can be read and its solution follows from it."""
        return bool(_read_all([Exemplar(id=problem.id, question=problem.question, solution=problem.solution)])[0])

    def first_wrong_steps(self, cases: Sequence[Stepped]) -> Iterator[Located]:
        """Yield the step of each case's finding. A missing line counts as the last step."""
        yield from located(cases, self.diagnose([c.bad_case for c in cases]), _line_of)

    def solve(self, questions: Sequence[str]) -> Iterator[Worked]:
        """Yield the answer of every question, solved from its text and flawed at ``flaw_rate``, or a rejection."""
        for question in questions:
            try:
                yield Worked(answer=self._worked(question, (), draw("solve", question)).answer)
            except RefusedError as e:
                yield Worked(rejection=Rejection(stage="solve", reason=str(e.args[0]), detail=question[:300]))

    def write(self, requests: Sequence[SynthesisRequest]) -> Iterator[Reply]:
        """Yield one reply per request, with ``n`` drafts minus the rejected ones."""
        for request in requests:
            rng = draw("write", request.seed, request.error_type, request.index)
            known, rejections = _read_all(request.exemplars)
            drafts = []
            for _ in range(request.n if known else 0):
                try:
                    drafts.append(self._draft(known, rng))
                except RefusedError as e:
                    rejections.append(Rejection(stage="synthesize", reason=str(e.args[0])))
            yield Reply(drafts=tuple(drafts), rejections=tuple(rejections))

    def correct(self, cases: Sequence[BadCase]) -> Iterator[Reply]:
        """Yield every bad case's question with a new solution, flawed at ``flaw_rate``, or a rejection."""
        for case in cases:
            rng = draw("correct", case.problem.question, case.output)
            try:
                draft = self._worked(case.problem.question, (case.problem.id,), rng)
            except RefusedError as e:
                refused = Rejection(stage="synthesize", reason=str(e.args[0]), subject=case.problem.id)
                yield Reply(drafts=(), rejections=(refused,))
            else:
                yield Reply(drafts=(draft,))

    def _draft(self, known: Sequence[_Read], rng: random.Random) -> Draft:
        reason = "nothing_fits"
        for _ in range(_TRIES_PER_DRAFT):
            exemplar, puzzle = rng.choice(known)
            sources = [exemplar.id]
            if rng.random() < self.splice_rate:
                donor, other = rng.choice(known)
                puzzle = _spliced(puzzle, other, rng)
                sources += [donor.id] if donor is not exemplar else []
            try:
                puzzle = _recast(_shuffled(puzzle, [p for _, p in known], rng), [p for _, p in known], rng)
                return self._worked(tell(puzzle), tuple(sources), rng)
            except RefusedError as e:
                reason = str(e.args[0])
        raise RefusedError(reason)

    def _worked(self, question: str, sources: tuple[str, ...], rng: random.Random) -> Draft:
        """Solve a question from its text alone and make the solution flawed at ``flaw_rate``."""
        puzzle = read(question)
        pairs = puzzle.pairs()
        chain = arrange(pairs)
        stated = answer(puzzle.ask, chain)
        flaw = rng.choice(FLAWS) if rng.random() < self.flaw_rate else ""
        if flaw == "answer":
            stated = rng.choice([p for p in chain if p != stated])
        elif flaw == "order":
            i = rng.randrange(len(chain) - 1)
            swap = {chain[i]: chain[i + 1], chain[i + 1]: chain[i]}
            chain, stated = [swap.get(p, p) for p in chain], swap.get(stated, stated)
        elif flaw == "reading":
            i = rng.randrange(len(pairs))
            pairs[i] = (pairs[i][1], pairs[i][0])
        return Draft(question=question, solution=work(pairs, chain, stated), answer=stated, sources=sources, flaw=flaw)


def _line_of(case: Stepped, finding: Finding) -> int:
    lines = [i for i, line in enumerate(case.bad_case.output.split("\n")) if read_working(line)]
    return lines[min(finding.step, len(lines)) - 1]


def _read_all(exemplars: Sequence[Exemplar]) -> tuple[list[_Read], list[Rejection]]:
    """Read exemplars. An exemplar is rejected if its solution does not follow from its clues."""
    known, rejections = [], []
    for e in exemplars:
        try:
            puzzle = read(e.question)
            if (answer(puzzle.ask, arrange(puzzle.pairs())),) not in read_working(e.solution)[-1:]:
                raise RefusedError("wrong_solution")
            known.append((e, puzzle))
        except RefusedError as err:
            reason = f"exemplar_{err.args[0]}"
            rejections.append(Rejection(stage="synthesize", reason=reason, subject=e.id, detail=e.question[:300]))
    return known, rejections


def _spliced(puzzle: Puzzle, donor: Puzzle, rng: random.Random) -> Puzzle:
    """Give the puzzle the donor's question, or the donor's relation words."""
    if rng.random() < 0.5:
        return replace(puzzle, words=donor.words)
    persons = donor.ask.persons
    if persons:  # the same places in the new order
        chain, ours = arrange(donor.pairs()), arrange(puzzle.pairs())
        at = [chain.index(p) for p in persons]
        if max(at) >= len(ours):
            return puzzle
        persons = tuple(ours[i] for i in at)
    return replace(puzzle, ask=replace(donor.ask, persons=persons))


def _shuffled(puzzle: Puzzle, others: Sequence[Puzzle], rng: random.Random) -> Puzzle:
    """State the pairs with other sentences of the same directions, and in another order.

    Half of the drafts keep the order of the pairs, because that order may be the difficulty.
    """
    clues = list(puzzle.clues)
    for i, c in enumerate(clues):
        told = {o.frame for p in (puzzle, *others) for o in p.clues if (o.poles, o.negated) == (c.poles, c.negated)}
        clues[i] = replace(c, frame=rng.choice(sorted(told)))
    if rng.random() < 0.5:
        at = [i for i, c in enumerate(clues) if len(c.poles) == 1]
        stated = [clues[i].pairs()[0] for i in at]
        for i, c in zip(at, rng.sample([clues[i] for i in at], len(at)), strict=True):
            clues[i] = _stating(c, stated[at.index(i)])
    if rng.random() < 0.5:
        rng.shuffle(clues)
    return replace(puzzle, clues=tuple(clues))


def _stating(clue: Clue, pair: tuple[str, str]) -> Clue:
    """Return the sentence with the persons of a pair, arranged so that it states the pair."""
    return replace(clue, persons=pair if clue.upwards[0] else pair[::-1])


def _recast(puzzle: Puzzle, others: Sequence[Puzzle], rng: random.Random) -> Puzzle:
    """Replace the persons by other persons of the exemplars."""
    persons = list(puzzle.persons)
    seen = sorted({p for o in others for p in o.persons} - set(persons))
    cast = rng.sample(seen, len(persons)) if len(seen) >= len(persons) else rng.sample(persons, len(persons))
    role = dict(zip(persons, cast, strict=True))
    clues = tuple(replace(c, persons=tuple(role[p] for p in c.persons)) for c in puzzle.clues)
    return replace(puzzle, clues=clues, ask=replace(puzzle.ask, persons=tuple(role[p] for p in puzzle.ask.persons)))
