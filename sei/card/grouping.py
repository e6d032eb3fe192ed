"""How well error types are found in the instructor's keyphrases, and by the instructor in labelled phrases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from sei.card.meter import Meter
from sei.card.numbers import Number, index, not_asked, unknown
from sei.card.phrases import agreement, labelled
from sei.clusterers.llm import LLMClusterer
from sei.errors import TooManyBadRecordsError
from sei.exchange import Grouping
from sei.instructors.remote.instructor import OpenAICompatible
from sei.outlook import costs
from sei.ports import Instructor
from sei.records import Keyphrase
from sei.stages.cluster import Cluster, two_views

PHRASES = "error types"


def of_keyphrases(types: Sequence[str], keyphrases: Sequence[Keyphrase], cluster: Cluster, seed: int) -> list[Number]:
    """Return how well the configured clusterer recovers the known types from the instructor's keyphrases."""
    titles = [f"{name} of its keyphrases, grouped by the configured clusterer" for name in ("ARI", "AMI")]
    if len(set(types)) < 2 or len(types) < 3:
        why = f"{len(types)} keyphrases with a known type, of {len(set(types))} types"
        return [unknown(PHRASES, t, "index", why) for t in titles]
    phrases = [k.phrase for k in keyphrases]
    vectors = two_views(cluster.embedder.embed(phrases), keyphrases, cluster.finding_weight)
    try:
        groups = cluster.clusterer.group(phrases, vectors, seed).labels
    except TooManyBadRecordsError as e:
        return [unknown(PHRASES, t, "index", str(e)) for t in titles]
    found = agreement(types, groups)
    why = f"types: {len(set(types))}, groups: {len({*groups} - {-1})}"
    return [index(PHRASES, t, len(types), found[t[:3]], why) for t in titles]


def as_clusterer(instructor: Instructor, meter: Meter) -> list[Number]:
    """Let the instructor group the labelled phrases in batches of 100, as ``clusterer=llm`` does."""
    who = "the instructor as clusterer (clusterer=llm)"
    if not isinstance(instructor, OpenAICompatible):
        return _all_titles(who, "clusterer=llm needs a model behind a server")
    phrases = [x.phrase for x in labelled()]

    def grouping() -> Iterator[Grouping]:
        yield LLMClusterer(instructor=instructor).group(phrases, np.zeros((len(phrases), 1), np.float32), 0)

    before = _replies(instructor)
    try:
        (found,) = meter.ask("grouping", grouping(), 1, lambda g: (g.usage, None), lambda _: len(phrases))
    except TooManyBadRecordsError as e:
        for reason in (_replies(instructor) - before).elements():  # the error does not carry the replies
            meter.count(reason)
        return [unknown(PHRASES, t, "index", str(e).split(";")[0]) for t in _titles(who)]
    refused = [r.reason for r in found.rejections]
    for reason in (*refused, *[""] * (found.usage.requests - len(refused))):
        meter.count(reason)
    return [*_on_labelled(who, found.labels), *meter.numbers(PHRASES, "a phrase grouped", "grouping", waves=True)]


def _replies(instructor: OpenAICompatible) -> Counter[str]:
    """Count an instructor's replies so far by reason of rejection. The reason of used replies is empty."""
    spent = instructor.spent()
    refused = Counter(spent.get("rejected", {}))
    refused[""] = sum(k["requests"] for k in spent.get("kinds", {}).values()) - refused.total()
    return refused


def reference(cluster: Cluster, seed: int) -> list[Number]:
    """Group the labelled phrases by the configured clusterer, as a reference without the instructor."""
    who = "reference: the configured clusterer"
    if costs(cluster.clusterer):
        return _all_titles(who, "the configured clusterer asks an instructor itself")
    phrases = [x.phrase for x in labelled()]
    labels = cluster.clusterer.group(phrases, cluster.embedder.embed(phrases), seed).labels
    return _on_labelled(who, labels)


def _titles(who: str) -> list[str]:
    return [f"{name} on the labelled phrases, {who}" for name in ("ARI", "AMI")]


def _all_titles(who: str, why: str) -> list[Number]:
    return [not_asked(PHRASES, t, "index", why) for t in _titles(who)]


def _on_labelled(who: str, labels: Sequence[int]) -> list[Number]:
    """Return both indices on all labelled phrases. ``why`` gives them for the half that chose no settings."""
    known = labelled()
    report = [i for i, x in enumerate(known) if x.half == "report"]
    every = agreement([x.type for x in known], labels)
    half = agreement([known[i].type for i in report], [labels[i] for i in report])
    out = []
    for title in _titles(who):
        part = half[title[:3]]
        why = f"groups: {len({*labels} - {-1})}; report half (n={len(report)}): {part.mean:.3f}"
        out.append(index(PHRASES, title, len(known), every[title[:3]], why))
    return out
