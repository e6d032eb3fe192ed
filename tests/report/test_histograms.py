"""The picture of refinement scores."""

from __future__ import annotations

import random

import pytest

from sei.records import RefinedSet, Scored
from sei.report.histograms import largest_types, score_histograms
from tests.builders import candidates


def refined(**sizes: int) -> RefinedSet:
    rng = random.Random(0)
    return RefinedSet(
        scored=tuple(
            Scored(
                example=c,
                score=rng.random() if c.error_type != "flat" else 0.0,
                kept=i % 2 == 0,
                reason="r",
            )
            for i, c in enumerate(candidates(**sizes))
        )
    )


def test_a_few_types_with_most_candidates_are_drawn_first():
    groups = largest_types(refined(a=3, b=9, c=5), most=2)
    assert [(name, len(scored)) for name, scored in groups.items()] == [("b", 9), ("c", 5)]


@pytest.mark.long
def test_every_shape_of_a_round_gives_a_picture(tmp_path):
    many = {f"$type_{i}": 2 + i for i in range(15)}
    for i, shape in enumerate((refined(), refined(one=1), refined(flat=4, b=30), refined(**many))):
        path = tmp_path / f"{i}.png"
        score_histograms(shape, path)
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 2_000
