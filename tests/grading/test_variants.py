from __future__ import annotations

from collections import Counter

import pytest

from sei.grading import MathGrader
from sei.records import Problem
from tests.grading.variants import variants

GRADER = MathGrader()


@pytest.mark.long
def test_two_thousand_made_up_outputs_get_the_known_verdict():
    seen: Counter[str] = Counter()
    wrong = []
    for v in variants(2_000, seed=0):
        problem = Problem(id="x", question=v.question, answer=v.gold, options=v.options)
        outcome = GRADER.grade(problem, v.output)
        got = f"fault: {outcome.fault}" if outcome.fault else outcome.verdict
        seen[v.verdict] += 1
        if got != v.verdict:
            wrong.append((v, got))
    assert wrong == []
    assert min(seen["right"], seen["wrong"]) > 700
