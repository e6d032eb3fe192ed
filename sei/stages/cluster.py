"""Cluster: group keyphrases into error types (section 3.2) and split each into exemplars and validation cases."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sei.exchange import Grouping
from sei.parts import IMMATERIAL, part
from sei.ports import Clusterer, Embedder
from sei.records import BadCase, ErrorMap, ErrorType, Finding, Keyphrase, MapPoint, Rejection
from sei.returned import embedded, grouped
from sei.signature import masked_signature
from sei.stages.review import Review, read_review
from sei.stages.type_names import stable_names
from sei.store import digest

Vectors = NDArray[np.float32]


@part
class Cluster:
    """Embeds two views of every keyphrase, lets the clusterer group them, and names and splits the types.

    The first view is the phrase (sentence embedding). The second is the diagnosis's finding, if it has one: the
    relation and operations at the first wrong step. ``finding_weight`` is the share of the second view, 0 to 1.
    A share ``exemplar_share`` of a type's bad cases, chosen by hash of the masked signature, are exemplars.
    ``review`` is the path of an edited ``error_types.yaml``, which overrides the clusterer.
    """

    identity: ClassVar[str] = "stage/cluster"
    version: ClassVar[int] = 4
    clusterer: Clusterer
    embedder: Embedder
    finding_weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    exemplar_share: Annotated[float, Field(gt=0, le=1)] = 0.67
    review: Annotated[str | None, IMMATERIAL] = None  # the key contains its text, not its path

    def __post_init__(self) -> None:
        """Refuse a missing or invalid review file before any cost arises."""
        self._reviewed()

    def reads(self) -> dict[str, str]:
        """Return the digest of the review file's text, if there is one."""
        found = self._reviewed()
        return {"review": digest(found.model_dump())} if found else {}

    def _reviewed(self) -> Review | None:
        return read_review(self.review) if self.review else None

    def __call__(
        self, keyphrases: tuple[Keyphrase, ...], *, seed: int, earlier: tuple[ErrorType, ...] = ()
    ) -> ErrorMap:
        """Return the error types, largest first, with the criterion curve and a 2-D map.

        ``earlier`` types only determine stable names: a type that continues an earlier one gets its stable name.
        """
        if not keyphrases:
            return ErrorMap(types=())
        phrases = [k.phrase for k in keyphrases]
        vectors = two_views(embedded(self.embedder, phrases), keyphrases, self.finding_weight)
        grouping = grouped(self.clusterer, phrases, vectors, seed)
        places = _places(grouping, vectors, keyphrases)
        rejections = [*grouping.rejections, *_without_type(keyphrases, places, "no_type")]
        reviewed = self._reviewed()
        if reviewed:
            seen, places = places, reviewed.place(phrases, places)
            taken = [None if a is not None and b is None else "" for a, b in zip(seen, places, strict=True)]
            rejections += _without_type(keyphrases, taken, "dropped_in_review")
        members: dict[str, list[Keyphrase]] = defaultdict(list)
        for k, place in zip(keyphrases, places, strict=True):
            if place is not None:
                members[place].append(k)
        ordered = sorted(members.items(), key=lambda m: -len(m[1]))  # stable sort: on ties the first seen is first
        return ErrorMap(
            types=self._followed([self._type(name, found, grouping.unnamed) for name, found in ordered], earlier),
            curve=grouping.curve,
            points=_points(keyphrases, places, vectors),
            rejections=tuple(rejections),
            usage=grouping.usage,
        )

    def _followed(self, types: Sequence[ErrorType], earlier: Sequence[ErrorType]) -> tuple[ErrorType, ...]:
        """Return the types with their stable names. Phrases of all rounds are embedded together."""
        groups = [t.members for t in (*types, *earlier)] if earlier else []
        phrases = [k for g in groups for k in g]
        vectors = embedded(self.embedder, [k.phrase for k in phrases]) if phrases else np.zeros((0, 1), np.float32)
        joined = two_views(vectors, phrases, self.finding_weight) if phrases else vectors
        parts = np.split(joined, np.cumsum([len(g) for g in groups])[:-1]) if groups else []
        return tuple(replace(t, stable=n) for t, n in zip(types, stable_names(types, earlier, parts), strict=True))

    def _type(self, name: str, members: Sequence[Keyphrase], unnamed: bool) -> ErrorType:
        exemplars: list[BadCase] = []
        validation: list[BadCase] = []
        for k in members:
            at = int(digest("exemplar", masked_signature(k.bad_case.problem.question))[:8], 16) / 16**8
            (exemplars if at < self.exemplar_share else validation).append(k.bad_case)
        if not exemplars:  # a small type: synthesis needs at least one exemplar
            exemplars, validation = validation[:1], validation[1:]
        return ErrorType(
            name=name,
            members=tuple(members),
            exemplars=tuple(exemplars),
            validation=tuple(validation),
            unnamed=unnamed,
        )


def two_views(phrases: Vectors, keyphrases: Sequence[Keyphrase], weight: float) -> Vectors:
    """Join phrase vectors (n, d) and one-hot findings (n, f), each of unit length and weighted, into unit rows.

    A keyphrase without a finding is represented by its phrase alone.
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


def _places(grouping: Grouping, vectors: Vectors, keyphrases: Sequence[Keyphrase]) -> list[str | None]:
    """Return the name of each keyphrase's type, or ``None`` without a type.

    Types have the clusterer's names, or else the phrase of their medoid. Equal names get numbers, larger types first.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for i, label in enumerate(grouping.labels):
        if label >= 0:
            members[label].append(i)
    places: list[str | None] = [None] * len(keyphrases)
    seen: Counter[str] = Counter()
    for label, m in sorted(members.items(), key=lambda x: (-len(x[1]), x[1][0])):
        rows = vectors[list(m)]
        medoid = m[int(np.argmax(rows @ rows.mean(axis=0)))]
        name = grouping.names[label] if grouping.names else keyphrases[medoid].phrase
        seen[name] += 1
        for i in m:
            places[i] = name if seen[name] == 1 else f"{name} ({seen[name]})"
    return places


def _without_type(keyphrases: Sequence[Keyphrase], places: Sequence[str | None], reason: str) -> list[Rejection]:
    return [
        Rejection(stage="cluster", reason=reason, subject=k.bad_case.problem.id, detail=k.phrase)
        for k, place in zip(keyphrases, places, strict=True)
        if place is None
    ]


def _points(keyphrases: Sequence[Keyphrase], places: Sequence[str | None], vectors: Vectors) -> tuple[MapPoint, ...]:
    flat = _flat(vectors)
    return tuple(
        MapPoint(
            problem_id=k.bad_case.problem.id,
            phrase=k.phrase,
            error_type=place,
            x=round(float(flat[i, 0]), 4),
            y=round(float(flat[i, 1]), 4),
        )
        for i, (k, place) in enumerate(zip(keyphrases, places, strict=True))
        if place is not None
    )


def _flat(vectors: Vectors) -> Vectors:
    """Project to two principal components with fixed signs."""
    if len(vectors) < 3:
        return np.array([[float(i), 0.0] for i in range(len(vectors))], dtype=np.float32)
    centred = vectors - vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    flat = centred @ axes[:2].T
    flat = np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))
    return np.asarray(flat * np.where(flat.sum(axis=0) < 0, -1.0, 1.0), dtype=np.float32)
