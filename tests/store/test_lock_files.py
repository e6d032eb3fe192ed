"""Lock files stand for locks where the file system has none, and the answer cache then needs no locks of SQLite."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock
import pytest

from sei.errors import ConfigError
from sei.instructors.remote.answers import Answers, has_answers, require_cache
from sei.store import inventory, is_held, lock_of, locks, mounts, patience, require_locks, shared
from sei.store.files import locked
from tests.conftest import ROOT


@pytest.fixture
def lock_files(monkeypatch):
    monkeypatch.setenv("SEI_LOCKS", "files")


def program(text: str, *args: object) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", text, *map(str, args)], env=env, stdout=subprocess.PIPE, text=True)


def codes(started: list[subprocess.Popen[str]]) -> list[int]:
    for p in started:
        p.communicate(timeout=120)
    return [p.returncode for p in started]


COUNT = """
import sys, time
from pathlib import Path
from sei.store.files import locked
home = Path(sys.argv[1])
for _ in range(20):
    with locked(home):
        number = int((home / "number").read_text())
        time.sleep(0.002)
        (home / "number").write_text(str(number + 1))
"""


@pytest.mark.parametrize("kind", ["files", "flock"])
def test_processes_take_turns(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("SEI_LOCKS", kind)
    (tmp_path / "number").write_text("0")
    started = [program(COUNT, tmp_path) for _ in range(3)]
    assert codes(started) == [0, 0, 0]
    assert (tmp_path / "number").read_text() == "60"


HOLD = """
import sys, time
from pathlib import Path
from sei.store import lock_of
with lock_of(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path, lock_files):
    path = tmp_path / ".lock"
    assert is_held(path) is None
    with program(HOLD, path) as holder:
        assert holder.stdout.readline() == "held\n"
        assert is_held(path)
        with pytest.raises(filelock.Timeout):
            lock_of(path).acquire(timeout=0)
        holder.send_signal(signal.SIGKILL)
    assert is_held(path) is False
    with lock_of(path).acquire(timeout=5):
        assert is_held(path)


def test_the_lock_of_a_dead_machine_is_taken_over(tmp_path, lock_files, monkeypatch):
    """Its owner refreshes it no more, and only that counts: this machine has no such process either way."""
    monkeypatch.setattr(locks, "LEASE_S", 1.5)
    path = tmp_path / ".lock"
    with lock_of(path):
        held = Path(f"{path}.lease").read_text()
    here = next(line for line in held.splitlines() if os.uname().nodename in line)
    there = held.replace(here, here.replace(os.uname().nodename, "machine-7"))
    Path(f"{path}.lease").write_text(there)
    assert is_held(path)
    lock, began = lock_of(path), time.monotonic()
    with lock.acquire(timeout=patience(lock)):
        assert 1.4 < time.monotonic() - began < 5


def test_an_owner_at_work_keeps_its_lock(tmp_path, lock_files, monkeypatch):
    monkeypatch.setattr(locks, "LEASE_S", 0.6)
    with lock_of(tmp_path / ".lock"), ThreadPoolExecutor(1) as other:
        waiting = other.submit(lock_of(tmp_path / ".lock").acquire, timeout=2.5)
        with pytest.raises(filelock.Timeout):
            waiting.result()


def test_entries_with_lock_files_are_pruned_whole(tmp_path, lock_files):
    home = tmp_path / "grade" / "0123"
    with locked(home):
        (home / "rows.jsonl").write_text("{}\n")
        (entry,) = inventory.entries(tmp_path)
        assert inventory.prune([entry]) == ([], [entry])
    assert inventory.prune([entry]) == ([entry], [])
    assert not home.exists()


def test_a_kind_of_lock_that_is_none_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SEI_LOCKS", "no")
    with pytest.raises(ConfigError, match=r"SEI_LOCKS=no.*flock or files"):
        require_locks(tmp_path, "store", "store=PATH")


MOUNTS = """\
22 27 0:21 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:44 / /home rw shared:1 - nfs4 server:/home rw,vers=4.2,local_lock=none
31 30 0:45 / /home/a\\040b rw - lustre mds:/scratch rw,localflock
32 22 0:46 / /far rw - nfs server:/far rw,nolock,local_lock=all
33 22 0:47 / /fuse rw - fuse.sshfs host:/ rw,user_id=0
34 22 0:48 / /beegfs rw - beegfs beegfs_nodev rw
an odd line
"""


@pytest.mark.parametrize(
    ("folder", "kind", "shared_there", "why"),
    [
        ("/work/x", "ext4", False, ""),
        ("/home/me", "nfs4", True, ""),
        ("/home/a b/c", "lustre", True, "localflock"),
        ("/far", "nfs", True, "local_lock=all"),
        ("/fuse/x", "fuse.sshfs", True, "fuse.sshfs"),
        ("/beegfs", "beegfs", True, "beegfs"),
    ],
)
def test_mounts_tell_who_shares_a_folder_and_its_locks(tmp_path, monkeypatch, folder, kind, shared_there, why):
    (tmp_path / "mountinfo").write_text(MOUNTS)
    monkeypatch.setattr(mounts, "_LIST", tmp_path / "mountinfo")
    found = mounts.mount_of(Path(folder))
    assert (found.kind, found.shared, bool(found.locks_alone)) == (kind, shared_there, bool(why))
    assert why in found.locks_alone


WRITE = """
import sys
from pathlib import Path
from sei.instructors.remote.answers import Answers
cache = Answers(Path(sys.argv[1]))
for i in range(50):
    cache.put(f"{sys.argv[2]}/{i}", {"content": i})
    assert cache.get(f"{sys.argv[2]}/{i}") == {"content": i}
cache.close()
"""


def test_machines_that_share_a_cache_write_in_turns(tmp_path, lock_files):
    """A write-ahead log needs the memory of one machine."""
    path = tmp_path / "answers.sqlite"
    require_cache(path)
    started = [program(WRITE, path, number) for number in range(4)]
    assert codes(started) == [0] * 4
    assert sorted(f.name for f in tmp_path.iterdir()) == ["answers.sqlite", "answers.sqlite.lock"]
    cache = Answers(path)
    assert cache.rows("select count(*) from answers") == [(200,)]
    assert cache.rows("pragma journal_mode") == [("delete",)]
    cache.close()


def test_a_cache_of_one_machine_goes_on_where_many_share_it(tmp_path, monkeypatch):
    path = tmp_path / "answers.sqlite"
    before = Answers(path)
    before.put("a", {"content": 1})
    assert not shared(tmp_path)
    assert before.rows("pragma journal_mode") == [("wal",)]
    before.close()
    monkeypatch.setenv("SEI_LOCKS", "files")
    assert has_answers(path)
    after = Answers(path)
    assert after.get("a") == {"content": 1}
    after.close()
    with sqlite3.connect(path) as db:
        assert db.execute("pragma journal_mode").fetchone() == ("delete",)
    db.close()
