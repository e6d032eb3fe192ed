"""Shared by clusterers: merging equal rows, reducing dimensions, and choosing the number of types without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sei.records import CurvePoint

Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]
Fit = Callable[[Vectors, NDArray[np.float64], Sequence[int]], dict[int, Labels]]
"""Maps unit rows (n, d), weights (n,) and numbers of types to labels (n,) by number."""

SAMPLE = 2000
"""The number of types is chosen on at most this many rows. More rows change the silhouette little."""


def require_limits(min_types: int, max_types: int) -> None:
    """Refuse limits that no number of types can meet.

    Raises:
        ValueError: if ``min_types`` is above ``max_types``.
    """
    if min_types > max_types:
        raise ValueError(
            f"min_types={min_types} must not be above max_types={max_types}: no number of types lies between them, and "
            "all bad cases would be one type"
        )


def merged(vectors: Vectors) -> tuple[Vectors, Labels, NDArray[np.float64]]:
    """Merge equal rows of (n, d). Return distinct rows (m, d), each row's index in them (n,), and counts (m,)."""
    distinct, back, counts = np.unique(vectors.round(6), axis=0, return_inverse=True, return_counts=True)
    return distinct, np.asarray(back, dtype=np.int64), counts.astype(np.float64)


def unit(rows: NDArray[np.floating]) -> Vectors:
    """Scale rows (n, d) to length 1. A row of zeros stays."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1.0), dtype=np.float32)


def components(rows: Vectors, dimensions: int) -> Vectors:
    """Project rows (n, d) on at most ``dimensions`` first principal components, without scaling.

    Centring removes what all phrases have in common.
    """
    from sklearn.decomposition import PCA

    most = min(dimensions, len(rows) - 1, rows.shape[1])
    if most < 1:
        return rows
    return np.asarray(PCA(most, random_state=0).fit_transform(rows), dtype=np.float32)


def silhouette(rows: Vectors, weights: NDArray[np.float64], labels: Labels) -> float:
    """Return the exact mean silhouette by cosine distance of weighted unit rows, without a distance matrix.

    The mean cosine distance from x to a type is 1 - x · (mean of the type), so n * k products suffice (Rousseeuw 1987;
    a type of one counts 0).
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
    """Return the largest number of types to try: fewer than distinct phrases, with a mean size of ``min_mean_size``."""
    return min(max_types, distinct - 1, int(phrases / min_mean_size))


OFTEN = 2
"""Phrases of a short list become types of their own if each occurs this many times the smallest mean type size."""


def each_its_own(back: Labels, counts: NDArray[np.float64], most: int, members: float) -> Labels | None:
    """Return each distinct phrase as its own type if the phrases come from a short list, else ``None``.

    A short list has 2 to ``most`` distinct phrases, and each occurs at least ``OFTEN * members`` times. With two
    distinct phrases a total of that many is enough. A silhouette cannot find this case, because types of equal rows are
    always perfect.

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
    """Choose the number of types with the mean silhouette furthest above that of data without groups.

    Data without groups: each principal component is permuted independently, which keeps the spread and removes groups.
    This is the reference of the gap statistic (Tibshirani and others 2001), with permutation instead of a uniform box.
    The plain silhouette of short phrases grows with the number of types by chance alone.

    Args:
        raw: unscaled principal components (n, d).
        weights: phrases per row (n,).
        fit: makes labels from unit rows.
        numbers: numbers of types to try.
        nulls: the number of permuted copies.
        seed: seeds the permutations, and the sample if there are more than ``SAMPLE`` rows.

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
