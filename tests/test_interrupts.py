"""A stopped run resumes with the same command and ends with the same result, whatever stopped it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import stopping
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> dict:
    return stopping.finish(tmp_path_factory.mktemp("reference"))


def test_a_full_disk_signals_and_kills_lose_nothing(reference, tmp_path):
    """F20, F21, F23."""
    process = stopping.start(tmp_path, file_limit=300_000)  # less than the weights
    _, err = process.communicate(timeout=300)
    assert process.returncode == 74, err[-2000:]
    assert "cannot write" in err
    assert "Traceback" not in err
    assert not any(p.parent.parent.name == "finetune" for p in (tmp_path / "store").rglob("entry.json"))
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)):
        before, rows = stopping.finished(tmp_path), stopping.kept_rows(tmp_path)
        words = {143: "finetune       ", 130: "refine         ", -9: "grade          "}[code]
        got, seconds, err = stopping.stop_when(tmp_path, words, number)
        assert got == code, err[-2000:]
        assert seconds < 5
        assert "Traceback" not in err
        assert ("run the same command again" in err) == (number != signal.SIGKILL)
        assert before <= stopping.finished(tmp_path)
        assert all(n <= stopping.kept_rows(tmp_path)[k] for k, n in rows.items())
    before, rows = stopping.finished(tmp_path), stopping.kept_rows(tmp_path)
    assert stopping.finish(tmp_path) == reference
    assert stopping.made_again(tmp_path, before, rows) == []


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [6.0, 9.0])
def test_a_kill_at_a_moment_changes_nothing(reference, tmp_path, seconds):
    """F20."""
    stopping.stop_after(tmp_path, seconds, signal.SIGKILL)
    before, rows = stopping.finished(tmp_path), stopping.kept_rows(tmp_path)
    assert stopping.finish(tmp_path) == reference
    assert stopping.made_again(tmp_path, before, rows) == []


@pytest.mark.slow
def test_a_moved_store_goes_on_in_its_new_place(tmp_path):
    """F41."""
    quick = ("rounds=1", "trainer=cpu")
    first = stopping.finish(tmp_path, *quick)
    (tmp_path / "store").rename(tmp_path / "moved")
    for path in (tmp_path / "moved").glob("attempts/*/rows.jsonl"):
        path.unlink()  # so that the trained weights must be opened again
    assert stopping.finish(tmp_path, *quick, f"store={tmp_path / 'moved'}") == first
    made = stopping.made_again(tmp_path, set(), {})
    assert made == []
    assert not (tmp_path / "store").exists()


IN_A_FINALISER = """
import signal, sys, threading, time
from sei.exits import catch_signals

class Late(threading.Thread):
    def start(self):
        super().start()
        time.sleep(float(sys.argv[2]))  # a busy machine: what the thread does is done before this returns

threading.Thread = Late

class Dying:
    def __del__(self):
        signal.raise_signal(int(sys.argv[1]))
        time.sleep(0.01)  # the handler runs here, where Python drops what it raises

catch_signals()
Dying()
try:
    time.sleep(20)
finally:
    print("flushed")
"""


@pytest.mark.parametrize("late", [0.0, 0.2], ids=["at once", "late"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_inside_a_finaliser_is_not_lost(number, code, late):
    got = subprocess.run(
        [sys.executable, "-c", IN_A_FINALISER, str(int(number)), str(late)], capture_output=True, text=True, timeout=15
    )
    assert (got.returncode, got.stdout, got.stderr) == (code, "flushed\n", "")


def test_two_runs_in_one_folder_are_refused(tmp_path: Path):
    """F25."""
    first = stopping.start(tmp_path, f"hydra.run.dir={tmp_path / 'run'}")
    assert first.stdout is not None
    for line in first.stdout:
        if "to be made" in line:
            break
    second = stopping.start(tmp_path, f"hydra.run.dir={tmp_path / 'run'}")
    _, err = second.communicate(timeout=120)
    first.kill()
    first.communicate(timeout=120)
    assert second.returncode == 75, err[-2000:]
    assert "in use by another process" in err


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_notice_of_preemption_means_the_same_as_sigterm(number):
    done = subprocess.run([sys.executable, "-c", SIGNALLED, str(int(number))], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 143, done.stderr


SIGNALLED = """
import signal, sys
from sei.exits import catch_signals
catch_signals()
signal.raise_signal(int(sys.argv[1]))
"""


def test_a_tracker_whose_process_is_gone_changes_no_exit_code(caplog):
    """F34."""
    from sei.job import _close

    class Gone:
        def finish(self, summary, exit_code):
            raise ConnectionResetError("Connection lost")

    with caplog.at_level("WARNING"):
        _close(Gone(), {}, 143)  # type: ignore[arg-type]
    assert "ConnectionResetError" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_to_the_whole_group_ends_a_run_with_143(tmp_path, number):
    """F21: A signal to the whole group ends a run with 143, although wandb dies first."""
    command = [sys.executable, "-m", "sei", "experiment=smoke", "tracker=wandb_offline"]
    env = {**os.environ, "SEI_STORE": str(tmp_path / "store"), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        for line in process.stdout:
            if "synth" in line or "cluster" in line:
                break
        os.killpg(process.pid, number)
        said = process.stdout.read()
        assert process.wait(60) == 143, said
    assert "run the same command again" in said
