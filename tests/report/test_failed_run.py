"""A failed run says in its folder and on its page why it ended, and shows its results so far."""

from __future__ import annotations

import json
import logging

import pytest

from sei.choice import Evaluated
from sei.grading import MathGrader
from sei.loop import SoFar
from sei.records import Checkpoint, Rejection
from sei.report.page.build import gather
from sei.report.page.files import FAILURE
from sei.report.run_report import RunReport
from sei.report.summary import score_dict
from sei.stages.grade import GoldCheck, scores
from sei.stages.harvest import NothingKeptError
from sei.store import Store
from tests.builders import graded, held_out, problem
from tests.compose import built


@pytest.fixture
def report(tmp_path) -> RunReport:
    parts = built()
    more = {"model": parts["model"], "method": parts["method"], "data": parts["data"]}
    store = Store(root=tmp_path / "store")
    return RunReport(folder=tmp_path, experiment="x", seed=0, rounds=2, config={}, store=store, **more)


def test_what_an_unfinished_round_found_is_written(report, tmp_path, caplog):
    found = SoFar(graded=(graded(problem(1), "wrong"), graded(problem(2), "right")))
    refused = (Rejection(stage="synthesize", reason="rouge_l", subject="sums"),)
    with caplog.at_level(logging.ERROR):
        report.failed(NothingKeptError("nothing was kept", refused), 3, 1, "in selfinstruct", found)
    lines = {p.name: len(p.read_text().splitlines()) for p in (tmp_path / "round_1").iterdir()}
    assert lines == {"attempts.jsonl": 2, "bad_cases.jsonl": 1, "dropped.jsonl": 1}
    failure = json.loads((tmp_path / FAILURE).read_text())
    assert failure == {"stage": "in selfinstruct", "round": 1, "exit_code": 3, "error": "nothing was kept"}
    assert "ended in selfinstruct of round 1 (exit 3): nothing was kept" in caplog.text


def test_the_page_of_a_failed_run_says_what_ended_it(report, tmp_path):
    base = {"scores": score_dict(scores([graded(held_out(1), "right")]))}
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "report.json").write_text(json.dumps(base))
    assert gather(tmp_path, so_far=0)["failure"] is None
    report.failed(SystemExit(143), 143, 1, "in finetune", SoFar())
    shown = gather(tmp_path, so_far=0)
    assert shown["failure"]["error"] == "interrupted; run the same command again to resume"
    assert shown["stopped"] == ""
    score = scores([graded(held_out(1), "right")])
    report.publish([Evaluated(checkpoint=Checkpoint(digest="x"), graded=(), scores=score)])
    assert gather(tmp_path, so_far=0)["failure"] is None  # the run continues in the same folder


def test_where_a_run_stands_is_told_by_its_store(tmp_path):
    store = Store(root=tmp_path)
    assert store.place == "before the first stage"
    check = GoldCheck(grader=MathGrader())
    store.once(check, (problem(1),))
    assert store.place == "after goldcheck"
    with pytest.raises(AttributeError):
        store.once(check, (None,))  # type: ignore[arg-type]
    assert store.place == "in goldcheck"
