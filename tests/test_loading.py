"""Run folders read back in Python: unfinished, failed or damaged runs, sweeps, and folders without a run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

import sei
from sei.errors import DataError
from tests.report.run_folders import HOSTILE, make_run
from tests.report.sweep_folders import make_sweep, summary


@pytest.fixture
def finished(tmp_path) -> Path:
    return composed(make_run(tmp_path / "run", 12, 9))


def composed(folder: Path) -> Path:
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)
    (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump({"name": "example", "rounds": 3}))
    return folder


def test_a_finished_run_is_read_from_its_summary(finished):
    run = sei.load(str(finished))
    assert (run.finished, run.failure, run.best.number) == (True, None, 2)
    assert [len(r.bad_cases) for r in run.rounds] == [12, 9]
    assert run.config == {"name": "example", "rounds": 3}
    assert len(run.scores()) == 9
    assert [n for n, _ in run.records("bad_cases")] == [1] * 12 + [2] * 9
    assert [s.round for _, s in run.records("scores", round=2)] == [2] * 3


def test_scores_of_several_answers_come_back_whole(finished):
    told = json.loads((finished / "summary.json").read_text())
    told["baseline"]["far"] |= {"samples": 2, "majority": 0.5, "pass_at": [[1, 0.4], [2, 0.6]]}
    (finished / "summary.json").write_text(json.dumps(told))
    row = next(s for s in sei.load(finished).scores() if (s.round, s.set) == (0, "far"))
    assert (row.samples, row.majority, row.pass_at) == (2, 0.5, ((1, 0.4), (2, 0.6)))


def test_a_base_that_was_only_evaluated_has_scores_alone(tmp_path):
    """``rounds=0``."""
    folder = composed(make_run(tmp_path, 12))
    told = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps({**told, "rounds": [], "best_round": 0}))
    run = sei.load(folder)
    assert (run.finished, run.best, run.rounds, {s.round for s in run.scores()}) == (True, None, (), {0})


def test_a_diagnosis_of_given_outputs_has_errors_and_no_scores(tmp_path):
    """``attempts=FILE`` trains nothing."""
    folder = composed(make_run(tmp_path, 12))
    told = json.loads((folder / "summary.json").read_text())
    about = {"attempts": {"file": "x.jsonl"}, "baseline": {}, "rounds": [{**told["rounds"][0], "scores": {}}]}
    (folder / "summary.json").write_text(json.dumps({**told, **about, "best_round": 0}))
    run = sei.load(folder)
    assert (run.finished, run.best, run.scores(), len(run.round(1).bad_cases)) == (True, None, [], 12)


def test_hostile_text_comes_back_as_it_was(tmp_path):
    run = sei.load(composed(make_run(tmp_path, 12, text=HOSTILE)))
    assert any(HOSTILE in b.problem.question for b in run.round(1).bad_cases)


def test_an_unfinished_run_has_the_rounds_that_were_made(tmp_path):
    run = sei.load(composed(make_run(tmp_path, 12, 9, finished=False)))
    assert (run.finished, run.failure, run.summary, run.best) == (False, None, {}, None)
    assert [r.number for r in run.rounds] == [1, 2]
    assert {s.round for s in run.scores()} == {0, 1, 2}
    assert "not finished, 2 rounds" in repr(run)


def test_a_run_that_failed_in_its_first_stage_can_be_loaded(tmp_path):
    composed(tmp_path)
    failure = {"stage": "in attempts", "round": 0, "exit_code": 74, "error": "disk full"}
    (tmp_path / "failure.json").write_text(json.dumps(failure))
    run = sei.load(tmp_path)
    assert (run.failure.stage, run.failure.exit_code, run.failure.error) == ("in attempts", 74, "disk full")
    assert (run.baseline, run.rounds, run.scores()) == ({}, (), [])
    assert "failed in attempts, 0 rounds" in repr(run)


def test_a_failure_after_an_earlier_end_is_told(finished):
    failure = {"stage": "in grade", "round": 1, "exit_code": 1, "error": "x"}
    (finished / "failure.json").write_text(json.dumps(failure))
    assert not sei.load(finished).finished


def broken(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("summary.json", "{", r"summary.json cannot be read"),
        ("summary.json", "[]", r"summary.json is not a JSON object"),
        ("summary.json", "{}", r"summary.json is broken: seed"),
        ("failure.json", "{}", r"failure.json lacks \['stage'"),
        ("failure.json", "[", r"failure.json cannot be read"),
        (".hydra/config.yaml", "a: [", r"config.yaml cannot be read"),
        ("sweep.json", "{", None),
    ],
)
def test_a_damaged_folder_is_named_with_what_is_wrong(finished, name, text, words):
    broken(finished, name, text)
    if words is None:
        assert sei.load(finished).finished, "a run inside the folder of a sweep has a summary of its own"
        return
    with pytest.raises(DataError, match=words):
        sei.load(finished)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("base/report.json", "{}", r"base/report.json lacks \['scores'\]"),
        ("round_1/report.json", '{"round": 1}', r"report.json lacks \['scores'\]"),
        (".hydra/config.yaml", "a: [", r"config.yaml cannot be read"),
    ],
)
def test_a_damaged_unfinished_folder_is_named_as_well(tmp_path, name, text, words):
    folder = composed(make_run(tmp_path, 12, finished=False))
    broken(folder, name, text)
    with pytest.raises(DataError, match=words):
        sei.load(folder)


@pytest.mark.parametrize("field", ["correct", "role", "ci95"])
def test_damaged_scores_are_named(finished, field):
    told = json.loads((finished / "summary.json").read_text())
    told["rounds"][1]["scores"]["far"][field] = {"not": "a score"}
    (finished / "summary.json").write_text(json.dumps(told))
    with pytest.raises(DataError, match=rf"{re.escape(str(finished))}.*far.{field}"):
        sei.load(finished)


@pytest.mark.parametrize(
    ("line", "words"), [("{", "line 13: not JSON"), ('{"problem": 1}', r"line 13: not a BadCase \(problem: ")]
)
def test_a_damaged_record_is_named_by_file_and_line(finished, line, words):
    path = finished / "round_1" / "bad_cases.jsonl"
    path.write_text(path.read_text() + line + "\n")
    run = sei.load(finished)
    with pytest.raises(DataError, match=rf"bad_cases\.jsonl {words}"):
        run.round(1).bad_cases  # noqa: B018


@pytest.mark.parametrize("made", [True, False])
def test_a_folder_without_a_run_is_refused(tmp_path, made):
    folder = tmp_path / "nothing"
    if made:
        folder.mkdir()
    with pytest.raises(DataError, match=r"nothing: there is no run here. Rule: .*summary.json"):
        sei.load(folder)
    with pytest.raises(DataError, match=r"no sweep here. Rule: its folder has sweep.json"):
        sei.load_sweep(folder)


def test_a_sweep_is_refused_by_name_and_read_by_another(tmp_path):
    jobs = [(["seed=0"], "done", summary(0, [50, 60], 1)), (["seed=1"], "failed", None), (["seed=2"], "running", None)]
    home = make_sweep(tmp_path / "sweep", jobs)
    for n in (0, 1):
        composed(home / str(n))
    (home / "1" / "failure.json").write_text(json.dumps({"stage": "s", "round": 0, "exit_code": 3, "error": "e"}))
    with pytest.raises(DataError, match=r"folder of a sweep.*0 \(seed=0\): done; 1 \(seed=1\): failed.*sei.load_sweep"):
        sei.load(home)
    runs = sei.load_sweep(home)
    assert {n: r.finished for n, r in runs.items()} == {0: True, 1: False}
    assert runs[1].failure.exit_code == 3
    moved = home.rename(tmp_path / "moved")
    assert sei.load_sweep(moved)[0].summary["seed"] == 0
