"""``python -m sei.store``: lists entries and their users, and prunes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import filelock
import pytest

from sei.parts import part
from sei.records import Checkpoint, CurvePoint
from sei.store import Store
from sei.store.__main__ import main
from sei.store.inventory import entries, select


@part
class Weights:
    version: ClassVar[int] = 1
    size: int = 1000

    def __call__(self, x: int, *, folder: Path) -> Checkpoint:
        (folder / "w.bin").write_bytes(bytes(self.size))
        return Checkpoint(digest=str(x), kind="full", folder=str(folder))


@part
class Rows:
    version: ClassVar[int] = 1
    row_type: ClassVar[type] = CurvePoint

    def __call__(self, *, items: list[CurvePoint], done: frozenset[int]):
        for i, item in enumerate(items):
            time.sleep(0.01)
            yield i, item


@pytest.fixture
def root(tmp_path) -> Path:
    """Return a store with rows and two checkpoints, one used by an existing run, one by a run whose folder is gone."""
    root = tmp_path / "store"
    used, lost = Store(root=root), Store(root=root)
    used.once(Weights(), 1)
    used.each(Rows(), items=[CurvePoint(num_types=i, score=0.0) for i in range(3)])
    lost.once(Weights(size=5000), 2)
    (tmp_path / "run").mkdir()
    used.keep_run("a", tmp_path / "run", "used")
    lost.keep_run("b", tmp_path / "gone", "lost")
    return root


def test_runs_of_equal_settings_in_folders_of_one_name_are_two(root, tmp_path):
    """The run that was kept lost its entries as soon as the folder of the other was deleted."""
    for place in ("kept", "trial"):
        (tmp_path / place / "final").mkdir(parents=True)
        store = Store(root=root)
        store.keep_run("same", tmp_path / place / "final", "equal settings")
        store.once(Weights(size=7000), 3)
    (tmp_path / "trial" / "final").rmdir()
    (kept,) = [e for e in entries(root) if e.bytes > 6000]
    assert kept.users == (str(tmp_path / "kept" / "final"),)


def test_the_list_tells_stage_size_cost_age_and_users(root, capsys):
    assert main(["list", "--store", str(root)]) == 0
    shown = capsys.readouterr().out
    assert "3 entries" in shown
    assert "1 unused" in shown
    by_stage = {(e.stage, e.bytes > 4000): e for e in entries(root)}
    assert [Path(u).name for u in by_stage["weights", False].users] == ["run"]
    assert by_stage["weights", True].users == ()
    assert by_stage["rows", False].state == "rows"
    assert by_stage["rows", False].seconds >= 0.03
    assert all(0 <= e.days < 0.01 for e in entries(root))


def test_prune_shows_first_and_deletes_only_what_no_run_rests_on(root, capsys):
    assert main(["prune", "--unused", "--store", str(root)]) == 0
    assert "add --yes" in capsys.readouterr().out
    assert len(entries(root)) == 3
    assert main(["prune", "--unused", "--yes", "--store", str(root)]) == 0
    assert "deleted 1 entries" in capsys.readouterr().out
    assert [bool(e.users) for e in entries(root)] == [True, True]
    Store(root=root).once(Weights(size=5000), 2)  # a pruned entry is made again on request
    assert len(entries(root)) == 3


def test_prune_without_a_condition_or_a_store_is_refused(root, capsys):
    assert main(["prune", "--yes", "--store", str(root)]) == 2
    assert "needs a condition" in capsys.readouterr().err
    assert main(["list", "--store", str(root / "nowhere")]) == 2
    assert "no store at" in capsys.readouterr().err
    assert len(entries(root)) == 3


def test_what_a_job_is_working_on_is_kept(root, capsys):
    (busy,) = select(entries(root), stage="rows")
    with filelock.FileLock(busy.home / ".lock"):
        assert main(["prune", "--stage", "rows", "--yes", "--store", str(root)]) == 0
    assert "a job works" in capsys.readouterr().out
    assert select(entries(root), stage="rows")


def test_age_damage_and_half_made_entries_are_conditions(root):
    found = entries(root)
    (rows,) = select(found, stage="rows")
    os.utime(rows.home / "rows.jsonl", (0, 0))
    assert [e.stage for e in select(entries(root), older_than=3)] == ["rows"]
    small = min(select(found, stage="weights"), key=lambda e: e.bytes)
    (small.home / "files" / "w.bin").write_bytes(b"x" * 1000)
    Store(root=root).once(Weights(), 1)
    assert len(select(entries(root), states=["damaged"])) == 1
    (small.home / "entry.json").unlink()
    assert len(select(entries(root), states=["unfinished"])) == 1


def test_the_log_says_what_changed_and_so_has_to_be_made_anew(tmp_path, caplog):
    """F26."""
    store = Store(root=tmp_path)
    with caplog.at_level("INFO"):
        store.once(Weights(), 1)
        store.once(Weights(size=2000), 1)
        store.once(Weights(size=2000), 2)
    lines = [r.getMessage() for r in caplog.records if "to be made" in r.getMessage()]
    assert [line.partition("to be made")[2] for line in lines] == ["", ": size 1000 -> 2000", ": other x"]


def test_what_a_killed_run_was_making_is_not_unused(tmp_path):
    """Pruning must leave a run what it goes on from: finished stages, and the one that it stopped in."""

    @part
    class Killed:
        version: ClassVar[int] = 1

        def __call__(self, x: int, *, folder: Path) -> Checkpoint:
            (folder / "half.txt").write_text("a resume point")
            raise KeyboardInterrupt

    (tmp_path / "run").mkdir()
    store = Store(root=tmp_path / "store")
    store.keep_run("a", tmp_path / "run", "killed")
    store.once(Weights(), 1)
    with pytest.raises(KeyboardInterrupt):
        store.once(Killed(), 1)
    assert select(entries(store.root), unused=True) == []
    again = Store(root=store.root)
    again.keep_run("a", tmp_path / "run", "the same command, before its first stage")
    assert select(entries(store.root), unused=True) == []
    assert {e.state for e in entries(store.root)} == {"done", "unfinished"}


def test_a_reader_of_the_list_may_leave(root):
    """As in ``python -m sei.store | head -1``."""
    command = [sys.executable, "-m", "sei.store", "--store", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as shown:
        shown.stdout.close()
        assert shown.stderr.read() == ""
        assert shown.wait(timeout=60) == -signal.SIGPIPE
