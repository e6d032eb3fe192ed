"""A run reports beforehand what its rules can follow; if synthesis keeps nothing, the message names the true cause."""

from __future__ import annotations

import logging

import pytest

from sei.instructors.ordering.instructor import RuleInstructor
from sei.instructors.symbolic.instructor import SymbolicInstructor
from sei.records import Rejection
from sei.stages.harvest import Harvest, NothingKeptError, Sieve
from sei.stages.traceable import tell_traceable
from tests.builders import pool, problem, screen


def said(caplog, instructor, problems) -> tuple[int, str]:
    with caplog.at_level(logging.INFO):
        tell_traceable(instructor, problems)
    (record,) = caplog.records
    return record.levelno, record.getMessage()


def test_the_embedded_domain_is_followed(caplog):
    level, words = said(caplog, SymbolicInstructor(), pool())
    assert level == logging.INFO
    assert "worked solutions in a sample" in words


@pytest.mark.parametrize("instructor", [SymbolicInstructor(), RuleInstructor()])
def test_solutions_that_rules_cannot_follow_are_warned_of(caplog, instructor):
    free = [problem(i, f"Prove lemma {i}.", solution="It is clear that x = 7.") for i in range(4)]
    level, words = said(caplog, instructor, free)
    assert level == logging.WARNING
    assert "follow 0 of 4" in words
    assert "It is clear that" in words
    assert "instructor=openai_compatible" in words


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("exemplar_untraced_operand", "instructor=openai_compatible"),
        ("rouge_l", "near_duplicate nearer to 1"),
        ("off_contract", "a stronger instructor"),
        ("disagreement", "instructor.agreement=false"),
        ("test_ngram", "kept apart"),
    ],
)
def test_the_remedy_is_that_of_the_reason_that_refused_most(reason, remedy):
    harvest = Harvest(["t"], Sieve((), screen(), 0.7), 1)
    harvest.rejections += [Rejection(stage="synthesize", reason=reason)] * 3
    harvest.rejections += [Rejection(stage="synthesize", reason="over_quota")]
    with pytest.raises(NothingKeptError, match=f"reasons: {reason} 3, over_quota 1. Remedy: .*{remedy}") as found:
        harvest.synthesis(wanted=True, remedy="a larger pool, or near_duplicate nearer to 1")
    assert ("near_duplicate" in str(found.value)) is (reason == "rouge_l")


def test_a_server_that_refuses_every_request_is_quoted():
    """A window of 4,096 tokens refused all requests for problems, and the remedy was a larger pool."""
    harvest = Harvest(["t"], Sieve((), screen(), 0.7), 1)
    words = "max_tokens=4200 cannot be greater than max_model_len=4096"
    harvest.rejections += [Rejection(stage="synthesize", reason="bad_request", detail=words)] * 3
    with pytest.raises(
        NothingKeptError, match=rf"bad_request 3 \(the server said: {words}\).*budget.per_request"
    ) as found:
        harvest.synthesis(wanted=True, remedy="a larger pool")
    assert "larger pool" not in str(found.value)
