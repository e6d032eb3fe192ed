"""The prepared W&B workspace: its panels show what a run really logs. No server is used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments import workspace
from tests.conftest import Sei
from tests.wandb_files import COMMAND, history, records, values

pytest.importorskip("wandb_workspaces", reason="needs the extra workspace")


@pytest.fixture(scope="module")
def logged(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("workspace")
    sei = Sei(home, home / "store")
    done = sei(*COMMAND)
    assert done.returncode == 0, done.stderr[-2000:]
    return sei.last_run()


def preview(tmp_path: Path, *argv: str) -> dict:
    out = tmp_path / "workspace.json"
    assert workspace.main([*argv, "--entity", "team", "--preview", str(out)]) == 0
    return json.loads(out.read_text())["spec"]["section"]


@pytest.mark.slow
def test_every_panel_shows_something_that_a_run_logged(logged, tmp_path):
    known = {key.removesuffix("._type") for row in history(logged) for key in values(row)}
    sections = preview(tmp_path, str(logged))["panelBankConfig"]["sections"]
    configs = [p["config"] for s in sections for p in s["panels"]]
    shown = {m for c in configs for m in (*c.get("metrics", ()), *c.get("mediaKeys", ()))}
    shown |= {c["xAxis"] for c in configs if "xAxis" in c}
    assert {"eval/arithmetic_far/accuracy", "round/bad_cases", "train/loss", "round/cluster_map_picture"} <= shown
    assert shown <= known, shown - known
    tables = [t for t in workspace._TABLES if f"round/{t}" in json.dumps(configs)]
    assert tables == list(workspace._TABLES)
    assert all(f"round/{t}" in known for t in tables)


@pytest.mark.slow
def test_runs_are_grouped_by_settings_and_sweeps_can_be_chosen(logged, tmp_path):
    (runs,) = preview(tmp_path, str(logged), "--sweep", "tonight")["runSets"]
    assert [(f["key"]["name"], f["value"]) for f in runs["filters"]["filters"]] == [("group", "tonight")]
    (config,) = (r["run"]["config"] for r in records(logged) if r["type"] == "run")
    for key in workspace._METHOD:
        top, *rest = key.split(".")
        value = config["update"][top]
        for part in rest:
            value = value[part]
        assert isinstance(value, str), key
        assert {"section": "config", "name": ".".join([top, "value", *rest])} in runs["grouping"]


def test_a_folder_without_runs_is_named(tmp_path, capsys):
    assert workspace.main([str(tmp_path), "--entity", "team"]) == 2
    assert str(tmp_path) in capsys.readouterr().err
