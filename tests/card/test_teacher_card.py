"""``teacher_card=true``: scores an instructor before money is spent on a run with it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from sei.__main__ import check
from sei.build import build
from sei.card.make import teacher_card
from sei.errors import ConfigError, DataError
from sei.records import Diagnosis, Keyphrase
from tests.compose import composed
from tests.conftest import ROOT
from tests.doubles import Scripted, clustering
from tests.instructors.remote.fault_server import FaultServer
from tests.instructors.remote.teacher import Teacher, data_in

SMALL = (
    *("card.cases=20", "card.problems=12", "card.per_request=4", "instructor=openai_compatible"),
    *("instructor.usd_in=2.5", "instructor.usd_out=10.0"),
)
COMMAND = ("name=smoke", "teacher_card=true")
ITEMS = ("a first wrong step", "a keyphrase", "a phrase grouped", "a problem written", "a problem solved")


@pytest.fixture
def server():
    made = FaultServer(Teacher(wrong=0.25, slips=0.25), counted=True)
    yield made
    made.close()


@pytest.fixture
def made(tmp_path):
    """Return a function that makes a card in this process with a quick embedder, of a server or as configured."""

    def make(server=None, *overrides, instructor=None, **ahead):
        at = (*SMALL, f"instructor.base_url={server.url}") if server else ()
        plain = check(*composed("teacher_card=true", f"store={tmp_path}", *at, *overrides))
        method, data, card, assume = (build(plain[k], k, ()) for k in ("method", "data", "card", "assume"))
        diagnose = replace(method.diagnose, instructor=instructor) if instructor else method.diagnose
        method = replace(method, diagnose=diagnose, cluster=clustering())
        ahead = {"estimate": False, "dry_run": False, "folder": tmp_path, "digest": "", **ahead}
        return teacher_card(method, data, card, assume, **ahead)

    return make


def line(card, words):
    (found,) = [x for x in card["numbers"] if words in x["title"]]
    return found


def card_of(sei):
    return json.loads((sei.last_run() / "teacher_card.json").read_text())


@pytest.mark.slow
def test_rules_are_scored_without_a_key_and_never_with_a_zero(sei):
    done = sei(*COMMAND, "card.cases=30")
    assert done.returncode == 0, done.stderr[-3000:]
    card = card_of(sei)
    assert (card["instructor"], card["rows"]["human"]) == ("symbolic", False)
    agreed = line(card, "agreement with the step marked by construction")
    assert (agreed["n"], agreed["state"]) == (30, "measured")
    assert agreed["low"] < agreed["value"] < agreed["high"]
    for words in ("hold when it solves", "off contract", "ARI on the labelled phrases, the instructor", "USD a keyph"):
        assert (line(card, words)["state"], line(card, words)["value"]) == ("not asked", None)
    assert line(card, "ARI on the labelled phrases, reference")["n"] == 328
    assert "not asked" in done.stdout
    assert "| first wrong step | agreement" in (sei.last_run() / "teacher_card.md").read_text()


def test_a_model_behind_a_server_is_scored_as_the_estimate_said(made, server, tmp_path, capsys):
    foreseen = made(server, estimate=True)
    assert not server.log
    assert json.loads((tmp_path / "estimate.json").read_text()) == foreseen
    kinds = {x["kind"]: x["requests"] for x in foreseen["lines"]}
    assert kinds == {"first step": 20, "keyphrase": 20, "error types": 4, "merge": 1, "problems": 3, "solved again": 12}
    capsys.readouterr()
    card = made(server)
    assert "estimate: what a teacher card asks of local" in capsys.readouterr().out  # it is shown first
    assert len(server.log) == foreseen["requests"] == 60
    agreed, holds = line(card, "agreement with the step"), line(card, "hold when it solves")
    assert agreed["value"] == sum(s["said"] == s["marked"] for s in card["first_steps"]) / 20
    assert 0.4 < agreed["value"] < 1
    assert (holds["n"], holds["value"]) == (12, sum(p["holds"] for p in card["problems"]) / 12)
    assert 0 < holds["value"] < 1
    assert line(card, "ARI on the labelled phrases, the instructor")["n"] == 328
    assert (line(card, "off contract")["n"], line(card, "off contract")["value"]) == (60, 0.0)
    usd = sum(line(card, f"USD {x}")["value"] * line(card, f"USD {x}")["n"] for x in ITEMS)
    assert usd == pytest.approx(card["spent"]["spent_usd"])
    assert line(card, "seconds a keyphrase")["low"] >= 0


@pytest.mark.slow
def test_nothing_is_paid_twice(made, server):
    first = made(server)
    asked = len(server.log)
    again = made(server)
    assert len(server.log) == asked
    assert again["spent"]["spent_usd"] == 0
    for x, y in zip(first["numbers"], again["numbers"], strict=True):
        assert (x == y) is (x["unit"] != "seconds")
    assert line(again, "seconds a keyphrase")["why"] == "20 of 20 answers were kept from earlier"


def test_replies_off_contract_are_counted_and_are_no_agreement(made, capsys):
    honest = Teacher()

    def reply(body):
        text = body["messages"][0]["content"]
        if "find the first one that is wrong" not in text:
            return honest(body)
        return json.dumps({"reason": "so", "step": len(data_in(text)["steps"]) + 1})  # no step has this number

    server = FaultServer(reply)
    card = made(server, "card.problems=0", "instructor.usd_in=null")
    server.close()
    assert (line(card, "agreement with the step")["n"], line(card, "agreement with the step")["value"]) == (20, 0.0)
    assert line(card, "where it names a step")["state"] == "unknown"
    off = line(card, "off contract")
    assert (off["n"], off["value"], off["why"]) == (45, pytest.approx(20 / 45), "off_contract: 20")
    assert line(card, "problems written")["state"] == "not asked"
    assert line(card, "USD a keyphrase")["state"] == "unknown"
    assert "no price is known" in capsys.readouterr().out


def test_types_that_a_model_does_not_tell_apart_are_no_zero(made):
    """One type for all phrases is refused, as ``clusterer=llm`` refuses it in a run."""
    honest = Teacher()

    def reply(body):
        text = body["messages"][0]["content"]
        if "into error types" not in text:
            return honest(body)
        return json.dumps({"error_types": [{"name": "an error", "ids": [row["id"] for row in data_in(text)]}]})

    server = FaultServer(reply)
    card = made(server, "card.problems=0", "card.cases=3")
    server.close()
    found = line(card, "ARI on the labelled phrases, the instructor")
    assert (found["state"], found["value"]) == ("unknown", None)
    assert found["why"].endswith("328 keyphrases without a type, more than clusterer.max_left_out=0.2")
    assert (line(card, "off contract")["n"], line(card, "off contract")["why"]) == (10, "off_contract: 4")


def test_a_dry_run_shows_the_request_for_the_first_step(made, server, capsys):
    assert made(server, dry_run=True) == {}
    assert not server.log
    said = capsys.readouterr().out
    assert said.count("first request: ") == 6
    assert "find the first one that is wrong" in said


def test_rules_have_nothing_to_estimate(made):
    with pytest.raises(ConfigError, match="the instructor symbolic sends nothing and costs nothing"):
        made(estimate=True)


@pytest.mark.slow
def test_a_sweep_shows_its_instructors_side_by_side(sei, server):
    overrides = (f"instructor.base_url={server.url}", "instructor.model=small,large", "card.problems=4", "-m")
    done = sei(*COMMAND, *SMALL, *overrides)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "teacher cards, 95 % intervals" in done.stdout
    (folder,) = (sei.cwd / "multirun" / "smoke").iterdir()
    assert {j["state"] for j in json.loads((folder / "sweep.json").read_text())["jobs"].values()} == {"done"}
    table = (folder / "teacher_cards.md").read_text()
    assert table.splitlines()[0] == "|  |  | small | large |"
    assert "difference to small, on the same cases" in table
    command = [sys.executable, "-m", "sei.card", str(folder), "--markdown"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout == table


def test_no_card_below_a_folder_is_told(tmp_path):
    command = [sys.executable, "-m", "sei.card", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "teacher_card=true" in done.stderr


class Named(Scripted):
    """Names every error the same."""

    def diagnose(self, cases):
        return (Diagnosis(bad_case=c, keyphrase=Keyphrase(bad_case=c, phrase="an error")) for c in cases)


def test_an_instructor_of_ones_own_is_not_asked_what_it_cannot(made):
    """``Scripted`` has no ``first_wrong_steps`` and no ``solve``, and its cost is unknown."""
    card = made(None, "card.cases=10", "card.problems=4", instructor=Named())
    assert line(card, "agreement with the step")["state"] == "not asked"
    assert line(card, "hold when it solves")["state"] == "not asked"
    assert line(card, "get a keyphrase")["value"] == 1.0
    assert line(card, "USD a keyphrase")["state"] == "unknown"


def test_puzzles_are_scored_by_their_own_rules(made):
    """New problems are solved again from their text alone."""
    card = made(None, "card.cases=30", "instructor=deduction")
    assert card["rows"]["source"] == "built-in ordering puzzles"
    assert line(card, "agreement with the step")["value"] > 0.7
    holds = line(card, "hold when it solves")
    assert (holds["n"], holds["state"]) == (40, "measured")
    assert 0.6 < holds["value"] < 1.0
    sure = made(None, "card.cases=5", "instructor=deduction", "instructor.flaw_rate=0.0")
    assert line(sure, "hold when it solves")["value"] == 1.0


def test_real_cases_that_rules_cannot_read_are_no_zero(made, shared_data):
    card = made(None, f"teacher_card_rows={shared_data}/badcases/bigbench-mistake.jsonl.gz", "card.problems=0")
    agreed = line(card, "agreement with the step marked by a person")
    assert (agreed["state"], agreed["value"]) == ("not asked", None)
    assert agreed["why"] == "it can read none of these 50 rows: 50 no_reference_steps"
    assert line(card, "get a keyphrase")["state"] == "not asked"


def test_rows_are_refused_before_anything_is_sent(made, server):
    with pytest.raises(DataError, match="teacher_card_rows=FILE"):
        made(server, "teacher_card_rows=nowhere.jsonl")
    assert not server.log


def test_rows_without_a_card_are_refused():
    with pytest.raises(ConfigError, match=r"teacher_card_rows='x\.jsonl': only a teacher card reads these rows"):
        check(*composed("teacher_card_rows=x.jsonl"))


def test_without_types_of_the_rows_there_is_no_index(made, tmp_path):
    row = {"question": "2+2?", "steps": ["2+2=<<2+2=5>>5", "#### 5"], "first_wrong_step": 1}
    row["solution"] = "2+2=<<2+2=4>>4\n#### 4"
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row | {"id": str(i)}) + "\n" for i in range(6)))
    card = made(None, f"teacher_card_rows={tmp_path}/rows.jsonl", "card.problems=0")
    found = line(card, "ARI of its keyphrases")
    assert (found["state"], found["why"]) == ("unknown", "0 keyphrases with a known type, of 0 types")
