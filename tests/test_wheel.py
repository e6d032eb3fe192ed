"""The built wheel contains everything that a run needs."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.compare.made_up_runs import full_and_ablated
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(home),
        str(ROOT),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    (built,) = home.glob("sei-*.whl")
    return built


def test_the_wheel_holds_configs_weights_prompts_and_no_more(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    configs = {f"sei/{p.relative_to(ROOT).as_posix()}" for p in (ROOT / "conf").rglob("*.yaml")}
    assert configs <= names
    assert "sei/models/weights/tiny_l/model.safetensors" in names
    assert [n for n in names if n.startswith("sei/prompts/") and n.endswith(".txt")]
    assert {f"sei/card/labelled/keyphrases.{ending}" for ending in ("jsonl", "md")} <= names
    page = [p for p in (ROOT / "sei" / "report" / "page").rglob("*") if p.suffix in (".html", ".css", ".js")]
    assert page
    assert {p.relative_to(ROOT).as_posix() for p in page} <= names
    assert {n.split("/")[0] for n in names if not n.startswith("sei-")} == {"sei"}


def test_the_wheel_says_its_licence_and_authors(wheel):
    held = zipfile.ZipFile(wheel)
    (name,) = [n for n in held.namelist() if n.endswith(".dist-info/METADATA")]
    said = held.read(name).decode().split("\n\n")[0].splitlines()
    assert {"License-Expression: Apache-2.0", "License-File: LICENSE", "Author: the sei contributors"} <= set(said)
    assert held.read(f"{Path(name).parent}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_an_unpacked_wheel_composes_from_any_folder(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    done = subprocess.run(
        [sys.executable, "-m", "sei", "--cfg", "job", "ablation=no_clustering"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "NoClustering" in done.stdout


def test_tables_of_finished_runs_come_from_an_unpacked_wheel(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    full_and_ablated(tmp_path / "runs")
    done = subprocess.run(
        [sys.executable, "-m", "sei.compare", "runs"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "### Ablation: small, Arithmetic, near (in domain), against Self-Error-Instruct" in done.stdout


@pytest.mark.slow
def test_a_run_from_the_wheel_in_a_clean_environment(wheel, tmp_path):
    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=1800)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    env["SEI_STORE"] = str(tmp_path / "store")
    run(sys.executable, "-m", "venv", str(tmp_path / "venv"))
    pip = (str(tmp_path / "venv" / "bin" / "python"), "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt"))
    run(*pip, "torch")
    run(*pip, f"{wheel}[offline]")
    out = run(str(tmp_path / "venv" / "bin" / "sei"), "experiment=smoke", "tracker=wandb_offline")
    assert "arithmetic_test" in out
    listed = run(str(tmp_path / "venv" / "bin" / "python"), "-m", "sei.store")
    assert "finetune" in listed
