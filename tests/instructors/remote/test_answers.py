"""The file of paid answers, opened and closed by several workers at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sei.instructors.remote.answers import Answers, require_cache

WORKERS = 8


def at_once(path):
    """Let all workers look at a file, open it, store an answer and close it at the same time; return what each saw."""
    start = threading.Barrier(WORKERS)

    def work(number):
        start.wait()
        require_cache(path)
        answers = Answers(path)
        try:
            answers.put(f"key {number}", {"text": str(number)})
            return answers.get(f"key {number}")
        finally:
            answers.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, range(WORKERS)))


def kept(path):
    answers = Answers(path)
    try:
        return [answers.get(f"key {n}") for n in range(WORKERS)]
    finally:
        answers.close()


@pytest.mark.parametrize("before", [None, b"not a database, " * 500], ids=["new", "damaged"])
@pytest.mark.long
def test_a_file_that_many_open_at_once_serves_all(tmp_path, before):
    """SQLite itself fails for some workers that create a file at once; a damaged file (F22) is put aside once."""
    for turn in range(5):
        path = tmp_path / str(turn) / "answers.sqlite"
        if before:
            path.parent.mkdir()
            path.write_bytes(before)
        expected = [{"text": str(n)} for n in range(WORKERS)]
        assert at_once(path) == expected
        assert kept(path) == expected
        assert len(list(path.parent.glob("*.damaged-*"))) == (1 if before else 0)
