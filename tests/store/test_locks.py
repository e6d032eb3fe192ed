"""Locks that do not work are detected before anything costs, since shared folders would be damaged."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sei.errors import DiskError
from sei.store import files, require_locks
from tests.conftest import ROOT

NO_LOCKS = """
#include <errno.h>
int flock(int fd, int operation) { %s }
"""


def library(tmp_path: Path, body: str) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler here: flock cannot be replaced")
    (tmp_path / "flock.c").write_text(NO_LOCKS % body)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "flock.so", tmp_path / "flock.c"], check=True)
    return tmp_path / "flock.so"


def test_a_local_disk_passes_and_nothing_is_left_there(tmp_path):
    start = time.perf_counter()
    require_locks(tmp_path, "store", "store=PATH")
    assert time.perf_counter() - start < 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return 0;", ["two processes got the same lock", "SEI_STORE"]),
        ("errno = ENOLCK; return -1;", ["lock service", "ENOLCK", "SEI_STORE"]),
        ("errno = ENOSYS; return -1;", ["no locks", "SEI_STORE"]),
    ],
    ids=["per machine", "no lock service", "not supported"],
)
def test_a_file_system_whose_locks_exclude_nobody_is_refused(tmp_path, body, words):
    env = {**os.environ, "LD_PRELOAD": str(library(tmp_path, body)), "PYTHONPATH": str(ROOT)}
    program = "\n".join(
        (
            "import sys; from pathlib import Path; from sei.exits import tell; from sei.store import require_locks",
            "try: require_locks(Path(sys.argv[1]), 'store', 'store=PATH (SEI_STORE) on a local disk')",
            "except BaseException as e: raise SystemExit(tell(e))",
        )
    )
    (tmp_path / "s").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "s"], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 74, done.stderr
    assert [w for w in words if w not in done.stderr] == [], done.stderr


def test_a_run_tries_the_locks_of_its_store_early(tmp_path, monkeypatch):
    from sei import job

    asked: list[Path] = []
    monkeypatch.setattr(job, "require_locks", lambda folder, *_: asked.append(folder))
    monkeypatch.setattr(job, "parts_in", lambda _: ())

    class Job:
        folder, store = tmp_path / "run", tmp_path / "store"
        model = method = data = benchmarks = tracker = None

    job.preflight(Job(), [])  # type: ignore[arg-type]
    assert asked == [tmp_path / "store"]


def test_enolck_in_this_process_has_words_of_its_own(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(DiskError, match="ENOLCK"):
        files.require_locks(tmp_path, "store", "x")
