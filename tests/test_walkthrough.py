"""``preview=true``: a few problems really go through every stage; everything is shown, and nothing is kept."""

from __future__ import annotations

import json

import pytest

from sei.__main__ import check
from sei.instructors.remote.terms import WATCHING
from sei.job import perform
from tests.builders import sums
from tests.compose import SHORT, composed
from tests.instructors.remote.fault_server import FaultServer

_QUESTION, _SOLUTION = sums(31, 12)
NEW = {"question": _QUESTION, "solution": _SOLUTION, "answer": "43"}
BAD = {"question": _QUESTION.replace("Ben", "Olivia"), "solution": _SOLUTION, "answer": "44"}


def teach(body) -> str:
    text = body["messages"][0]["content"]
    if "name the cause" in text:
        return json.dumps({"first_wrong_step": "", "keyphrase": "adds where it should multiply"})
    if "practice problems" in text:
        return json.dumps({"problems": [NEW, BAD]})
    return json.dumps({"solution": "31+12=43", "answer": "43"})


@pytest.fixture
def server():
    server = FaultServer(teach)
    yield server
    server.close()


def preview(folder, *more: str):
    cfg, choices = composed(*SHORT, "preview=true", f"store={folder / 'store'}", "tracker=none", *more)
    return perform(check(cfg, choices), folder / "run")


def test_each_stage_is_shown_with_its_decisions(tmp_path, capsys):
    preview(tmp_path)
    said = capsys.readouterr().out
    heads = ["first prompt of the target model", "attempts at ", "diagnoses and error types", " new problems, ",
             "refinement", "training rows", "held-out answers after that", "the instructor costs nothing"]  # fmt: skip
    assert [said.index(h) for h in heads] == sorted(said.index(h) for h in heads)
    assert "kept with score" in said
    assert said.count(": wrong, read as ") >= 3
    assert "held-out answers after that" in (tmp_path / "run" / "preview.txt").read_text("utf-8")


def test_nothing_of_it_is_kept(tmp_path):
    preview(tmp_path)
    assert not list((tmp_path / "store").rglob("rows.jsonl"))
    assert not (tmp_path / "run" / "summary.json").exists()
    assert WATCHING == []


def test_requests_replies_and_the_cost_of_all_are_shown(tmp_path, capsys, server):
    local = ("instructor=openai_compatible", f"instructor.base_url={server.url}", "instructor.usd_out=1.0")
    found = preview(tmp_path, *local, "refiner=none")
    said = capsys.readouterr().out
    assert said.count("request: keyphrase") >= 3
    assert '"keyphrase": "adds where it should multiply"' in said
    assert "-> read" in said
    assert "dropped: answer_mismatch" in said  # a problem with another answer in its solution
    assert "estimate: what the instructor would be asked" in said
    assert found["usd"] > 0
    assert json.loads((tmp_path / "run" / "preview_ledger.json").read_text("utf-8"))["observed"].keys() == {
        "attempt_length", "chars_per_token", "output_tokens",
    }  # fmt: skip
    sent = len(server.log)
    preview(tmp_path, *local, "refiner=none")
    assert len(server.log) == sent  # nothing is paid twice


def test_a_refused_reply_is_shown_with_its_reason(tmp_path, capsys, server):
    server.reply = lambda body: "I cannot." if "name the cause" in body["messages"][0]["content"] else teach(body)
    preview(tmp_path, "instructor=openai_compatible", f"instructor.base_url={server.url}")
    said = capsys.readouterr().out
    assert "I cannot." in said
    assert "-> refused: " in said


@pytest.mark.slow
def test_a_pool_without_a_bad_case_ends_with_words(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sei.walkthrough.bad_cases", lambda *_: ())
    assert preview(tmp_path) == {}
    assert "no bad case: nothing more to show" in capsys.readouterr().out
