"""Obstacles that a newcomer met with their own rows, model and server."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from sei.__main__ import check
from sei.clusterers.none import NoClustering
from sei.clusterers.ward import Ward
from sei.data.own import Line
from sei.data.samples import of_lm_eval
from sei.errors import DataError, SeiError
from sei.grading import MathGrader
from sei.job import perform
from sei.records import ErrorMap, ErrorType, Keyphrase
from sei.report.run_report import RunReport
from sei.stages.grade import with_sound_gold
from tests.builders import case, problem
from tests.compose import SHORT, composed

LAST = "She reads 120 pages. 120/24=5 hours to read 120 pages"


def test_a_solution_that_states_no_answer_is_no_word_against_it():
    grader = MathGrader()
    assert grader.check_gold((problem(1, "How many hours?", answer="5", solution=LAST),)) == []
    stated = problem(1, "How many hours?", answer="5", solution=f"{LAST}\n#### 120")
    assert grader.check_gold((stated,)) == [stated.id]


def test_a_refused_gold_answer_shows_the_end_of_its_solution():
    from sei.exchange import DataSet

    bad = problem(1, "How many?", answer="5", solution="so\n#### 120")
    with pytest.raises(DataError, match=r"gold answer '5' of 'How many\?', solution ends 'so\\n#### 120'"):
        with_sound_gold(DataSet(pool=(bad, problem(2)), held_out=()), [bad.id], skip=False)


def unreadable(folder, *more: str):
    own = (*SHORT, "engine.max_new_tokens=2", f"store={folder / 'store'}", "tracker=none", *more)
    return perform(check(*composed(*own)), folder / "run")


def test_an_evaluation_never_stops_over_unreadable_answers(tmp_path, capsys):
    summary = unreadable(tmp_path, "rounds=0")
    assert summary["baseline"]["arithmetic_test"]["unreadable"] == 20
    assert "20 (20)" in capsys.readouterr().out


def test_a_run_that_stops_shows_the_scores_that_are_there(tmp_path, capsys):
    with pytest.raises(SeiError, match="state no result"):
        unreadable(tmp_path)
    said = capsys.readouterr().out
    assert "arithmetic_test" in said
    assert "so far: " in said
    assert "report.html" in said


def test_our_own_samples_say_which_answers_were_cut(tmp_path):
    unreadable(tmp_path, "rounds=0")
    (file,) = (tmp_path / "run" / "base" / "lm_eval").glob("samples_arithmetic_test_*")
    assert {json.loads(x)["finished"] for x in file.read_text("utf-8").splitlines()} == {False}
    lines = [Line(number=i, row=json.loads(x)) for i, x in enumerate(file.read_text("utf-8").splitlines())]
    assert {s.finished for s in of_lm_eval(file, lines)} == {False}


@pytest.mark.parametrize(
    ("phrases", "clusterer", "warned"),
    [
        (("adds", "drops", "reads"), Ward(), True),
        (("adds", "adds", "drops"), Ward(), False),
        (("adds", "drops", "reads"), NoClustering(), False),
    ],
)
def test_different_phrases_in_one_type_are_warned_of(caplog, phrases, clusterer, warned):
    members = tuple(Keyphrase(bad_case=case(problem(i), "0"), phrase=p) for i, p in enumerate(phrases))
    one = ErrorType(name="adds", members=members, exemplars=(), validation=())
    record = SimpleNamespace(error_map=ErrorMap(types=(one,)), round=1)
    report = SimpleNamespace(method=SimpleNamespace(cluster=SimpleNamespace(clusterer=clusterer)))
    RunReport._warn_of_one_type(report, record)
    assert ("3 different keyphrases became one error type, 'adds'" in caplog.text) is warned


@pytest.mark.parametrize(
    ("number", "listed", "warned"), [(1, "droops", True), (2, "droops", False), (1, "Drops", False)]
)
def test_misspelt_phrases_of_a_review_file_are_warned_of(caplog, tmp_path, number, listed, warned):
    file = tmp_path / "types.yaml"
    file.write_text(f"types: [{{name: a, phrases: [adds, {listed}]}}]")
    found = [SimpleNamespace(keyphrase=SimpleNamespace(phrase=p)) for p in ("adds", "drops")]
    report = SimpleNamespace(method=SimpleNamespace(cluster=SimpleNamespace(review=str(file))))
    RunReport._warn_of_unseen_phrases(
        report, SimpleNamespace(diagnoses=[*found, SimpleNamespace(keyphrase=None)], round=number)
    )
    assert (f"1 of its phrases belong to no bad case of round 1, such as {listed!r}" in caplog.text) is warned
