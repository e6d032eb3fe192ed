"""Sweeps on a real SLURM of one node, on submitit without one and on Ray, and several processes in a SLURM task."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.measurements.sweep_cost import made_twice, scores
from tests.compose import SHORT
from tests.conftest import Sei
from tests.slurm import NoClusterError, cluster

pytestmark = pytest.mark.slow
JOBS = (*SHORT, "seed=0,1,2,3", "finetuner.schedule.steps=60", "finetuner.resume_every=5", "hydra.sweep.dir=sweep")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    try:
        with cluster(tmp_path_factory.mktemp("slurm")) as variables:
            yield variables
    except NoClusterError as e:
        pytest.skip(str(e))


def runs(sweep: Path) -> list[Path]:
    return [f.parent for f in sorted(sweep.glob("*/summary.json"))]


def scored(sweep: Path) -> list[object]:
    return [scores(run) for run in runs(sweep)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    home = tmp_path_factory.mktemp("undisturbed")
    done = Sei(home, home / "store")(*JOBS, "-m")
    assert done.returncode == 0, done.stderr[-2000:]
    return scored(home / "sweep")


LAUNCHERS = {
    "sei_local": ("hydra_submitit_launcher", "slurm"),
    "sei_slurm": ("hydra_submitit_launcher", "slurm"),
    "sei_ray": ("hydra_ray_launcher", "ray"),
}


def require(launcher):
    package, extra = LAUNCHERS[launcher]
    pytest.importorskip(f"hydra_plugins.{package}", reason=f"needs pip install 'sei[{extra}]'")


def in_fine_tune(sweep: Path, number: int, store: Path, within: float = 200) -> None:
    """Wait until a job trains and has a resume point behind it."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        log = sweep / str(number) / "sei.log"
        begun = re.findall(
            r"finetune +(\w+) +to be made", log.read_text().rpartition("refine")[2] if log.exists() else ""
        )
        if begun and any(store.glob(f"**/{begun[0]}*/**/*.ckpt")):
            return
        time.sleep(0.1)
    pytest.fail(f"job {number} does not train: {[f.name for f in sweep.glob('*')]}")


def require_same(sei, undisturbed):
    assert scored(sei.cwd / "sweep") == undisturbed
    assert made_twice(runs(sei.cwd / "sweep"), sei.store) == {}


@pytest.mark.parametrize("launcher", ["sei_local", "sei_ray"])
def test_jobs_that_a_launcher_starts_here_have_the_same_scores(sei, undisturbed, launcher):
    require(launcher)
    done = sei(*JOBS, "-m", f"hydra/launcher={launcher}")
    assert done.returncode == 0, done.stderr[-2000:]
    require_same(sei, undisturbed)


@pytest.mark.parametrize("launcher", ["sei_local", "sei_ray"])
def test_the_same_command_goes_on_after_a_killed_launcher(sei, undisturbed, launcher):
    require(launcher)
    words, env = (*JOBS, "-m", f"hydra/launcher={launcher}"), {**os.environ, "SEI_STORE": str(sei.store)}
    with (
        (sei.cwd / "said").open("w") as out,
        subprocess.Popen(
            [sys.executable, "-m", "sei", *words], cwd=sei.cwd, env=env, stdout=out, stderr=subprocess.STDOUT
        ) as sweep,
    ):
        in_fine_tune(sei.cwd / "sweep", 0, sei.store)
        sweep.kill()
    done = sei(*words)
    assert done.returncode == 0, done.stderr[-2000:]
    require_same(sei, undisturbed)


@pytest.mark.parametrize("how", ["requeue", "USR1"])
def test_a_job_that_is_preempted_goes_on_and_changes_nothing(sei, slurm, undisturbed, how):
    require("sei_slurm")
    env = {**os.environ, **slurm, "SEI_STORE": str(sei.store)}
    command = [sys.executable, "-m", "sei", *JOBS, "-m", "hydra/launcher=sei_slurm"]
    said = sei.cwd / "said"
    with said.open("w") as out:
        sweep = subprocess.Popen(command, cwd=sei.cwd, env=env, stdout=out, stderr=subprocess.STDOUT)
    try:
        in_fine_tune(sei.cwd / "sweep", 1, sei.store)
        queue = subprocess.run(["squeue", "-h", "-o", "%i"], env=env, capture_output=True, text=True, check=True)
        job = next(line for line in queue.stdout.split() if line.endswith("_1"))
        words = ["scontrol", "requeue", job] if how == "requeue" else ["scancel", "--signal=USR1", job]
        subprocess.run(words, env=env, check=True)
        assert sweep.wait(500) == 0, said.read_text()[-3000:]
    finally:
        sweep.kill()
        sweep.wait()
    require_same(sei, undisturbed)
    log = (sei.cwd / "sweep" / "1" / "sei.log").read_text()
    assert len(re.findall(r"finetune +\w+ +to be made", log)) >= 2  # it began anew, in the same folder
    assert "fine-tuning continues after step" in log


@pytest.mark.parametrize("trainer", ["ddp", "fsdp"])
def test_a_task_of_slurm_trains_on_two_devices(sei, slurm, trainer):
    """The variables of the task make no process believe that it is alone."""
    two = (f"trainer={trainer}", "trainer.accelerator=cpu", "trainer.precision=32-true", "trainer.threads=1")
    env = {**os.environ, **slurm, "SEI_STORE": str(sei.store)}
    command = ["srun", "-n1", "-c2", sys.executable, "-m", "sei", *SHORT, *two, "refiner=gradient", "hydra.run.dir=run"]
    done = subprocess.run(command, cwd=sei.cwd, env=env, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    steps = (sei.cwd / "run/round_1/training.jsonl").read_text().splitlines()
    assert len(steps) == 4
