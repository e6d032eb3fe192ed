"""The Python interface: the same run as the command's, read back as records; the process is left unchanged."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

import sei
from sei.errors import ConfigError, DataError, SeiError
from sei.exits import lent_signals
from sei.records import BadCase, Keyphrase, SyntheticExample
from tests.compose import SHORT
from tests.conftest import ROOT, Sei

TINY = (*SHORT, "tracker=none")


def without_seconds(summary: dict) -> dict:
    rounds = [{k: v for k, v in r.items() if k != "seconds"} for r in summary["rounds"]]
    return {**summary, "rounds": rounds}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    before, store = Path.cwd(), os.environ.get("SEI_STORE")
    os.chdir(folder)
    os.environ["SEI_STORE"] = str(folder / "store")
    yield folder
    os.chdir(before)
    os.environ.pop("SEI_STORE")
    if store is not None:
        os.environ["SEI_STORE"] = store


def state() -> list:
    """Return the state of this process that a run must not change."""
    root, log = logging.getLogger(), logging.getLogger("sei")
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
    hydra = [GlobalHydra.instance().hydra, HydraConfig.instance().cfg]
    return [*handlers, sys.unraisablehook, *root.handlers, root.level, *log.handlers, log.level, *hydra, Path.cwd()]


@pytest.fixture(scope="module")
def run(home) -> sei.Run:
    before = state()
    made = sei.run(TINY, quiet=True)
    assert state() == before
    return made


def test_importing_the_package_costs_nothing():
    code = "import sys, sei; print(sorted({m.partition('.')[0] for m in sys.modules} & set(sys.argv[1:])), dir(sei))"
    heavy = ["torch", "hydra", "omegaconf", "pydantic", "numpy", "pandas", "transformers"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[] ")
    assert all(f"'{name}'" in done.stdout for name in ("run", "load", "load_sweep", "Run"))
    with pytest.raises(AttributeError, match="no attribute 'runs'"):
        sei.runs  # noqa: B018


@pytest.mark.slow
def test_a_run_is_the_one_that_the_command_makes(run, tmp_path):
    """With separate stores: the same digits, the same files, the same config."""
    command = Sei(tmp_path, tmp_path / "store")
    done = command(*TINY)
    assert done.returncode == 0, done.stderr[-2000:]
    folder = command.last_run()
    assert without_seconds(json.loads((folder / "summary.json").read_text())) == without_seconds(run.summary)
    names = [{p.relative_to(f).as_posix() for p in f.rglob("*") if p.is_file()} for f in (folder, run.folder)]
    stamp = re.compile(r"\d{4}-\d\d-\d\dT[\d.-]+")
    assert {stamp.sub("", n) for n in names[0]} == {stamp.sub("", n) for n in names[1]}
    for name in ("config.yaml", "overrides.yaml"):
        assert (folder / ".hydra" / name).read_text() == (run.folder / ".hydra" / name).read_text()
    assert re.fullmatch(
        r"outputs/smoke/\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_[0-9a-f]{6}", str(run.folder.relative_to(Path.cwd()))
    )
    assert "sei.store" in (run.folder / "sei.log").read_text()


def test_what_a_run_left_is_read_back_as_records(run):
    assert run.finished
    assert run.failure is None
    assert run.config["name"] == "smoke"
    (one,) = run.rounds
    assert run.round(1) is one
    assert run.best in (None, one)
    assert {type(x) for x in one.bad_cases} == {BadCase}
    assert {type(x) for x in one.keyphrases} == {Keyphrase}
    assert {type(x) for x in one.refined} == {SyntheticExample}
    told = run.summary["rounds"][0]
    counts = (len(one.bad_cases), len(one.synthetic), len(one.refined), sum(one.dropped.values()))
    assert counts == (told["bad_cases"], told["synthesized"], told["refined"], sum(told["dropped"].values()))
    assert [(t.name, t.size) for t in one.error_types] == [(t["name"], t["size"]) for t in told["error_types"]]
    assert len(one.attempts) == 60
    assert {r.reason for r in one.rejections} <= {k.removeprefix("cluster_") for k in one.dropped}


def test_scores_are_rows_by_stage_and_set(run):
    rows = run.scores()
    assert [(r.round, r.set) for r in rows] == [(n, s) for n in (0, 1) for s in run.baseline]
    base, after = (next(r for r in rows if (r.round, r.set) == (n, "arithmetic_dev")) for n in (0, 1))
    assert after.accuracy == run.rounds[0].scores["arithmetic_dev"].accuracy
    assert (base.gain, after.gain) == (0.0, after.accuracy - base.accuracy)
    assert after.low < after.accuracy < after.high
    assert repr(run).endswith("finished, 1 rounds)")


def test_a_second_run_in_the_process_makes_nothing_anew(run):
    again = sei.run(TINY, quiet=True)
    assert again.folder != run.folder
    assert without_seconds(again.summary) == without_seconds(run.summary)
    stages = json.loads((again.folder / "ledger.json").read_text())["stages"]
    assert all(v["made"] == 0 for v in stages.values())


def test_pandas_is_asked_for_only_where_it_is_used(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match=r"frame\('scores'\): pandas is not installed .*pip install pandas"):
        run.frame("scores")
    assert len(run.records("bad_cases", round=1)) == len(run.rounds[0].bad_cases)


@pytest.mark.extra
def test_tables_are_pandas_frames(run):
    pandas = pytest.importorskip("pandas", reason="pandas is no dependency")
    scores = run.frame("scores")
    assert isinstance(scores, pandas.DataFrame)
    assert list(scores.columns[:3]) == ["round", "set", "role"]
    bad = run.frame("bad_cases", round=1)
    assert set(bad["problem.id"]) == {b.problem.id for b in run.rounds[0].bad_cases}
    for table in ("attempts", "keyphrases", "synthetic", "refined", "scored", "rejections", "error_types"):
        assert len(run.frame(table)) == len(getattr(run.rounds[0], table))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda r: r.records("bad_case"), "no such table. Remedy: one of scores, attempts, bad_cases"),
        (lambda r: r.round(2), "round=2: .* has rounds 1 to 1"),
    ],
)
def test_a_table_or_round_that_is_not_there_is_named(run, call, words):
    with pytest.raises(ConfigError, match=words):
        call(run)


REFUSED = {
    ("refiner.kep=1",): r"refiner.kep: no such setting. Did you mean keep\?",
    ("experimnt=smoke",): r"experimnt: no such setting. Did you mean experiment\?",
    ("clusterer=spectral",): "clusterer=spectral: no such option",
    ("clusterer",): "a setting needs a value",
    ("rounds=-1",): "rounds=-1: must be a whole number of at least 0",
    ("name=../up",): "it names a folder",
    ("ablation=no_clustering", "clusterer=ward"): "contradicts ablation=no_clustering",
    ("seed=0,1",): "seed=0,1: several values, but this is one run",
    ("-m",): "Python takes settings only",
    ("estimate=true",): "only the command prints a preview",
    ("teacher_card=true",): "only the command prints a preview",
    ("preview=true",): "only the command prints a preview",
    ("name=sk-aaaaaaaaaaaaaaaa",): "looks like a secret",
    "rounds=1": r"Remedy: sei.run\(\['rounds=1'\]\)",
    (1,): "a list of texts",
    ("data=mawps", "data.folder=/no/where"): "/no/where",
    ("experiment=smoke", "clusterer._target_=os.system"): "parts come from sei",
}


@pytest.mark.parametrize("overrides", REFUSED, ids=str)
def test_what_the_command_refuses_is_an_error_here(overrides, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEI_STORE", str(tmp_path / "store"))
    before = state()
    with pytest.raises((ConfigError, DataError), match=REFUSED[overrides]):
        sei.run(overrides, quiet=True)
    assert state() == before
    assert not (tmp_path / "store" / "attempts").exists()


PART = """
import os, signal, sys
from typing import ClassVar
from sei.parts import part

@part
class Leaves:
    version: ClassVar[int] = 1
    how: str = "exit"

    def scores(self, given, kept):
        if self.how == "exit":
            sys.exit(5)
        os.kill(os.getpid(), signal.SIGINT)
        return [0.0] * len(given.examples)
"""


@pytest.fixture
def leaving(home):
    (home / "leaving.py").write_text(PART)
    (home / "conf" / "refiner").mkdir(parents=True, exist_ok=True)
    for how in ("exit", "stop"):
        (home / "conf" / "refiner" / f"{how}.yaml").write_text(f"_target_: leaving.Leaves\nhow: {how}\n")
    yield (*TINY, "plugins=[leaving]", "name=leaving")
    shutil.rmtree(home / "outputs" / "leaving", ignore_errors=True)


@pytest.mark.parametrize(
    ("how", "error", "words", "code"),
    [("exit", SeiError, "exit code 5", 5), ("stop", KeyboardInterrupt, "same settings resume it", 130)],
)
def test_nothing_ends_the_process_of_a_notebook(run, home, leaving, how, error, words, code):
    """Neither a part that exits nor an interrupted cell ends it; the folder of such a run can be loaded."""
    before = state()
    with pytest.raises(error, match=words):
        sei.run([*leaving, f"refiner={how}"], config_dir=home / "conf", quiet=True)
    assert state() == before
    (folder,) = (home / "outputs" / "leaving").iterdir()
    failed = sei.load(folder)
    assert not failed.finished
    assert (failed.failure.exit_code, failed.failure.round, failed.failure.stage) == (code, 1, "in refine")
    assert failed.baseline == run.baseline
    assert len(failed.round(1).bad_cases) == len(run.round(1).bad_cases)
    assert failed.round(1).scores == {}
    with pytest.raises(DataError, match=r"refined.jsonl is missing"):
        failed.round(1).refined  # noqa: B018


def test_a_signal_for_others_reaches_them_after_the_run():
    """SIGTERM is for the owner of the process; the run's changes to handlers are undone first."""
    got: list[int] = []
    before, interrupt = (
        signal.signal(signal.SIGTERM, lambda number, _: got.append(number)),
        signal.getsignal(signal.SIGINT),
    )
    try:
        with pytest.raises(KeyboardInterrupt), lent_signals():  # noqa: PT012
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.raise_signal(signal.SIGTERM)
        assert got == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGINT) is interrupt
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_run_in_a_thread_leaves_signals_alone():
    before, seen = state(), []

    def inside() -> None:
        with lent_signals():
            seen.append(state() == before)

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert seen == [True]


def test_a_rerun_from_the_store_imports_no_heavy_library(home, run):
    """Their imports would be a third of its time."""
    heavy = ["torch", "transformers", "peft", "lightning", "pytorch_lightning", "matplotlib", "sklearn", "pandas"]
    code = f"import sei, sys; sei.run({[*TINY]!r}, quiet=True); print(sorted({set(heavy)!r} & set(sys.modules)))"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "SEI_STORE": str(home / "store")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_log_lines_are_shown_unless_asked_not_to(home):
    code = f"import sei, sys; sei.run({[*TINY]!r}, quiet=len(sys.argv) > 1)"
    shown = []
    for more in ([], ["quiet"]):
        env = {**os.environ, "PYTHONPATH": str(ROOT), "SEI_STORE": str(home / "store")}
        done = subprocess.run([sys.executable, "-c", code, *more], env=env, capture_output=True, text=True, check=True)
        shown.append("[sei.store][INFO]" in done.stdout)
    assert shown == [True, False]
