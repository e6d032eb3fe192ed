"""The run folder of an offline W&B run has everything to upload, and explains what to do after moving it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import wandb
from PIL import Image

from sei.report.folder import write_json, write_round
from sei.report.summary import round_dict
from sei.track.wandb import WandbTracker
from tests.report.run_folders import make_record


def logged(folder: Path) -> str:
    """Log a round and a model as a job does; return the text of W&B's file."""
    record = make_record(1, 12, 20)
    report = round_dict(record, ())
    write_round(folder, record, report)
    for name in ("cluster_map", "criterion_curve", "refinement_scores"):
        Image.new("RGB", (2, 2)).save(folder / "round_1" / f"{name}.png")
    (folder / "model").mkdir()
    (folder / "model" / "model.safetensors").write_bytes(b"weights")
    write_json(folder / "model" / "config.json", {})
    run = WandbTracker(mode="offline").start("a run", {}, folder, group="", run_id="abc123")
    run.round(record, report, folder / "round_1")
    run.model(folder / "model", record.scores, (1,))
    run.finish({}, 0)
    wandb.teardown()  # W&B's process completes the file after finish() returns, at the latest when it ends
    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    return file.read_bytes().decode(errors="replace")


def test_what_is_sent_later_lies_in_the_run_folder(tmp_path, monkeypatch):
    """F34."""
    monkeypatch.delenv("WANDB_DATA_DIR")
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "outputs" / "run"
    said = logged(folder)
    named = set(re.findall(r"/[\w./-]*/(?:staging|model|round_1)/[\w./-]*", said))
    assert {n for n in named if "/staging/" in n}  # tables, until they are uploaded
    assert {n for n in named if "/model/" in n}
    assert all(n.startswith(f"{folder}/") for n in named)
    how = (folder / "wandb" / "how_to_sync.txt").read_text()
    assert f"    {folder}\n" in how
    assert "WANDB_DATA_DIR" not in os.environ


def test_a_place_of_ones_own_for_wandbs_data_wins(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "mine"))
    logged(tmp_path / "run")
    assert (tmp_path / "mine").is_dir()
    assert not (tmp_path / "run" / "wandb" / "artifacts").exists()
    assert os.environ["WANDB_DATA_DIR"] == str(tmp_path / "mine")
