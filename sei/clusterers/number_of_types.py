"""What clusterers share: equal rows merged, fewer dimensions, and the number of types chosen without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sei.records import CurvePoint

Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]
Fit = Callable[[Vectors, NDArray[np.float64], Sequence[int]], dict[int, Labels]]
"""Unit rows (n, d), weights (n,) and numbers of types to labels (n,) by number."""

SAMPLE = 2000
"""The number of types is chosen on at most so many rows: a silhouette changes little with more."""


def merged(vectors: Vectors) -> tuple[Vectors, Labels, NDArray[np.float64]]:
    """Merge equal rows of (n, d): distinct rows (m, d), the row that each of the n became, and how many became it."""
    distinct, back, counts = np.unique(vectors.round(6), axis=0, return_inverse=True, return_counts=True)
    return distinct, np.asarray(back, dtype=np.int64), counts.astype(np.float64)


def unit(rows: NDArray[np.floating]) -> Vectors:
    """Return rows (n, d) at length 1; a row of zeros stays."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1.0), dtype=np.float32)


def components(rows: Vectors, dimensions: int) -> Vectors:
    """Project rows (n, d) on their first principal components, at most ``dimensions``; nothing is scaled.

    The mean is taken off, and with it what all phrases of errors have in common.
    """
    from sklearn.decomposition import PCA

    most = min(dimensions, len(rows) - 1, rows.shape[1])
    if most < 1:
        return rows
    return np.asarray(PCA(most, random_state=0).fit_transform(rows), dtype=np.float32)


def silhouette(rows: Vectors, weights: NDArray[np.float64], labels: Labels) -> float:
    """Mean silhouette by cosine distance of weighted unit rows, exact and without a matrix of distances.

    The mean cosine distance from x to a type is 1 - x · (mean of the type), so n * k products are enough
    (Rousseeuw 1987; a type of one counts 0).
    """
    k = int(labels.max()) + 1
    sums = np.zeros((k, rows.shape[1]))
    np.add.at(sums, labels, rows * weights[:, None])
    sizes = np.bincount(labels, weights=weights, minlength=k)
    apart = 1.0 - rows @ (sums / sizes[:, None]).T
    at = np.arange(len(rows))
    own_size = sizes[labels]
    own = apart[at, labels] * own_size / np.maximum(own_size - 1, 1)
    apart[at, labels] = np.inf
    other = apart.min(axis=1)
    largest = np.maximum(np.maximum(own, other), 1e-12)
    return float(np.average(np.where(own_size > 1, (other - own) / largest, 0.0), weights=weights))


def most_types(distinct: int, phrases: int, max_types: int, min_mean_size: float) -> int:
    """Return the largest number of types to try: below one per phrase, ``min_mean_size`` phrases a type on average."""
    return min(max_types, distinct - 1, int(phrases / min_mean_size))


OFTEN = 2
"""Each of a few phrases is a type of its own where it occurs so many times as often as members of a type must."""


def each_its_own(back: Labels, counts: NDArray[np.float64], most: int, members: float) -> Labels | None:
    """Return the distinct phrase of each as its type where phrases come from a short list; else ``None``.

    A short list: each of at most ``most`` distinct phrases occurs ``OFTEN`` times ``members`` or more; of two phrases
    it is enough that there are so many in all. No silhouette can find this: types of equal rows are perfect alone.

    Args:
        back: the distinct phrase of each phrase (n,).
        counts: how often each distinct phrase occurs (m,).
        most: the largest number of types.
        members: the smallest mean size of a type.
    """
    two = len(counts) == 2 and len(back) >= OFTEN * members
    if 2 <= len(counts) <= most and (two or counts.min() >= OFTEN * members):
        return back
    return None


def number_of_types(
    raw: Vectors, weights: NDArray[np.float64], fit: Fit, numbers: range, nulls: int, seed: int
) -> tuple[int, tuple[CurvePoint, ...]]:
    """Choose the number of types whose mean silhouette is furthest above that of data without groups.

    Data without groups: every principal component permuted on its own, so that spread stays and groups go
    (the reference of the gap statistic, Tibshirani and others 2001, with permutation for the uniform box).
    A plain silhouette of short phrases rises with the number of types by chance alone.

    Args:
        raw: principal components (n, d), not scaled.
        weights: phrases per row (n,).
        fit: makes labels from unit rows.
        numbers: numbers of types to try.
        nulls: permuted copies.
        seed: of permutation, and of the sample where there are more than ``SAMPLE`` rows.

    Returns:
        The number and the curve of differences.
    """
    rng = np.random.default_rng([seed, 1])
    if len(raw) > SAMPLE:
        taken = rng.choice(len(raw), SAMPLE, replace=False)
        raw, weights = raw[taken], weights[taken]
    copies = [rng.permuted(raw, axis=0) for _ in range(nulls)]
    scores = []
    for rows in map(unit, [raw, *copies]):
        scores.append({k: silhouette(rows, weights, found) for k, found in fit(rows, weights, numbers).items()})
    real, *chance = scores
    curve = [CurvePoint(num_types=k, score=round(real[k] - float(np.mean([c[k] for c in chance])), 4)) for k in numbers]
    return max(curve, key=lambda c: c.score).num_types, tuple(curve)
