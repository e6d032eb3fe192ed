from __future__ import annotations

import pytest

from sei.grading import MathGrader
from sei.records import Problem
from tests.grading.border_cases import KINDS

GRADER = MathGrader()


def verdict(gold, output, more):
    problem = Problem(id="x", question=more.get("question", ""), answer=gold, options=more.get("options", ()))
    outcome = GRADER.grade(problem, output, finished=more.get("finished", True))
    return "error" if outcome.fault else outcome.verdict


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_gets_the_verdicts_that_are_due(kind):
    found = [(row, verdict(row[0], row[1], row[3] if len(row) > 3 else {})) for row in KINDS[kind]]
    assert [(row, got) for row, got in found if got != row[2]] == []


def test_each_kind_has_six_rows_or_more_and_both_verdicts():
    for kind, rows in KINDS.items():
        assert len({row[:2] for row in rows}) == len(rows), kind
        if kind != "gold answers that are none":
            assert len(rows) >= 6, kind
            assert len({row[2] for row in rows}) > 1, kind
