"""A round that ends after its error types, on the page and in W&B: only existing results are shown."""

from __future__ import annotations

import json

import pytest

from sei.choice import DIAGNOSED
from sei.records import Diagnosis, ErrorMap, MapPoint, RefinedSet, RoundRecord, Synthesis, Trained
from sei.report.diagnosis import finish_diagnosis, write_diagnosis
from sei.report.page import make_page, make_sweep_page
from sei.report.page.build import gather
from sei.stages.given import GivenAttempts
from sei.store import Store
from sei.track.wandb import WandbRun
from tests.browser import CHROMIUM, browser
from tests.builders import error_type, graded, keyphrase, problem

GIVEN = {"file": "samples.jsonl", "layout": "lm-evaluation-harness", "outputs": 4, "left_out": {"no output": 2}}
SECTIONS = ["result", "types", "cases", "dropped", "cost", "config", "words"]


def record(cases=3):
    kind = error_type("lost a step", range(cases))
    phrases = [keyphrase(k.bad_case, "lost a step") for k in kind.members]
    points = tuple(MapPoint(problem_id=f"p{i}", phrase="x", error_type=kind.name, x=i, y=0.0) for i in range(cases))
    return RoundRecord(
        round=1,
        graded=(*(graded(problem(i), "wrong") for i in range(cases)), graded(problem(99), "right")),
        diagnoses=tuple(Diagnosis(bad_case=k.bad_case, keyphrase=k) for k in phrases),
        error_map=ErrorMap(types=(kind,) if cases else (), points=points),
        synthesis=Synthesis(candidates=()),
        refined=RefinedSet(scored=()),
        training=(),
        trained=Trained(checkpoint=GivenAttempts(outputs={}).checkpoint, curve=(), steps=0, tokens=0, examples=0),
        evaluation=(),
        scores={},
    )


def run_folder(folder, cases=3):
    made = record(cases)
    said = write_diagnosis(folder, made, Store(root=folder / "store"))
    about = {"experiment": "x", "seed": 0, "config_digest": "d", "attempts": GIVEN}
    return made, said, finish_diagnosis(folder, made, said, None if cases else "converged", about)


@pytest.mark.parametrize("cases", [0, 3])
def test_the_page_shows_no_model_and_no_scores(tmp_path, cases):
    _, said, summary = run_folder(tmp_path, cases)
    assert summary["stopped"] == (DIAGNOSED if cases else "converged")
    assert said["right"] == 1
    assert not {"synthesized", "refined", "trained_steps", "fixed"} & said.keys()
    data = gather(tmp_path)
    assert (data["given"], data["sets"], data["notes"]) == (GIVEN, [], [])
    assert len(data["cases"]) == data["rounds"][0]["bad_cases"] == cases
    assert not list(tmp_path.glob("round_1/synthetic.jsonl"))
    assert '"given":' in make_page(tmp_path).read_text(encoding="utf-8")


class Logged:
    """Records everything logged to a W&B run."""

    id = "run"

    def __init__(self):
        self.rows, self.artifacts = [], []

    def log(self, row):
        self.rows.append(row)

    def log_artifact(self, artifact, aliases):
        self.artifacts.append(artifact.type)


def test_wandb_gets_what_there_is(tmp_path):
    made, said, _ = run_folder(tmp_path)
    run = Logged()
    WandbRun(run, log_model=True, data=None).round(made, said, tmp_path / "round_1")
    assert run.artifacts == ["bad-cases", "error-types"]
    (row,) = run.rows
    assert {"round/cluster_map_picture", "round/bad_cases_table", "round/right"} <= row.keys()
    assert "round/refinement_scores" not in row


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_the_page_draws_what_was_given(tmp_path):
    for cases in (0, 3):
        run_folder(tmp_path / str(cases), cases)
        with browser(tmp_path / "profile") as page:
            page.open(make_page(tmp_path / str(cases)))
            assert page.js("[...document.querySelectorAll('main > section')].map(s => s.id)") == SECTIONS
            said = page.js("document.getElementById('result').textContent")
            assert "4 outputs of samples.jsonl" in said
            assert "left out: no output" in said
            assert page.complaints == []


def test_a_sweep_of_diagnoses_has_a_page(tmp_path):
    run_folder(tmp_path / "0")
    job = {"overrides": ["attempts=a"], "folder": str(tmp_path / "0"), "state": "done", "exit_code": 0, "seconds": 1.0}
    (tmp_path / "sweep.json").write_text(json.dumps({"jobs": {"0": job}}))
    assert make_sweep_page(tmp_path).is_file()
