"""Offline logs are read back from W&B's own file."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from sei.errors import ConfigError
from sei.records import StepLog
from sei.track.local import LocalTracker
from sei.track.several import SeveralTrackers
from sei.track.wandb import WandbRun, WandbTracker
from tests import stopping
from tests.conftest import Sei
from tests.wandb_files import COMMAND, history, records, values


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> tuple[Sei, Path]:
    home = tmp_path_factory.mktemp("wandb")
    sei = Sei(home, home / "store")
    done = sei(*COMMAND)
    assert done.returncode == 0, done.stderr[-2000:]
    return sei, sei.last_run()


def test_rounds_curves_and_counts_are_those_of_the_summary(fresh):
    run = fresh[1]
    summary = json.loads((run / "summary.json").read_text())
    rows = [values(r) for r in history(run)]
    by_round = {r["round"]: r for r in rows if "round" in r}
    assert set(by_round) == {0, 1, 2}
    scores = [summary["baseline"], *(r["scores"] for r in summary["rounds"])]
    for number, stage in enumerate(scores):
        for name, score in stage.items():
            assert by_round[number][f"eval/{name}/accuracy"] == score["accuracy"]
    for r in summary["rounds"]:
        row = by_round[r["round"]]
        for count in ("bad_cases", "synthesized", "refined", "fixed", "broken", "kept", "trained_tokens"):
            assert row[f"round/{count}"] == r[count], count
        assert row["round/seconds/finetune"] == r["seconds"]["finetune"]
        assert row["round/cluster_map._type"] == "plotly-file"
        assert row["round/bad_cases_table._type"] == "table-file"
    steps = [r["train/step"] for r in rows if "train/step" in r]
    assert steps == list(range(1, 9))
    assert by_round[2]["round/error_type_flow._type"] == "image-file"


def test_steps_go_on_from_round_to_round():
    """Rounds of 6, 3 and 2 steps were drawn over one another."""
    logged: list[dict] = []
    run = WandbRun(SimpleNamespace(log=logged.append), log_model=False, data=None)
    for number, steps in enumerate((6, 3, 2), 1):
        curve = tuple(StepLog(step=i, loss=1.0, tokens=1) for i in range(1, steps + 1))
        trained = SimpleNamespace(steps=steps, curve=curve)
        with pytest.raises(KeyError):  # an empty report: the curve comes first
            run.round(SimpleNamespace(round=number, trained=trained, scores={}), {}, Path())
    assert [r["train/step"] for r in logged if "train/step" in r] == list(range(1, 12))


def test_rounds_and_steps_have_axes_of_their_own(fresh):
    metrics = [r["metric"] for r in records(fresh[1]) if r["type"] == "metric"]
    axes = {m.get("glob_name"): m.get("step_metric") for m in metrics}
    assert axes["eval/*"] == axes["round/*"] == "round"
    assert axes["train/*"] == "train/step"


def artifacts(run: Path) -> dict[str, dict]:
    """Return the logged artifacts by name and version, such as ``model:best``."""
    found = {}
    for r in records(run):
        versions = set(r["artifact"]["aliases"]) - {"latest"} if r["type"] == "artifact" else set()
        for version in versions:  # tables, which W&B turns into artifacts itself, have none
            found[f"{r['artifact']['name']}:{version}"] = r["artifact"]
    return found


def kind(name: str) -> tuple[str, str]:
    """Return an artifact's name without the run's id, and its version."""
    head, version = name.split(":")
    return head.rsplit("-", 1)[0], version


def test_curated_data_and_the_model_are_artifacts(fresh):
    files = {kind(k): {c["path"] for c in a["manifest"]["contents"]} for k, a in artifacts(fresh[1]).items()}
    assert {"dataset/train.jsonl", "refined.jsonl"} <= files["curated-data", "round-1"] & files[
        "curated-data", "round-2"
    ]
    assert files["bad-cases", "round-1"] == {"bad_cases.jsonl"}
    assert "model.safetensors" in files["model", "best"]


def test_a_model_leads_back_to_the_bad_cases_of_each_round(fresh):
    run = fresh[1]
    logged = artifacts(run)
    made_from = {name: json.loads(a["metadata"])["made_from"] for name, a in logged.items()}
    assert all(source in logged for sources in made_from.values() for source in sources)
    best = json.loads((run / "summary.json").read_text())["best_round"]
    (model,) = (name for name in logged if name.startswith("model-"))
    seen, left = set(), [model]
    while left:
        seen.add(left[0])
        left = left[1:] + made_from[left[0]]
    line = ("bad-cases", "error-types", "synthetic-data", "curated-data")
    assert {kind(name) for name in seen - {model}} == {
        (part, f"round-{n}") for part in line for n in range(1, best + 1)
    }
    assert not any(made_from[name] for name in logged if name.startswith("bad-cases-"))


def test_the_cluster_map_can_be_hovered(fresh):
    (path,) = (fresh[1] / "wandb").rglob("cluster_map_5_*.plotly.json")
    figure = json.loads(path.read_text())
    shown = [text for trace in figure["data"] for text in trace["text"]]
    assert len(shown) == len((fresh[1] / "round_1" / "keyphrases.jsonl").read_text().splitlines())
    assert all("<b>" in text for text in shown)


@pytest.mark.slow
def test_a_job_of_store_hits_logs_as_much_as_a_fresh_one(fresh):
    sei, run = fresh
    done = sei(*COMMAND)
    assert "0 results made" in done.stdout, done.stderr[-2000:]
    assert [values(r) for r in history(sei.last_run())] == [values(r) for r in history(run)]


@pytest.mark.slow
def test_jobs_of_a_sweep_are_grouped_under_ids_of_their_own(fresh):
    sei, _ = fresh
    done = sei(*COMMAND, "rounds=1", "refiner=one_shot_step,none", "-m")
    assert done.returncode == 0, done.stderr[-2000:]
    runs = [r["run"] for f in sei.cwd.glob("multirun/smoke/*/?") for r in records(f) if r["type"] == "run"]
    (sweep,) = (sei.cwd / "multirun" / "smoke").iterdir()
    assert [r["run_group"] for r in runs] == [sweep.name] * 2
    assert len({r["run_id"] for r in runs}) == 2


@pytest.mark.slow
def test_a_terminated_run_is_marked_as_preempted(tmp_path):
    """F21."""
    code, _, err = stopping.stop_when(tmp_path, "finetune       ", signal.SIGTERM, "tracker=wandb_offline")
    assert code == 143, err[-2000:]
    (run,) = (tmp_path / "outputs" / "smoke").iterdir()
    types = [r["type"] for r in records(run)]
    assert "preempting" in types
    assert [r["exit"]["exit_code"] for r in records(run) if r["type"] == "exit"] == [143]


class Deaf:
    """A tracker whose runs cannot be closed."""

    def start(self, name, config, folder, *, group, run_id):
        return self

    def finish(self, summary, exit_code):
        raise ConnectionResetError("gone")


def test_several_trackers_run_at_once_whichever_fails_to_close(tmp_path, caplog):
    closed = []

    class Counted(LocalTracker):
        def start(self, *given, **named):
            run = super().start(*given, **named)
            run.finish = lambda *_: closed.append(run)
            return run

    (tmp_path / "a").mkdir()
    several = SeveralTrackers(trackers={"first": Deaf(), "second": Counted()})
    run = several.start("n", {}, tmp_path / "a", group="", run_id="r")
    run.runs["first"].baseline = lambda scores: None
    run.baseline({})
    with caplog.at_level("WARNING"):
        run.finish({}, 0)
    assert len(closed) == 1
    assert "tracker first could not be closed (ConnectionResetError: gone)" in caplog.text
    assert (tmp_path / "a" / "metrics.csv").exists()


def test_a_tracker_that_cannot_be_opened_closes_those_that_are(tmp_path):
    class Broken(Deaf):
        def start(self, *given, **named):
            raise OSError("no account")

    ended = []
    first = LocalTracker()
    run = first.start("n", {}, tmp_path, group="", run_id="r")
    run.finish = lambda summary, exit_code: ended.append(exit_code)

    class Opens(Deaf):
        def start(self, *given, **named):
            return run

    several = SeveralTrackers(trackers={"first": Opens(), "second": Broken()})
    with pytest.raises(OSError, match="no account"):
        several.start("n", {}, tmp_path, group="", run_id="r")
    assert ended == [1]


def test_a_run_without_an_account_is_refused_with_the_remedy(tmp_path, monkeypatch):
    import wandb

    def refuse(**_):
        raise wandb.errors.UsageError("No API key configured. Use `wandb login` to log in.")

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(ConfigError, match=r"No API key configured.*Remedy: wandb login, .*tracker=wandb_offline"):
        WandbTracker(mode="online").start("a", {}, tmp_path, group="", run_id="x")
