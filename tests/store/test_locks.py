"""Locks that do not work are detected before anything costs, since shared folders would be damaged."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sei.errors import DiskError
from sei.store import locks, require_locks
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


@pytest.fixture(autouse=True)
def _anew(monkeypatch):
    monkeypatch.setattr(locks, "_KINDS", {})
    monkeypatch.setattr(locks, "_TOLD", set())


def test_a_local_disk_passes_and_nothing_is_left_there(tmp_path, caplog):
    start = time.perf_counter()
    require_locks(tmp_path, "store", "store=PATH")
    assert time.perf_counter() - start < 2
    assert list(tmp_path.iterdir()) == []
    assert caplog.text == ""


def asked(tmp_path: Path, body: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Another process, in which flock does something else, looks at the locks of a folder and takes one."""
    env = {**os.environ, "LD_PRELOAD": str(library(tmp_path, body)), "PYTHONPATH": str(ROOT), **variables}
    program = "\n".join(
        (
            "import logging, sys; from pathlib import Path; from sei.exits import tell",
            "from sei.store import lock_of, require_locks; logging.basicConfig()",
            "try: require_locks(Path(sys.argv[1]), 'store', 'store=PATH (SEI_STORE) on a local disk')",
            "except BaseException as e: raise SystemExit(tell(e))",
            "with lock_of(Path(sys.argv[1]) / '.lock'): print(*Path(sys.argv[1]).iterdir())",
        )
    )
    (tmp_path / "s").mkdir()
    words = [sys.executable, "-c", program, tmp_path / "s"]
    return subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)


BROKEN = [
    ("return 0;", "two processes got the same lock"),
    ("errno = ENOLCK; return -1;", "lock service of its file system does not answer (ENOLCK)"),
    ("errno = ENOSYS; return -1;", "its file system has no locks"),
]
IDS = ["per machine", "no lock service", "not supported"]


@pytest.mark.parametrize(("body", "words"), BROKEN, ids=IDS)
def test_lock_files_are_used_where_locks_exclude_nobody(tmp_path, body, words):
    done = asked(tmp_path, body)
    assert done.returncode == 0, done.stderr
    assert words in done.stderr
    assert "Lock files are used instead" in done.stderr
    assert ".lock.lease" in done.stdout


@pytest.mark.parametrize(("body", "words"), BROKEN, ids=IDS)
def test_locks_that_are_asked_for_and_do_not_work_are_refused(tmp_path, body, words):
    done = asked(tmp_path, body, SEI_LOCKS="flock")
    assert done.returncode == 74, done.stderr
    assert [w for w in (words, "SEI_STORE", "SEI_LOCKS=files") if w not in done.stderr] == [], done.stderr


def test_where_neither_excludes_anybody_the_store_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_excludes", lambda *_, lock: False)
    with pytest.raises(DiskError, match="neither locks nor lock files work"):
        require_locks(tmp_path, "store", "store=PATH")


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
