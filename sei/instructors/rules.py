"""Functions for rule-based instructors: draws seeded by content, and diagnoses made from findings."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence

from sei.exchange import Located, Stepped
from sei.records import BadCase, Diagnosis, Finding, Keyphrase, Rejection


def draw(*what: object) -> random.Random:
    """Return a random generator that is seeded by the arguments alone."""
    return random.Random(hashlib.sha256("|".join(map(str, what)).encode()).hexdigest())


def diagnosed(
    cases: Sequence[BadCase],
    find: Callable[[str, str, str], Finding | str],
    word: Callable[[Finding, int], str],
    vague: Sequence[str],
    flaw_rate: float,
) -> Iterator[Diagnosis]:
    """Yield one diagnosis per bad case: a keyphrase with its finding, or a typed rejection.

    ``find`` compares question, reference and attempt. It returns a finding, or the reason why it found none. ``word``
    puts a finding into words. A share ``flaw_rate`` of the keyphrases is vague, as with a language model.
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
    """Yield the first wrong step of each case. A vague or rejected diagnosis yields a rejection instead.

    ``line_of`` returns the line of the output, counted from 0, that contains the finding.
    """
    for case, diagnosis in zip(cases, diagnoses, strict=True):
        finding = diagnosis.keyphrase.finding if diagnosis.keyphrase else None
        if finding is not None:
            yield Located(step=case.at_line(line_of(case, finding)))
            continue
        vague = Rejection(stage="first step", reason="vague", subject=case.bad_case.problem.id)
        yield Located(rejection=diagnosis.rejection or vague)
