"""The command line as a user sees it: real processes, the embedded default, small sizes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Sei

SMOKE = ("experiment=smoke", "tracker=local")


@pytest.fixture(scope="module")
def shared_sei(tmp_path_factory) -> Sei:
    home = tmp_path_factory.mktemp("sei")
    return Sei(home, home / "store")


@pytest.fixture(scope="module")
def first(shared_sei) -> tuple[Path, str]:
    done = shared_sei("experiment=smoke", "tracker=wandb_offline")
    assert done.returncode == 0, done.stderr[-3000:]
    return shared_sei.last_run(), done.stdout


def summary(run: Path) -> dict:
    s = json.loads((run / "summary.json").read_text())
    for r in s["rounds"]:
        del r["seconds"]
    return s


def test_a_run_leaves_behind_what_the_readme_says(first):
    run, out = first
    for name in (
        "summary.json ledger.json sei.log report.html scores.png .hydra/config.yaml model/README.md "
        "model/model.safetensors "
        "round_1/attempts.jsonl round_1/bad_cases.jsonl round_1/keyphrases.jsonl round_1/error_types.json "
        "round_1/synthetic.jsonl round_1/refined.jsonl round_1/dropped.jsonl round_1/report.json "
        "round_1/dataset/train.jsonl round_1/cluster_map.png"
    ).split():
        assert (run / name).stat().st_size > 0, name
    assert "arithmetic_test" in out
    assert str(run) in out.replace("\n", "")
    s = summary(run)
    assert s["rounds"][0]["scores"]["arithmetic_test"]["n"] == 60
    assert set(s["baseline"]) == {"arithmetic_test", "arithmetic_far", "arithmetic_dev"}
    low, high = s["baseline"]["arithmetic_test"]["ci95"]
    assert low < s["baseline"]["arithmetic_test"]["accuracy"] < high
    assert any((run / "wandb").rglob("*.wandb")), "the offline run is there to be synced"


def test_the_same_command_again_makes_nothing_and_says_the_same(first, shared_sei):
    done = shared_sei(*SMOKE)
    assert done.returncode == 0, done.stderr[-3000:]
    run = shared_sei.last_run()
    assert "0 results made" in done.stdout
    assert summary(run) == summary(first[0])
    assert all(v["made"] == 0 for v in json.loads((run / "ledger.json").read_text())["stages"].values())
    assert (run / "metrics.csv").read_text().count("\n") == 7


def test_device_and_seconds_of_every_stage_are_shown(first):
    """Device and seconds of every stage are in ledger, summary and page."""
    run, _ = first
    stages = json.loads((run / "ledger.json").read_text())["stages"]
    assert {"attempts", "grade", "refine", "finetune"} <= set(stages)
    assert all(v["device"] == "cpu" and v["seconds"] >= 0 for v in stages.values())
    (one,) = summary(run)["rounds"]
    assert set(one["devices"]) == set(json.loads((run / "summary.json").read_text())["rounds"][0]["seconds"])
    assert '"devices":{"attempts":"cpu"' in (run / "report.html").read_text()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers_to_the_last_digit(first, sei):
    done = sei(*SMOKE)
    assert done.returncode == 0, done.stderr[-3000:]
    assert summary(sei.last_run()) == summary(first[0])


@pytest.mark.slow
def test_a_clusterer_of_ones_own_is_one_class_and_one_yaml(first, shared_sei, tmp_path):
    """Your own clusterer needs one class and one YAML file, and only what depends on it is made again."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text(
        "from typing import ClassVar\n"
        "from sei.parts import part\n"
        "from sei.ports import Grouping\n\n\n"
        "@part\nclass Halves:\n    version: ClassVar[int] = 1\n\n"
        "    def group(self, phrases, vectors, seed):\n"
        "        return Grouping(labels=tuple(i % 2 for i in range(len(vectors))))\n"
    )
    (tmp_path / "conf" / "clusterer").mkdir(parents=True)
    (tmp_path / "conf" / "clusterer" / "halves.yaml").write_text("_target_: mine.Halves\n")
    done = shared_sei(
        f"--config-dir={tmp_path / 'conf'}",
        *SMOKE,
        "clusterer=halves",
        "plugins=[mine]",
        PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}",
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(summary(shared_sei.last_run())["rounds"][0]["error_types"]) == 2
    stages = json.loads((shared_sei.last_run() / "ledger.json").read_text())["stages"]
    assert stages["diagnose"]["made"] == 0
    assert stages["cluster"]["made"] == 1
    assert stages["finetune"]["made"] == 1
    assert (stages["attempts"]["made"], stages["attempts"]["reused"]) == (160, 280)


def test_help_is_quick_and_lists_the_parts(sei):
    def seconds(run):
        before = os.times()
        done = run()
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system, done

    hydra = [sys.executable, "-c", "import hydra, omegaconf"]
    ratios = []
    for _ in range(3):  # in turn, by processor time, so that other load affects both
        (base, _), (taken, done) = seconds(lambda: subprocess.run(hydra, check=True)), seconds(lambda: sei("--help"))
        ratios.append(taken / base)
    assert min(ratios) < 8  # about 5; torch alone would add as much again
    done = sei("--help", PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    imported = set(re.findall(r"\|\s+(\w+)$", done.stderr, re.MULTILINE))
    assert "hydra" in imported
    assert not imported & {
        "torch",
        "transformers",
        "pytorch_lightning",
        "sklearn",
        "sentence_transformers",
        "wandb",
        "openai",
    }
    assert "clusterer: agglomerative, codebook, hdbscan, kmeans, llm, none, shuffled, ward" in done.stdout


def test_cfg_job_shows_the_config_and_runs_nothing(sei):
    done = sei("--cfg", "job", "clusterer=none")
    assert "NoClustering" in done.stdout
    assert not (sei.cwd / "outputs").exists()


def test_runs_started_in_the_same_second_get_own_folders(sei):
    assert "${sei_hex:}" in sei("--cfg", "hydra").stdout  # the run folder's name ends in it
    drawn = [sys.executable, "-c", "import sei.__main__ as m; print(m._HEX)"]
    made = {subprocess.run(drawn, capture_output=True, text=True, check=True).stdout for _ in range(4)}
    assert len(made) == 4


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["refiner.kep=1"], ["kep"]),
        (["clusterer=spectral"], ["spectral", "agglomerative"]),
        (["rounds=-1"], ["rounds", "at least 0"]),
        (["ablation=no_clustering", "clusterer=agglomerative"], ["contradicts"]),
        (["data=mawps", "data.folder=/no/where"], ["/no/where", "missing", "SEI_DATA"]),
        (["name=sk-aaaaaaaaaaaaaaaa"], ["secret"]),
    ],
)
def test_mistakes_end_at_once_with_exit_code_2_and_no_traceback(sei, args, words):
    done = sei(*args)
    assert done.returncode == 2, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    for w in words:
        assert w in done.stderr
    assert not (sei.store / "attempts").exists()


def test_a_broken_row_is_named_by_its_line(sei, tmp_path):
    folder = tmp_path / "d" / "mawps"
    folder.mkdir(parents=True)
    import gzip

    good = '{"id": 1, "original_text": "Tim has 2 pens and 3 cups .", "equation": "x=2+3", "ans": 5.0}\n'
    for split in ("train", "test", "validation"):
        with gzip.open(folder / f"mwptoolkit_{split}.jsonl.gz", "wt") as f:
            f.write(good + good + '{"id": 3, "original_text": "torn')
    done = sei("data=mawps", f"data.folder={tmp_path / 'd'}")
    assert done.returncode == 2, done.stderr[-2000:]
    assert "line 3" in done.stderr
    assert "mwptoolkit_test" in done.stderr


@pytest.mark.slow
def test_a_sweep_goes_on_after_a_job_that_fails_and_exits_1(first, shared_sei):
    done = shared_sei(*SMOKE, "replay=150,-5", "-m")
    assert done.returncode == 1, done.stderr[-2000:]
    assert "replay=-5" in done.stderr
    jobs = sorted(shared_sei.cwd.glob("multirun/smoke/*/*/summary.json"))
    assert len(jobs) == 1
