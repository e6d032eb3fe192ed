"""Sweeps: a failing job harms no other job, and shared results are made once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import filelock
import pytest

from experiments.measurements.sweep_cost import made, made_twice
from sei.report.summary import best_dev_accuracy, config_digest
from sei.sweep import SweepError, SweepJob, announce, mark, run_apart, settle
from tests.compose import SHORT
from tests.conftest import ROOT, Sei

PART = """
import os, sys
from typing import ClassVar
from sei.parts import part
from sei.records import RefinedSet, RefineInput
from sei.refiners.none import NoRefinement

@part
class Leaves(NoRefinement):
    version: ClassVar[int] = 1
    how: str
    def __call__(self, given: RefineInput, *, seed: int) -> RefinedSet:
        if self.how == "exit":
            sys.exit(5)
        os.kill(os.getpid(), 9)
"""


@pytest.fixture
def mine(tmp_path) -> Path:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text(PART)
    (tmp_path / "conf" / "refiner").mkdir(parents=True)
    for how in ("exit", "kill"):
        (tmp_path / "conf" / "refiner" / f"{how}.yaml").write_text(f"_target_: mine.Leaves\nhow: {how}\n")
    return tmp_path


def states(sweep: Path) -> dict[str, tuple[str, int]]:
    jobs = json.loads((sweep / "sweep.json").read_text())["jobs"]
    return {k: (j["state"], j["exit_code"]) for k, j in jobs.items()}


def test_jobs_that_exit_are_killed_or_fail_harm_no_other(sei: Sei, mine: Path):
    """F33."""
    command = (
        *(f"--config-dir={mine / 'conf'}", "plugins=[mine]", *SHORT, "refiner=exit,none,kill"),
        *(f"hydra.sweep.dir={mine / 'sweep'}", "-m"),
    )
    done = sei(*command, PYTHONPATH=f"{mine}{os.pathsep}{ROOT}")
    assert done.returncode == 1, done.stderr[-2000:]
    expected = {"0": ("failed", 5), "1": ("done", 0), "2": ("killed", -9)}
    assert states(mine / "sweep") == expected
    assert "2 of 3 jobs failed" in done.stderr
    assert "refiner=kill): killed by signal 9" in done.stderr
    last = done.stdout.rstrip().splitlines()
    assert last[-1] == f"page of the sweep: {mine / 'sweep' / 'report.html'}"  # after the comparison of finished jobs
    assert any("finished runs: 1" in line for line in last)
    assert any(line.startswith("[job 1][") for line in last)
    again = sei(*command, PYTHONPATH=f"{mine}{os.pathsep}{ROOT}")
    assert again.returncode == 1
    assert again.stdout.count("is done already") == 1
    assert states(mine / "sweep") == expected


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [pytest.param("basic", marks=pytest.mark.slow), "joblib"])
def test_what_jobs_share_is_made_once_serial_and_two_at_once(sei: Sei, launcher: str):
    two = () if launcher == "basic" else ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    if two:
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="needs the sweep extra")
    done = sei(*SHORT, *two, "ablation=no_refinement,no_clustering", "-m")
    assert done.returncode == 0, done.stderr[-2000:]
    folders = sorted(f.parent for f in sei.cwd.glob("multirun/smoke/*/*/summary.json"))
    assert len(folders) == 2
    assert made_twice(folders, sei.store) == {}
    baselines = {json.dumps(json.loads((f / "summary.json").read_text())["baseline"]) for f in folders}
    assert len(baselines) == 1


@pytest.mark.slow
@pytest.mark.parametrize("place", ["same folder", pytest.param("folders of their own", marks=pytest.mark.slow)])
def test_two_processes_on_the_same_sweep_do_nothing_twice(sei: Sei, tmp_path: Path, place: str):
    """F25."""
    sweeps = [tmp_path / ("sweep" if place == "same folder" else f"sweep_{n}") for n in (0, 1)]
    command = [sys.executable, "-m", "sei", *SHORT, "ablation=full,no_refinement"]
    env = {**os.environ, "SEI_STORE": str(sei.store)}
    processes = [
        subprocess.Popen(
            [*command, f"hydra.sweep.dir={s}", "-m"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env
        )
        for s in sweeps
    ]
    said = [p.communicate(timeout=300)[0].decode() for p in processes]
    assert [p.returncode for p in processes] == [0, 0], said
    for s in sweeps:
        assert states(s) == {"0": ("done", 0), "1": ("done", 0)}
        jobs = json.loads((s / "sweep.json").read_text())["jobs"].values()
        assert all(j["seconds"] > 0 for j in jobs)  # a skipped job keeps its time
    folders = [f.parent for s in sorted(set(sweeps)) for f in sorted(s.glob("*/summary.json"))]
    assert len(folders) == 2 * len(set(sweeps))
    assert made_twice(folders, sei.store) == {}
    assert {stage for (stage, _), n in made(folders).items() if n} >= {"attempts", "finetune", "selfinstruct"}
    printed = {_tables(s) for s in sweeps}
    assert len(printed) == 1


def test_a_job_that_outlived_its_sweep_is_waited_for(tmp_path, monkeypatch):
    job = SweepJob(
        number=0, overrides=("seed=1",), config={"seed": 1}, folder=tmp_path / "0", sweep=tmp_path, logging=None
    )
    job.folder.mkdir()
    monkeypatch.setattr("sei.sweep._run", lambda job: pytest.fail("the job was run again"))
    held = threading.Event()

    def orphan():
        with filelock.FileLock(job.folder / ".lock"):
            held.set()
            time.sleep(0.5)
            (job.folder / "summary.json").write_text(json.dumps({"config_digest": config_digest(job.config)}))

    thread = threading.Thread(target=orphan)
    thread.start()
    held.wait()
    run_apart(job)
    thread.join()
    assert states(tmp_path) == {"0": ("done", 0)}


def test_a_sweep_says_from_its_start_which_jobs_there_will_be(sei: Sei, tmp_path):
    dies = "import os; from sei import __main__ as sei; sei.run_job = lambda cfg: os.kill(os.getpid(), 9); sei.main()"
    sweep = tmp_path / "sweep"
    command = ["refiner=glob(r*)", "seed=0,1", f"hydra.sweep.dir={sweep}", "-m"]
    env = {**os.environ, "SEI_STORE": str(sei.store)}
    done = subprocess.run([sys.executable, "-c", dies, *command], env=env, cwd=tmp_path, check=False)
    assert done.returncode == -9
    jobs = json.loads((sweep / "sweep.json").read_text())["jobs"]
    assert [j["overrides"] for j in jobs.values()] == [["refiner=random", "seed=0"], ["refiner=random", "seed=1"]]
    assert {(j["state"], j["exit_code"]) for j in jobs.values()} == {("waiting", None)}
    assert (sweep / "report.html").is_file()


def test_announcing_keeps_what_is_known_but_no_running_state(tmp_path):
    seeds = [(f"seed={n}",) for n in range(5)]
    for number, (state, code) in enumerate([("done", 0), ("failed", 3), ("running", None), ("running", None)]):
        home = tmp_path / str(number)
        job = SweepJob(number=number, overrides=seeds[number], config={}, folder=home, sweep=tmp_path, logging=None)
        mark(job, state, code, 7.0)
    with filelock.FileLock(tmp_path / ".job_3.lock"):
        announce(tmp_path, seeds)
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / ".lock").touch()
    known = {"0": ("done", 0), "1": ("failed", 3), "3": ("running", None)}
    assert states(tmp_path) == {**known, "2": ("waiting", None), "4": ("waiting", None)}
    mark(replace(job, number=2, folder=tmp_path / "2"), "running", None, 0.0)
    with filelock.FileLock(tmp_path / "2" / ".lock"):
        announce(tmp_path, seeds)
    assert states(tmp_path)["2"] == ("running", None)
    assert states(tmp_path)["3"] == ("waiting", None)


def test_announcing_another_sweep_forgets_jobs_it_does_not_have(tmp_path):
    first = [("seed=0",), ("seed=1",), ("seed=2",)]
    for number, overrides in enumerate(first):
        home = tmp_path / str(number)
        job = SweepJob(number=number, overrides=overrides, config={}, folder=home, sweep=tmp_path, logging=None)
        mark(job, "done", 0, 7.0)
    announce(tmp_path, [("seed=0",), ("rounds=1",)])
    jobs = json.loads((tmp_path / "sweep.json").read_text())["jobs"]
    assert {n: (*j["overrides"], j["state"]) for n, j in jobs.items()} == {
        "0": ("seed=0", "done"),
        "1": ("rounds=1", "waiting"),
        "2": ("seed=2", "done"),
    }


def _tables(sweep: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sei.compare", str(sweep)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


SWEEPER = """
import json
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext

ConfigStore.instance().store(group="hydra/sweeper", name="one_by_one", node={"_target_": __name__ + ".OneByOne"})


class OneByOne(Sweeper):
    def setup(self, *, hydra_context: HydraContext, task_function, config):
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments):
        values, start = [], 0
        for seed in (0, 1):
            more = ["refiner=exit"] if seed else []
            for ret in self.launcher.launch([[*arguments, f"seed={seed}", *more]], initial_job_idx=start):
                try:
                    values.append(float(ret.return_value))
                except Exception as e:
                    values.append(f"failed: {type(e).__name__}")
            start += 1
        with open("values.json", "w") as f:
            json.dump(values, f)
"""


@pytest.mark.slow
def test_a_sweeper_is_told_the_best_on_dev_and_failed_trials(sei: Sei, mine: Path):
    (mine / "hydra_plugins").mkdir()
    (mine / "hydra_plugins" / "one_by_one.py").write_text(SWEEPER)
    command = ("-m", "--config-dir=conf", *SHORT, "plugins=[mine]", "hydra/sweeper=one_by_one", "hydra.sweep.dir=s")
    done = sei(*command, PYTHONPATH=f"{mine}{os.pathsep}{ROOT}")
    assert done.returncode == 0, done.stderr
    value, failed = json.loads((mine / "values.json").read_text())
    summary = json.loads((mine / "s" / "0" / "summary.json").read_text())
    best = summary["best_round"]
    scores = summary["rounds"][best - 1]["scores"] if best else summary["baseline"]
    assert value == next(s["accuracy"] for s in scores.values() if s["role"] == "dev")
    assert failed == "failed: SweepError"


def test_the_value_of_a_run_is_its_best_round_on_dev_alone(tmp_path):
    def scores(dev: int, test: int):
        return {"d": {"role": "dev", "correct": dev, "n": 20}, "t": {"role": "in_domain", "correct": test, "n": 20}}

    summary = {"baseline": scores(3, 20), "rounds": [{"scores": scores(5, 1)}, {"scores": scores(4, 19)}]}
    for best, value in ((0, 0.15), (1, 0.25)):
        (tmp_path / "summary.json").write_text(json.dumps({**summary, "best_round": best}))
        assert best_dev_accuracy(tmp_path) == value
    assert best_dev_accuracy(tmp_path / "none") is None


def interrupted_child(tmp_path: Path, code: int) -> SweepJob:
    return SweepJob(number=0, overrides=(), config={}, folder=tmp_path / "0", sweep=tmp_path, logging=None)


@pytest.mark.parametrize("ending", ["sys.exit(143)", "os.kill(os.getpid(), 15)", "os.kill(os.getpid(), 10)"])
def test_a_job_that_a_signal_ended_is_interrupted_and_not_failed(tmp_path, monkeypatch, ending):
    """As under a launcher that survives a signal to its whole group."""
    real = subprocess.Popen
    program = f"import os, sys; sys.stdin.read(); {ending}"
    monkeypatch.setattr(subprocess, "Popen", lambda command, **k: real([sys.executable, "-c", program], **k))
    job = interrupted_child(tmp_path, 0)
    with pytest.raises(SystemExit) as e:
        run_apart(job)
    assert e.value.code == 143
    assert states(tmp_path) == {"0": ("interrupted", 143)}


@pytest.mark.parametrize(("dry", "state"), [(True, ("done", 0)), (False, ("failed", 1))])
def test_a_dry_run_leaves_no_result_and_has_not_failed(tmp_path, monkeypatch, dry, state):
    """``dry_run=true -m`` called every job failed."""
    real = subprocess.Popen
    program = "import sys; sys.stdin.read()"
    monkeypatch.setattr(subprocess, "Popen", lambda command, **k: real([sys.executable, "-c", program], **k))
    job = replace(interrupted_child(tmp_path, 0), config={"dry_run": dry})
    with nullcontext() if dry else pytest.raises(SweepError):
        run_apart(job)
    assert states(tmp_path) == {"0": state}


def test_a_sweep_that_ends_early_leaves_no_untrue_state(tmp_path, monkeypatch):
    announce(tmp_path, [("seed=0",), ("seed=1",), ("seed=2",)])
    monkeypatch.setenv("SEI_COMMAND", "me")
    program = "import sys, time; 'sei.sweep'; print(1, flush=True); time.sleep(60)"
    lock = "import filelock, sys; held = filelock.FileLock(sys.argv[1]); held.acquire();"
    (tmp_path / "0").mkdir()
    arguments = [sys.executable, "-c", lock + program, str(tmp_path / "0" / ".lock"), "sei.sweep"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline()
        one = replace(interrupted_child(tmp_path, 0), overrides=("seed=0",))
        mark(one, "running", None, 0.0, pid=child.pid)
        monkeypatch.setenv("SEI_COMMAND", "another")
        mark(replace(one, number=1, folder=tmp_path / "1"), "running", None, 0.0, pid=child.pid)
        monkeypatch.setenv("SEI_COMMAND", "me")
        settle(tmp_path, 130)
        assert child.wait(20) == -15
    assert states(tmp_path) == {"0": ("interrupted", 130), "1": ("interrupted", 130), "2": ("waiting", None)}
    settle(tmp_path, 2)
    assert states(tmp_path)["2"] == ("failed", 2)


def test_a_wrong_command_leaves_no_job_waiting(sei: Sei):
    done = sei("-m", "experiment=smoke", "seed=0,1", "clusterer=nothing,ward", "hydra.sweep.dir=s")
    assert done.returncode == 2, done.stderr
    assert states(sei.cwd / "s") == {str(n): ("failed", 2) for n in range(4)}


@pytest.mark.slow
@pytest.mark.parametrize("group", [True, False], ids=["Ctrl-C", "SIGTERM to the command alone"])
def test_an_interrupted_parallel_sweep_leaves_no_job_running(tmp_path, group):
    more = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweep.dir=s", "seed=0,1,2,3")
    env = {**os.environ, "SEI_STORE": str(tmp_path / "store"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "sei", "-m", *SHORT, *more]
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as p:
        end = time.monotonic() + 60
        while time.monotonic() < end and list(states_or_none(tmp_path / "s").values()).count(("running", None)) < 2:
            time.sleep(0.1)
        time.sleep(3)
        if group:
            os.killpg(p.pid, signal.SIGINT)
        else:
            p.terminate()
        code = p.wait(60)
    assert code == (130 if group else 143)
    found = states(tmp_path / "s")
    assert "running" not in {s for s, _ in found.values()}, found
    assert "interrupted" in {s for s, _ in found.values()}


def states_or_none(sweep: Path) -> dict[str, tuple[str, int]]:
    return states(sweep) if (sweep / "sweep.json").exists() else {}
