"""Several answers per problem: avg@k with its interval, maj@k, pass@k, and which problems are bad cases."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest

import sei
from sei.records import Graded
from sei.stages.grade import bad_cases, scores, solved
from sei.stages.sampled import majority, pass_at
from sei.statistics import clustered, wilson
from tests.builders import graded, held_out, problem
from tests.compose import SHORT


def answers(of, *verdicts: str) -> list[Graded]:
    """Make answers to a problem: right, unreadable, or the stated wrong answer."""
    out = []
    for i, v in enumerate(verdicts):
        kind = v if v in ("right", "unreadable") else "wrong"
        one = graded(of, kind, extracted="" if kind == "unreadable" else v)
        out.append(replace(one, attempt=replace(one.attempt, sample=i)))
    return out


def test_pass_at_k_is_unbiased():
    for n, c, k in itertools.product(range(1, 6), range(6), range(1, 6)):
        if c <= n and k <= n:
            marks = [1] * c + [0] * (n - c)
            drawn = [max(x) for x in itertools.combinations(marks, k)]
            assert pass_at(c, n, k) == pytest.approx(sum(drawn) / len(drawn))


@pytest.mark.parametrize(
    ("verdicts", "right"),
    [
        (["right", "7", "7"], False),
        (["right", "right", "7"], True),
        (["right", "7", "8"], True),
        (["7", "right"], False),
        (["unreadable", "unreadable", "right"], True),
        (["unreadable"], False),
        (["12", "12.0", "$12", "right", "right"], False),
        (["1/3", r"\frac{1}{3}", "right"], False),
        (["B", "(B)", "right", "right"], False),
    ],
)
def test_the_majority_counts_equal_answers(verdicts, right):
    assert majority(answers(held_out(1), *verdicts)) is right


@pytest.mark.parametrize(
    ("said", "right"),
    [
        (["B", "(B)", "C", "C"], True),
        (["B", "(B) 5", "5", "C", "C"], True),
        (["C", "C", "So it must be option B"], False),
        (["option B", "B is correct", "C", "C", "I think B is correct."], True),
    ],
)
def test_options_are_voted_for_by_letter(said, right):
    """Three of five answers that chose B in three spellings lost to two C."""
    of = replace(held_out(1), answer="B", options=("(A) 4", "(B) 5", "(C) 6"))
    rows = [graded(of, "right" if "B" in x or "5" in x else "wrong", extracted=x) for x in said]
    assert majority([replace(g, attempt=replace(g.attempt, sample=i)) for i, g in enumerate(rows)]) is right


def test_equal_formulas_are_one_vote():
    rows = [graded(held_out(1), v, extracted=x) for x, v in (("x", "wrong"), ("x", "wrong"), ("x+1", "right"),
                                                             ("1+x", "right"), ("1 + x", "right"))]  # fmt: skip
    assert majority(rows)


def test_scores_of_several_answers():
    rows = answers(held_out(1), "right", "right", "7", "right") + answers(held_out(2), "7", "7", "unreadable", "right")
    (s,) = scores(rows).values()
    assert (s.n, s.correct, s.samples, s.majority) == (8, 4, 4, 0.5)
    assert s.accuracy == 0.5
    assert dict(s.pass_at) == {1: 0.5, 2: pytest.approx((1.0 + 0.5) / 2), 4: 1.0}
    assert s.ci95 == clustered([1, 1, 0, 1, 0, 0, 0, 1], [0, 0, 0, 0, 1, 1, 1, 1]).ends
    (one,) = scores(answers(held_out(1), "right")).values()
    assert (one.samples, one.majority, one.pass_at) == (1, None, ())


@pytest.mark.parametrize(
    ("verdicts", "wrong_in", "bad"),
    [
        (["7"], 0.5, True),
        (["right"], 0.5, False),
        (["unreadable"], 0.5, False),
        (["right", "7"], 0.5, True),
        (["right", "right", "7"], 0.5, False),
        (["right", "right", "7"], 0.3, True),
        (["7", "7", "right"], 1.0, False),
        (["unreadable", "7"], 0.5, True),
    ],
)
def test_a_bad_case_fails_in_a_share_of_its_answers(verdicts, wrong_in, bad):
    rows = answers(problem(1), *verdicts)
    assert [(b.extracted) for b in bad_cases(rows, wrong_in)] == (["7"] if bad else [])
    right = solved(rows, wrong_in)
    assert not (bad and (right.good or right.replay))


def test_answers_that_are_all_wrong_leave_room_for_doubt():
    rows = [a for i in range(4) for a in answers(held_out(i), "7", "7", "7")]
    (s,) = scores(rows).values()
    assert s.ci95 == wilson(0, 4).ends


def test_a_run_of_no_rounds_evaluates_with_several_answers(tmp_path, capsys):
    more = ("rounds=0", "engine.samples=4", "engine.temperature=0.8", f"store={tmp_path / 'store'}")
    run = sei.run([*SHORT, *more, f"hydra.run.dir={tmp_path / 'run'}"])
    summary = json.loads((tmp_path / "run" / "summary.json").read_text("utf-8"))
    test = summary["baseline"]["arithmetic_test"]
    assert summary["rounds"] == []
    assert (test["n"], test["samples"]) == (80, 4)
    assert set(test["pass_at"]) == {"1", "2", "4"}
    assert test["pass_at"]["1"] == pytest.approx(test["accuracy"])
    loaded = run.baseline["arithmetic_test"]
    assert (loaded.samples, dict(loaded.pass_at)[4]) == (4, test["pass_at"]["4"])
    said = capsys.readouterr().out
    assert "avg@4" in said
    assert "maj@4" in said
    (samples,) = (tmp_path / "run" / "base" / "lm_eval").glob("samples_arithmetic_test_*")
    rows = [json.loads(x) for x in samples.read_text("utf-8").splitlines()]
    assert len(rows) == 2 * 20
    assert {len(r["resps"][0]) for r in rows} == {4}
    flexible = [r["exact_match"] for r in rows if r["filter"] == "flexible-extract"]
    assert sum(flexible) / len(flexible) == pytest.approx(test["accuracy"])
