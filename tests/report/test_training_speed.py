"""The throughput of a fine-tune goes from its record to page and tracker, and stays out of comparisons."""

from __future__ import annotations

import json
from dataclasses import replace

import pydantic

from sei.records import StepLog, Throughput
from sei.report.folder import write_round
from sei.report.page.build import gather
from sei.store import digest
from sei.track.wandb import _speed
from tests.report.run_folders import make_record, make_run

FAST = Throughput(seconds=0.5, tokens_per_second=800.0, padding=0.25, peak_gib=3.5, mfu=0.4)
SLOW = Throughput(seconds=1.0, tokens_per_second=400.0, padding=0.05, peak_gib=4.0)
STEPS = tuple(StepLog(step=i, loss=1.0, tokens=9, throughput=t) for i, t in enumerate((SLOW, FAST, FAST), 1))


def test_a_step_is_the_same_whatever_its_throughput():
    bare = replace(STEPS[0], throughput=None)
    assert bare == STEPS[0]
    assert digest(bare) == digest(STEPS[0])
    assert pydantic.TypeAdapter(StepLog).validate_json('{"step": 1, "loss": 1.0, "tokens": 9}') == bare


def test_the_page_has_medians_and_the_peak(tmp_path):
    home = make_run(tmp_path / "run", 20)
    assert gather(home)["rounds"][0]["training"] is None
    record = make_record(1, 20, 25)
    write_round(home, replace(record, trained=replace(record.trained, curve=STEPS)), {"round": 1})
    shown = gather(home)["rounds"][0]["training"]
    assert shown == {"rate": 800.0, "padding": 0.25, "peak_gib": 4.0, "mfu": 0.4}
    rows = (home / "round_1" / "training.jsonl").read_text().splitlines()
    assert [json.loads(r)["throughput"]["seconds"] for r in rows] == [1.0, 0.5, 0.5]


def test_damaged_or_missing_numbers_leave_the_page_whole(tmp_path):
    home = make_run(tmp_path / "run", 20)
    (home / "round_1" / "training.jsonl").write_text('{"throughput": {"padding": 1}}\n')
    view = gather(home)
    assert view["rounds"][0]["training"] is None
    assert any("training.jsonl is damaged" in note for note in view["notes"])
    (home / "round_1" / "training.jsonl").unlink()
    assert gather(home)["rounds"][0]["training"] is None


def test_the_tracker_gets_what_is_known():
    assert _speed(StepLog(step=1, loss=1.0, tokens=9)) == {}
    assert _speed(STEPS[0])["train/tokens_per_second"] == 400.0
    assert ("train/mfu" in _speed(STEPS[0]), "train/mfu" in _speed(STEPS[1])) == (False, True)
