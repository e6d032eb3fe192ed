from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering as SklearnWard
from sklearn.metrics import adjusted_rand_score, silhouette_score

from sei.clusterers import agglomerative
from sei.clusterers.agglomerative import Agglomerative
from sei.clusterers.hdbscan import HDBSCAN
from sei.clusterers.kmeans import KMeans
from sei.clusterers.micro_clusters import merge_many
from sei.clusterers.number_of_types import merged, silhouette, unit
from sei.clusterers.ward import Ward, ward_cuts

ALL = [Ward(), KMeans(), HDBSCAN(), HDBSCAN(noise="drop")]


def blobs(groups: int, each: int, spread: float = 0.25, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(groups), each)
    return unit(unit(rng.normal(size=(groups, 40)))[labels] + spread * unit(rng.normal(size=(len(labels), 40)))), labels


def group(clusterer, vectors, seed=0):
    return clusterer.group([f"phrase {i}" for i in range(len(vectors))], vectors, seed)


@pytest.mark.parametrize("clusterer", ALL, ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("groups", [4, 9])
@pytest.mark.long
def test_clear_groups_are_found_without_labels(clusterer, groups):
    vectors, labels = blobs(groups, 15)
    found = np.array(group(clusterer, vectors).labels)
    kept = found >= 0
    assert kept.mean() > 0.8
    assert adjusted_rand_score(labels[kept], found[kept]) > 0.95


@pytest.mark.parametrize("clusterer", ALL, ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("n", [1, 2, 3, 20])
def test_few_phrases_are_no_crash_and_labels_leave_no_gap(clusterer, n):
    vectors, _ = blobs(1, n, spread=1.0)
    labels = group(clusterer, vectors).labels
    assert len(labels) == n
    assert sorted({*labels} - {-1}) == list(range(max(labels) + 1))
    assert n > 3 or set(labels) == {0}


@pytest.mark.parametrize("clusterer", ALL, ids=lambda c: type(c).__name__)
@pytest.mark.long
def test_equal_phrases_stay_together_and_alone_are_one_type(clusterer):
    vectors, _ = blobs(1, 1)
    assert set(group(clusterer, np.repeat(vectors, 50, axis=0)).labels) == {0}
    vectors = np.repeat(blobs(5, 8)[0], 3, axis=0)
    labels = np.array(group(clusterer, vectors).labels).reshape(-1, 3)
    assert (labels == labels[:, :1]).all()


@pytest.mark.parametrize("clusterer", [Ward(), KMeans()], ids=lambda c: type(c).__name__)
@pytest.mark.long
def test_the_curve_shows_every_number_and_its_best_is_taken(clusterer):
    result = group(clusterer, blobs(6, 12)[0])
    assert [c.num_types for c in result.curve] == list(range(3, 19))
    assert max(result.curve, key=lambda c: c.score).num_types == max(result.labels) + 1
    assert result == group(clusterer, blobs(6, 12)[0])


def test_noise_goes_to_the_nearest_type_or_to_none():
    """F31."""
    vectors, _ = blobs(4, 15)
    far = unit(np.random.default_rng(1).normal(size=(6, 40)))
    vectors = np.vstack([vectors, far])
    dropped = group(HDBSCAN(noise="drop"), vectors).labels
    placed = group(HDBSCAN(noise="nearest"), vectors).labels
    assert -1 in dropped
    assert -1 not in placed
    assert all(a == b for a, b in zip(dropped, placed, strict=True) if a >= 0)


def test_no_dense_place_is_one_type_under_either_policy():
    vectors = unit(np.random.default_rng(0).normal(size=(60, 40)))
    for noise in ("nearest", "drop"):
        assert set(group(HDBSCAN(noise=noise, min_size=25), vectors).labels) == {0}


def test_the_silhouette_without_a_matrix_is_the_one_with_it():
    vectors, labels = blobs(5, 8, spread=1.0)
    vectors, labels = np.repeat(vectors, 2, axis=0), np.repeat(labels, 2)
    labels[-2:] = 5
    full = silhouette_score(vectors, labels, metric="cosine")
    distinct, back, weights = merged(vectors)
    first = np.array([labels[np.flatnonzero(back == i)[0]] for i in range(len(distinct))])
    assert silhouette(distinct, weights, first) == pytest.approx(full, abs=1e-4)


def test_micro_clusters_of_few_rows_are_the_exact_tree():
    from sklearn.cluster import AgglomerativeClustering

    vectors, _ = blobs(6, 20, spread=1.0)
    ones = np.ones(len(vectors))
    average = AgglomerativeClustering(n_clusters=7, metric="cosine", linkage="average").fit_predict(vectors)
    ward = AgglomerativeClustering(n_clusters=7).fit_predict(vectors)
    assert adjusted_rand_score(merge_many(vectors, ones, "average", [7], 0)[7], average) == 1
    assert adjusted_rand_score(merge_many(vectors, ones, "ward", [7, 9], 0)[7], ward) == 1


def test_a_weight_is_as_good_as_repeated_rows():
    vectors, _ = blobs(4, 10, spread=1.0)
    weights = np.random.default_rng(0).integers(1, 4, size=len(vectors))
    repeated = np.repeat(vectors, weights, axis=0)
    once = merge_many(vectors, weights.astype(float), "ward", [5], 0)[5]
    many = merge_many(repeated, np.ones(len(repeated)), "ward", [5], 0)[5]
    assert adjusted_rand_score(np.repeat(once, weights), many) == 1


@pytest.mark.slow
@pytest.mark.parametrize("clusterer", [Agglomerative(exact_up_to=2000), Ward(exact_up_to=2000)])
@pytest.mark.long
def test_above_the_size_the_result_is_nearly_the_exact_one(clusterer):
    vectors, labels = blobs(8, 255, spread=0.4)
    many = adjusted_rand_score(labels, group(clusterer, vectors).labels)
    exact = adjusted_rand_score(labels, group(type(clusterer)(exact_up_to=4000), vectors).labels)
    assert many > exact - 0.02


def test_one_tree_cut_many_times_is_as_good_as_many_trees():
    grid = np.array(list(np.ndindex(6, 6)), dtype=np.float32)  # full of ties
    for rows in (blobs(5, 40, spread=0.8)[0], grid):
        for k, labels in ward_cuts(rows, np.ones(len(rows)), [2, 3, 7, 30, len(rows)]).items():
            assert labels.max() == k - 1
            assert adjusted_rand_score(SklearnWard(n_clusters=k).fit_predict(rows), labels) == 1


def test_below_the_size_agglomerative_never_takes_the_other_path(monkeypatch):
    monkeypatch.setattr(agglomerative, "merge_many", lambda *a: pytest.fail("micro-clusters of few phrases"))
    assert len(set(group(Agglomerative(), blobs(5, 12)[0]).labels)) == 5
