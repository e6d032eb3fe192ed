"""Cluster: keyphrases to error types (section 3.2), with exemplar and validation parts kept apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sei.parts import part
from sei.ports import Clusterer, Embedder
from sei.records import BadCase, ErrorMap, ErrorType, Finding, Keyphrase, MapPoint
from sei.signature import masked_signature
from sei.store import digest

Vectors = NDArray[np.float32]


@part
class Cluster:
    """Embeds two views of every keyphrase, lets the clusterer group them, names and splits the types.

    Views: the phrase (sentence embedding) and, where the diagnosis has one, the finding (relation and
    operations at the first wrong step). ``finding_weight`` is the share of the second view, 0 to 1.
    ``exemplar_share`` of a type's bad cases, by hash of the masked signature, are exemplars.
    """

    version: ClassVar[int] = 1
    clusterer: Clusterer
    embedder: Embedder
    finding_weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    exemplar_share: Annotated[float, Field(gt=0, le=1)] = 0.67

    def __call__(self, keyphrases: tuple[Keyphrase, ...], *, seed: int) -> ErrorMap:
        """Return the error types, largest first, with the criterion curve and a 2-D map."""
        if not keyphrases:
            return ErrorMap(types=())
        phrases = self.embedder.embed([k.phrase for k in keyphrases])
        vectors = two_views(phrases, keyphrases, self.finding_weight)
        grouping = self.clusterer.group(vectors, seed)
        members: dict[int, list[int]] = defaultdict(list)
        for i, label in enumerate(grouping.labels):
            members[label].append(i)
        ordered = sorted(members.values(), key=lambda m: (-len(m), m[0]))
        names = _names(ordered, vectors, keyphrases)
        name_of = {i: n for m, n in zip(ordered, names, strict=True) for i in m}
        points = _flat(vectors)
        return ErrorMap(
            types=tuple(self._type(n, [keyphrases[i] for i in m]) for n, m in zip(names, ordered, strict=True)),
            curve=grouping.curve,
            points=tuple(
                MapPoint(
                    problem_id=k.bad_case.problem.id,
                    phrase=k.phrase,
                    error_type=name_of[i],
                    x=round(float(points[i, 0]), 4),
                    y=round(float(points[i, 1]), 4),
                )
                for i, k in enumerate(keyphrases)
            ),
        )

    def _type(self, name: str, members: Sequence[Keyphrase]) -> ErrorType:
        exemplars: list[BadCase] = []
        validation: list[BadCase] = []
        for k in members:
            at = int(digest("exemplar", masked_signature(k.bad_case.problem.question))[:8], 16) / 16**8
            (exemplars if at < self.exemplar_share else validation).append(k.bad_case)
        if not exemplars:  # a type of one or two: synthesis needs at least one to start from
            exemplars, validation = validation[:1], validation[1:]
        return ErrorType(name=name, members=tuple(members), exemplars=tuple(exemplars), validation=tuple(validation))


def two_views(phrases: Vectors, keyphrases: Sequence[Keyphrase], weight: float) -> Vectors:
    """Join phrase vectors (n, d) with one-hot findings (n, f), both unit length, weighted; rows are unit length.

    A keyphrase without a finding stands on its phrase alone.
    """
    words = [_finding_words(k.finding) for k in keyphrases]
    at = {w: i for i, w in enumerate(sorted({w for ws in words for w in ws}))}
    second = np.zeros((len(keyphrases), max(1, len(at))), dtype=np.float32)
    for row, ws in enumerate(words):
        for w in ws:
            second[row, at[w]] = 1.0
    norms = np.linalg.norm(second, axis=1, keepdims=True)
    second = np.divide(second, norms, out=np.zeros_like(second), where=norms > 0)
    joined = np.hstack([np.sqrt(1 - weight) * phrases, np.sqrt(weight) * second])
    return np.asarray(joined / np.linalg.norm(joined, axis=1, keepdims=True), dtype=np.float32)


def _finding_words(f: Finding | None) -> tuple[str, ...]:
    if f is None:
        return ()
    words = (f"relation={f.relation}", f"operation={f.operation}", f"step={f.operation}>{f.written_operation}")
    return (*words, f"constant={f.expected}>{f.written}") if f.relation == "wrong_constant" else words


def _names(groups: Sequence[Sequence[int]], vectors: Vectors, keyphrases: Sequence[Keyphrase]) -> list[str]:
    """Name each group by its medoid phrase; equal names get a number."""
    names: list[str] = []
    seen: Counter[str] = Counter()
    for m in groups:
        rows = vectors[list(m)]
        medoid = m[int(np.argmax(rows @ rows.mean(axis=0)))]
        phrase = keyphrases[medoid].phrase
        seen[phrase] += 1
        names.append(phrase if seen[phrase] == 1 else f"{phrase} ({seen[phrase]})")
    return names


def _flat(vectors: Vectors) -> Vectors:
    """Project to two dimensions (principal components, sign fixed)."""
    if len(vectors) < 3:
        return np.array([[float(i), 0.0] for i in range(len(vectors))], dtype=np.float32)
    centred = vectors - vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    flat = centred @ axes[:2].T
    flat = np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))
    return np.asarray(flat * np.where(flat.sum(axis=0) < 0, -1.0, 1.0), dtype=np.float32)
