"""What instructors made of rules share: draws fixed by content, and diagnoses from a finding."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence

from sei.exchange import Located, Stepped
from sei.records import BadCase, Diagnosis, Finding, Keyphrase, Rejection


def draw(*what: object) -> random.Random:
    """Return a generator that depends on what it is for and on nothing else."""
    return random.Random(hashlib.sha256("|".join(map(str, what)).encode()).hexdigest())


def diagnosed(
    cases: Sequence[BadCase],
    find: Callable[[str, str, str], Finding | str],
    word: Callable[[Finding, int], str],
    vague: Sequence[str],
    flaw_rate: float,
) -> Iterator[Diagnosis]:
    """Yield a keyphrase with the finding behind it, or a typed refusal, per bad case.

    ``find`` compares question, reference and attempt and returns a finding or the reason for none; ``word``
    puts a finding into words; a ``flaw_rate`` share stays vague, as a language model's would.
    """
    for case in cases:
        found = find(case.problem.question, case.problem.solution, case.output)
        if isinstance(found, str):
            rejection = Rejection(stage="diagnose", reason=found, subject=case.problem.id, detail=case.output[-300:])
            yield Diagnosis(bad_case=case, rejection=rejection)
            continue
        rng = draw("diagnose", case.problem.question, case.output)
        if rng.random() < flaw_rate:
            keyphrase = Keyphrase(bad_case=case, phrase=rng.choice(vague))
        else:
            keyphrase = Keyphrase(bad_case=case, phrase=word(found, rng.randrange(1000)), finding=found)
        yield Diagnosis(bad_case=case, keyphrase=keyphrase)


def located(
    cases: Sequence[Stepped], diagnoses: Iterator[Diagnosis], line_of: Callable[[Stepped, Finding], int]
) -> Iterator[Located]:
    """Yield the first wrong step behind each diagnosis; a vague one, or a refusal, points at none.

    ``line_of`` gives the line of the output, counted from 0, on which a finding stands.
    """
    for case, diagnosis in zip(cases, diagnoses, strict=True):
        finding = diagnosis.keyphrase.finding if diagnosis.keyphrase else None
        if finding is not None:
            yield Located(step=case.at_line(line_of(case, finding)))
            continue
        vague = Rejection(stage="first step", reason="vague", subject=case.bad_case.problem.id)
        yield Located(rejection=diagnosis.rejection or vague)
