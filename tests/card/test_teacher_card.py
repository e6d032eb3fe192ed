"""``teacher_card=true``: an instructor is scored before money is spent on a run with it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from sei.card.make import teacher_card
from sei.card.settings import Card
from sei.estimate import Assumptions
from tests.compose import built
from tests.conftest import ROOT
from tests.doubles import Scripted
from tests.instructors.remote.fault_server import FaultServer
from tests.instructors.remote.teacher import Teacher, data_in

SMALL = (
    *("name=smoke", "teacher_card=true", "card.cases=20", "card.problems=12", "card.per_request=4"),
    *("instructor=openai_compatible", "instructor.usd_in=2.5", "instructor.usd_out=10.0"),
)


@pytest.fixture
def server():
    made = FaultServer(Teacher(wrong=0.25, slips=0.25), counted=True)
    yield made
    made.close()


def made(sei, server, *overrides):
    done = sei(*SMALL, f"instructor.base_url={server.url}", *overrides)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((sei.last_run() / "teacher_card.json").read_text()), done


def line(card, words):
    (found,) = [x for x in card["numbers"] if words in x["title"]]
    return found


def test_rules_are_scored_without_a_key_and_never_with_a_zero(sei):
    done = sei("name=smoke", "teacher_card=true", "card.cases=30")
    assert done.returncode == 0, done.stderr[-3000:]
    card = json.loads((sei.last_run() / "teacher_card.json").read_text())
    assert (card["instructor"], card["rows"]["human"]) == ("symbolic", False)
    agreed = line(card, "agreement with the step marked by construction")
    assert (agreed["n"], agreed["state"]) == (30, "measured")
    assert agreed["low"] < agreed["value"] < agreed["high"]
    for words in ("hold when it solves", "off contract", "ARI on the labelled phrases, the instructor", "USD a keyph"):
        assert (line(card, words)["state"], line(card, words)["value"]) == ("not asked", None)
    assert line(card, "ARI on the labelled phrases, reference")["n"] == 328
    assert "not asked" in done.stdout
    assert "| first wrong step | agreement" in (sei.last_run() / "teacher_card.md").read_text()


def test_a_model_behind_a_server_is_scored_as_the_estimate_said(sei, server):
    foreseen_by = sei(*SMALL, f"instructor.base_url={server.url}", "estimate=true")
    assert foreseen_by.returncode == 0, foreseen_by.stderr[-3000:]
    assert not server.log
    foreseen = json.loads((sei.last_run() / "estimate.json").read_text())
    kinds = {x["kind"]: x["requests"] for x in foreseen["lines"]}
    assert kinds == {"first step": 20, "keyphrase": 20, "error types": 4, "merge": 1, "problems": 3, "solved again": 12}
    card, done = made(sei, server)
    assert "estimate: what a teacher card asks of" in done.stdout  # it is shown first
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


ITEMS = ("a first wrong step", "a keyphrase", "a phrase grouped", "a problem written", "a problem solved")


def test_nothing_is_paid_twice(sei, server):
    first, _ = made(sei, server)
    asked = len(server.log)
    again, _ = made(sei, server)
    assert len(server.log) == asked
    assert again["spent"]["spent_usd"] == 0
    for x, y in zip(first["numbers"], again["numbers"], strict=True):
        assert (x == y) is (x["unit"] != "seconds")
    assert line(again, "seconds a keyphrase")["why"] == "20 of 20 answers were kept from earlier"


def test_replies_off_contract_are_counted_and_are_no_agreement(sei):
    honest = Teacher()

    def reply(body):
        text = body["messages"][0]["content"]
        if "find the first one that is wrong" not in text:
            return honest(body)
        return json.dumps({"reason": "so", "step": len(data_in(text)["steps"]) + 1})  # there is no such step

    server = FaultServer(reply)
    card, done = made(sei, server, "card.problems=0", "instructor.usd_in=null")
    server.close()
    assert (line(card, "agreement with the step")["n"], line(card, "agreement with the step")["value"]) == (20, 0.0)
    assert line(card, "where it names a step")["state"] == "unknown"
    off = line(card, "off contract")
    assert (off["n"], off["value"]) == (45, pytest.approx(20 / 45))
    assert off["why"] == "off_contract: 20"
    assert (
        line(card, "hold when" if "hold when" in str(card["numbers"]) else "problems written")["state"] == "not asked"
    )
    assert line(card, "USD a keyphrase")["state"] == "unknown"
    assert "no price is known" in done.stdout


def test_a_dry_run_shows_the_request_for_the_first_step(sei, server):
    done = sei(*SMALL, f"instructor.base_url={server.url}", "dry_run=true")
    assert done.returncode == 0, done.stderr[-3000:]
    assert not server.log
    assert done.stdout.count("first request: ") == 6
    assert "find the first one that is wrong" in done.stdout


def test_a_sweep_shows_its_instructors_side_by_side(sei, server):
    done = sei(*SMALL, f"instructor.base_url={server.url}", "instructor.model=small,large", "card.problems=4", "-m")
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


def test_an_instructor_of_ones_own_is_not_asked_what_it_cannot(tmp_path):
    """``Scripted`` has no ``first_wrong_steps`` and no ``solve``; nobody knows whether it costs anything."""
    parts = built("name=smoke")
    method = replace(parts["method"], diagnose=replace(parts["method"].diagnose, instructor=Named()))
    card = teacher_card(
        *(method, parts["data"], Card(cases=10, problems=4), Assumptions()),
        **{"folder": tmp_path, "estimate": False, "dry_run": False, "digest": ""},
    )
    assert line(card, "agreement with the step")["state"] == "not asked"
    assert line(card, "hold when it solves")["state"] == "not asked"
    assert line(card, "get a keyphrase")["value"] == 1.0
    assert line(card, "USD a keyphrase")["state"] == "unknown"


class Named(Scripted):
    """Names every error alike."""

    def diagnose(self, cases):
        from sei.records import Diagnosis, Keyphrase

        return (Diagnosis(bad_case=c, keyphrase=Keyphrase(bad_case=c, phrase="an error")) for c in cases)


def test_real_cases_that_rules_cannot_read_are_no_zero(sei, shared_data):
    rows = f"teacher_card_rows={shared_data}/badcases/bigbench-mistake.jsonl.gz"
    done = sei("name=smoke", "teacher_card=true", rows, "card.cases=20", "card.problems=0")
    assert done.returncode == 0, done.stderr[-3000:]
    card = json.loads((sei.last_run() / "teacher_card.json").read_text())
    agreed = line(card, "agreement with the step marked by a person")
    assert (agreed["state"], agreed["value"]) == ("not asked", None)
    assert agreed["why"] == "it can read none of these 20 rows: 20 no_reference_steps"
    assert line(card, "get a keyphrase")["state"] == "not asked"


def test_rows_are_refused_before_anything_is_sent(sei, server):
    done = sei(*SMALL, f"instructor.base_url={server.url}", "teacher_card_rows=nowhere.jsonl")
    assert done.returncode == 2
    assert "teacher_card_rows=FILE" in done.stderr
    assert not server.log
