"""A few phrases that occur often form their own types, with every clusterer that uses no language model."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from sei.clusterers.agglomerative import Agglomerative
from sei.clusterers.codebook import Codebook, read_codebook
from sei.clusterers.hdbscan import HDBSCAN
from sei.clusterers.kmeans import KMeans
from sei.clusterers.none import NoClustering
from sei.clusterers.shuffled import Shuffled
from sei.clusterers.ward import Ward
from sei.models.embedder import SentenceEmbedder
from sei.stages.cluster import Cluster
from tests.builders import keyphrase

MINILM = SentenceEmbedder()
ALL = [Ward(), KMeans(), Agglomerative(), HDBSCAN(), HDBSCAN(noise="drop"), Shuffled(inner=Ward())]
SIX = (
    "added instead of subtracting",
    "subtracted instead of adding",
    "forgot to carry a digit",
    "used a wrong conversion factor",
    "stopped before the last step",
    "misread the question",
)


def sizes(clusterer, phrases: list[str]) -> list[int]:
    """Return the sizes of the types, and check that equal phrases are in the same type."""
    labels = clusterer.group(phrases, MINILM.embed(phrases), 0).labels
    if not isinstance(clusterer, Shuffled):
        assert len(set(zip(phrases, labels, strict=True))) == len(set(phrases))
    assert sorted({*labels}) == list(range(max(labels) + 1))
    return sorted(Counter(labels).values())


@pytest.mark.parametrize("clusterer", ALL, ids=lambda c: type(c).__name__)
def test_six_phrases_of_twenty_each_are_six_types(clusterer):
    assert sizes(clusterer, [p for _ in range(20) for p in SIX]) == [20] * 6


@pytest.mark.parametrize("clusterer", ALL, ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("counts", [(20, 20), (30, 10), (25, 1)])
def test_two_phrases_are_two_types(clusterer, counts):
    phrases = [p for p, n in zip(SIX, counts, strict=False) for _ in range(n)]
    assert sizes(clusterer, phrases) == sorted(counts)


@pytest.mark.parametrize("clusterer", ALL, ids=lambda c: type(c).__name__)
def test_one_phrase_or_two_cases_are_one_type(clusterer):
    assert sizes(clusterer, [SIX[0]] * 40) == [40]
    assert clusterer.group(SIX[:2], MINILM.embed(SIX[:2]), 0).labels == (0, 0)


@pytest.mark.parametrize("clusterer", ALL[:3], ids=lambda c: type(c).__name__)
def test_phrases_that_vary_are_grouped_as_before(clusterer):
    phrases = [f"{p} in {w}" for p in SIX for w in ("a sum", "the sum", "one sum", "sums", "a total")]
    found = clusterer.group(phrases * 2, MINILM.embed(phrases * 2), 0)
    assert len(set(found.labels)) < len(phrases)
    assert found.curve


def test_a_codebook_has_its_own_types_and_no_clustering_one():
    types = read_codebook("packaged:school_mathematics").types[:6]
    phrases = [t.phrases[0] for t in types for _ in range(20)]
    found = Codebook(embedder=MINILM).group(phrases, MINILM.embed(phrases), 0)
    assert len(set(found.labels)) == 6
    assert set(NoClustering().group(phrases, np.zeros((120, 2), np.float32), 0).labels) == {0}


def test_the_stage_names_each_type_by_its_phrase():
    keys = tuple(keyphrase(i, SIX[i % 6]) for i in range(120))
    found = Cluster(clusterer=Ward(), embedder=MINILM)(keys, seed=0)
    assert {t.name: len(t.members) for t in found.types} == dict.fromkeys(SIX, 20)
