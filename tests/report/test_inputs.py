"""A finished job counts as done only while the files that its settings name are the same."""

from __future__ import annotations

import json
import os

import pytest

from sei.report.inputs import inputs_digest
from sei.report.summary import config_digest
from sei.sweep import SweepJob, _finished


def config(home, **more):
    files = {"train": str(home / "train.jsonl"), "test": str(home / "test.jsonl")}
    return {"data": files, "model": {"name": "", "source": str(home / "model")}, "store": str(home / "store"), **more}


@pytest.fixture
def home(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text("{}\n")
    return tmp_path


@pytest.mark.parametrize("name", ["test.jsonl", "model/config.json", "model/more.json", "prompt.txt"])
def test_a_changed_file_changes_the_digest(home, name):
    (home / "prompt.txt").write_text("a")
    given = config(home, prompts={"keyphrase": str(home / "prompt.txt"), "solve": None})
    before = inputs_digest(given)
    assert inputs_digest(given) == before
    (home / name).write_text("changed")
    assert inputs_digest(given) != before


def test_files_that_no_setting_names_do_not_count(home):
    before = inputs_digest(config(home))
    (home / "other.jsonl").write_text("x")
    assert inputs_digest(config(home)) == before
    whole = config(home, data_folder=str(home))
    before = inputs_digest(whole)
    for place in ("store", "multirun/d/0", "outputs/x"):
        (home / place).mkdir(parents=True)
        (home / place / "run.log").write_text("written by a run")
    assert inputs_digest(whole) == before


@pytest.mark.parametrize("more", [{"layout": "~5 sentences"}, {"plugins": ["sys"]}, {"plugins": ["no_such_module"]}])
def test_texts_that_are_no_paths_are_no_inputs(home, more):
    assert inputs_digest(config(home, **more))


def test_the_sources_of_plugins_count(home, monkeypatch):
    (home / "mine").mkdir()
    (home / "mine" / "__init__.py").write_text("A = 1\n")
    monkeypatch.syspath_prepend(home)
    before = inputs_digest(config(home, plugins=["mine"]))
    os.utime(home / "mine" / "__init__.py", (1, 1))
    assert inputs_digest(config(home, plugins=["mine"])) != before


def test_a_job_whose_test_file_was_mended_is_run_again(home):
    """It was passed over: old numbers stood beside those of jobs that used the new file."""
    (home / "0").mkdir()
    given = config(home)
    job = SweepJob(number=0, overrides=(), config=given, folder=home / "0", sweep=home, logging=None)
    named = {**given, "model": {**given["model"], "name": "model"}}  # as the run's own summary has it
    held = {"config_digest": config_digest(named), "inputs": inputs_digest(named)}
    (home / "0" / "summary.json").write_text(json.dumps(held))
    assert _finished(job)
    (home / "test.jsonl").write_text("mended\n")
    assert not _finished(job)
