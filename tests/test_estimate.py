"""``estimate=true`` and ``dry_run=true``, compared with the requests of a real run."""

from __future__ import annotations

import json
import re

import pytest

from sei.estimate import Assumptions, generations, lines, of_round
from tests.compose import built
from tests.instructors.remote.fault_server import FaultServer
from tests.instructors.remote.teacher import Teacher

SMALL = (
    *("experiment=smoke", "tracker=local", "data.dev=20", "data.test=20", "instructor=openai_compatible"),
    *("instructor.usd_in=2.5", "instructor.usd_out=10.0", "clusterer=llm", "finetuner.schedule.steps=2"),
    *("budget.per_request=10", "budget.requests_at_once=3"),
)


@pytest.fixture
def server():
    made = FaultServer(Teacher(wrong=0.2), counted=True)
    yield made
    made.close()


def ran(sei, server, *overrides):
    done = sei(*SMALL, f"instructor.base_url={server.url}", *overrides)
    assert done.returncode == 0, done.stderr[-3000:]
    return sei.last_run(), done


@pytest.mark.slow
def test_an_estimate_from_a_smaller_run_holds_within_a_tenth(sei, server):
    small, _ = ran(sei, server, "data.pool=150", "budget.candidates=40")
    asked = len(server.log)
    larger = ("data.pool=400", "budget.candidates=120", "seed=1")
    found, done = ran(sei, server, *larger, "estimate=true", f"assume.ledger={small}/ledger.json")
    assert len(server.log) == asked  # an estimate asks nothing
    foreseen = json.loads((found / "estimate.json").read_text())
    assert "the target model generates at most" in done.stdout
    run, _ = ran(sei, server, *larger)
    ledger = json.loads((run / "ledger.json").read_text())["instructor"]
    kinds = {x["kind"]: x for x in foreseen["lines"]}
    assert set(kinds) == set(ledger["kinds"]) == {"keyphrase", "error types", "merge", "problems", "agreement"}
    assert foreseen["usd"] == pytest.approx(ledger["needed_usd"], rel=0.1)
    assert foreseen["requests"] == pytest.approx(len(server.log) - asked, rel=0.1)
    for name in ("input_tokens", "output_tokens"):
        assert foreseen[name] == pytest.approx(sum(k[name] for k in ledger["kinds"].values()), rel=0.1)
    again, _ = ran(sei, server, *larger, "estimate=true")  # attempts are in the store now: the bad cases are counted
    counted = {x["kind"]: x for x in json.loads((again / "estimate.json").read_text())["lines"]}
    assert counted["keyphrase"]["requests"] == ledger["kinds"]["keyphrase"]["requests"]
    assert counted["keyphrase"]["requests"] != round(0.4 * 400)


@pytest.mark.parametrize(
    ("synthesizer", "words", "n"),
    [
        ("llm2llm", "A student could not solve the problem below", 1),
        ("learning_from_error", "a student's wrong attempt at it", 3),
        ("metamath", "", 1),
        ("evol_instruct", "Below, as JSON, is a problem with a worked solution", 1),
        ("rejection_sampling", "", 0),
    ],
)
def test_baselines_are_estimated_by_their_own_requests(synthesizer, words, n):
    parts = built("experiment=smoke", f"synthesizer={synthesizer}", "instructor=openai_compatible")
    method, data = parts["method"], parts["data"].load()
    found = of_round(method, data, Assumptions())
    told = {x.kind: x for x in lines(found, 1, Assumptions())}
    if not n:  # the model writes its own solutions
        assert set(told) == {"keyphrase"}
        assert generations(found, data, 1)["sampled solutions of the pool"] == 8 * len(data.pool)
        return
    assert told["problems"].requests == round(40 / 0.7 / n)
    (shown,) = [a.samples for a in found.asks if a.kind == "problems"]
    assert {r.items for r in shown} == {n}
    assert all(words in r.messages[0][1] for r in shown)


def test_a_dry_run_prints_a_request_of_each_kind_and_asks_none(sei, server):
    done = sei(*SMALL, f"instructor.base_url={server.url}", "data.pool=60", "dry_run=true")
    assert done.returncode == 0, done.stderr[-3000:]
    assert not server.log
    for kind, words in {
        "keyphrase": "name the cause in one short phrase",
        "problems": "Write 10 new problems",
        "agreement": "Solve the problem below",
        "error types": "Group the phrases into error types",
        "merge": "names of error types",
    }.items():
        assert f"first request: {kind}" in done.stdout
        assert words in done.stdout
    assert done.stdout.count("first request: ") == 5  # but no correction, which this run does not use
    assert "How many" in done.stdout  # a problem of the pool, filled in


def test_an_embedded_instructor_has_nothing_to_estimate(sei):
    done = sei("experiment=smoke", "estimate=true")
    assert done.returncode == 2
    assert "SymbolicInstructor sends nothing and costs nothing" in done.stderr


def test_a_ledger_that_shows_nothing_is_refused(sei, server, tmp_path):
    (tmp_path / "ledger.json").write_text("{}")
    done = sei(*SMALL, f"instructor.base_url={server.url}", "estimate=true", f"assume.ledger={tmp_path}/ledger.json")
    assert done.returncode == 2
    assert "assume.ledger" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("target", ["llama3_8b", "qwen2_5_math_7b"])
def test_paper_presets_can_be_estimated_without_key_or_weights(sei, shared_data, target):
    done = sei(f"experiment=paper_{target}", "estimate=true", SEI_DATA=str(shared_data))
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [line for line in done.stdout.splitlines() if "problems" in line or "keyphrase" in line]
    assert len(rows) == 6  # two kinds, three rounds


def test_dollars_without_a_price_are_unknown_and_not_none(sei, monkeypatch):
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    found = sei("experiment=smoke", "tracker=none", "instructor=gemini", "estimate=true")
    assert found.returncode == 0, found.stderr
    assert re.search(r"│ +\? │", found.stdout)
    assert "no price is known" in found.stdout
    held = json.loads((sei.last_run() / "estimate.json").read_text())
    assert (held["usd"], held["lines"][0]["usd"]) == (None, None)
