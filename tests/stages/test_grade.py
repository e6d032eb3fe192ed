"""Scores of a held-out set: Wilson's interval of the accuracy, or the whole range if nothing was counted."""

from __future__ import annotations

import pytest

from sei.stages.grade import scores
from sei.statistics import wilson
from tests.builders import graded, held_out


def test_a_score_has_the_wilson_interval_of_the_counted_problems():
    rows = [
        *(graded(held_out(i), "right") for i in range(3)),
        graded(held_out(3), "wrong"),
        graded(held_out(4), "unreadable", fault="grader"),
    ]
    found = scores(rows)["test"]
    assert (found.n, found.correct, found.grader_errors) == (4, 3, 1)
    assert found.ci95 == wilson(3, 4).ends == pytest.approx((0.3006, 0.9544), abs=1e-4)


def test_a_set_without_a_counted_answer_may_have_any_accuracy():
    found = scores([graded(held_out(0), "unreadable", fault="grader")])["test"]
    assert (found.n, found.ci95) == (0, (0.0, 1.0))
