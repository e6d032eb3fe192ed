"""Second opinion: another instructor diagnoses a sample. The agreement is reported and changes nothing."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from sei.outlook import Estimate, Outlook
from sei.parts import part
from sei.ports import Embedder, Instructor
from sei.records import Diagnosis, ErrorMap, Opinion, OpinionPair, Usage
from sei.returned import diagnosed, embedded


@part
class NoSecondOpinion:
    """No second instructor is asked."""

    identity: ClassVar[str] = "second_opinion/none"
    version: ClassVar[int] = 1

    def __call__(self, diagnoses: tuple[Diagnosis, ...], error_map: ErrorMap, *, seed: int) -> Opinion:
        """Return an empty opinion."""
        return Opinion()


@part
class SecondOpinion:
    """``instructor`` diagnoses ``sample`` bad cases again that the first instructor has diagnosed.

    Its phrase gets the error type of the nearest phrase (cosine) among all other bad cases of the round. The agreement
    is reported as Cohen's kappa on these types and as the plain share. ``similarity`` is the mean cosine between both
    phrases of a case, ``chance`` that between phrases of different cases.
    """

    identity: ClassVar[str] = "second_opinion/sample"
    version: ClassVar[int] = 1
    instructor: Instructor
    embedder: Embedder
    sample: Annotated[int, Field(ge=1)] = 50

    def __call__(self, diagnoses: tuple[Diagnosis, ...], error_map: ErrorMap, *, seed: int) -> Opinion:
        """Return both phrases and types of every sampled case, and the agreement."""
        named = [(k, t.name) for t in error_map.types for k in t.members]
        named.sort(key=lambda x: x[0].bad_case.problem.id)
        chosen = random.Random(f"second/{seed}").sample(range(len(named)), min(self.sample, len(named)))
        found = list(diagnosed(self.instructor, [named[i][0].bad_case for i in chosen]))
        usage = sum((d.usage for d in found), Usage())
        answered = [(i, d.keyphrase.phrase) for i, d in zip(chosen, found, strict=True) if d.keyphrase is not None]
        if not answered:
            return Opinion(n=len(chosen), refused=len(chosen), usage=usage)
        phrases = embedded(self.embedder, [k.phrase for k, _ in named])
        others = embedded(self.embedder, [phrase for _, phrase in answered])
        cosines = others @ phrases.T
        pairs = []
        for row, (i, phrase) in enumerate(answered):
            near = cosines[row].copy()
            near[i] = -2.0  # the case itself does not count
            type_name = named[int(np.argmax(near))][1]
            keyphrase, first_type = named[i]
            pairs.append(
                OpinionPair(
                    problem_id=keyphrase.bad_case.problem.id,
                    first=keyphrase.phrase,
                    second=phrase,
                    first_type=first_type,
                    second_type=type_name,
                    similarity=round(float(cosines[row, i]), 4),
                )
            )
        at = [i for i, _ in answered]
        rest = cosines[:, at][~np.eye(len(at), dtype=bool)]
        return Opinion(
            n=len(chosen),
            refused=len(chosen) - len(answered),
            similarity=round(float(np.mean([p.similarity for p in pairs])), 4),
            chance=round(float(rest.mean()), 4) if rest.size else 0.0,
            same_type=round(sum(p.first_type == p.second_type for p in pairs) / len(pairs), 4),
            kappa=kappa([p.first_type for p in pairs], [p.second_type for p in pairs]),
            pairs=tuple(pairs),
            usage=usage,
        )

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return the requests for the sample."""
        found = outlook.diagnosis(self.instructor, min(self.sample, outlook.bad))
        return replace(found, asks=tuple(replace(a, label="second opinion") for a in found.asks))


def kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Return Cohen's kappa of two labellings, or ``None`` if chance alone gives full agreement."""
    n = len(first)
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    a, b = Counter(first), Counter(second)
    chance = sum(a[x] * b[x] for x in a) / n**2
    return None if chance == 1 else round((agreed - chance) / (1 - chance), 4)
