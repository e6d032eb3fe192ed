"""The page of a running run reads a file again only if it has changed, and shows what a page made anew shows."""

from __future__ import annotations

import os

from sei.report.page import files
from sei.report.page.build import gather
from sei.report.page.files import Known
from tests.report.run_folders import make_run


def test_pages_of_one_run_read_each_file_once(tmp_path, monkeypatch):
    make_run(tmp_path, 6, 4, finished=False)
    read, known = list[str](), Known()
    was = files.read_jsonl
    monkeypatch.setattr(files, "read_jsonl", lambda path, *fields: (read.append(path.name), was(path, *fields))[1])
    first = gather(tmp_path, 1, known)
    assert sorted(set(read)) == sorted(read)
    assert first == gather(tmp_path, 1)
    read.clear()
    second = gather(tmp_path, 2, known)
    of_two = list(read)
    assert second == gather(tmp_path, 2)
    assert 0 < len(of_two) < len(read) - len(of_two)  # those of round 1 are known
    read.clear()
    assert gather(tmp_path, 2, known) == second
    assert read == []


def test_a_file_that_changed_is_read_again_and_notes_are_kept(tmp_path):
    make_run(tmp_path, 6, finished=False)
    known = Known()
    (tmp_path / "round_1" / "withheld.jsonl").unlink()
    gather(tmp_path, 1, known)
    again = gather(tmp_path, 1, known)
    assert any("withheld.jsonl" in note for note in again["notes"])
    path = tmp_path / "round_1" / "refined.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), encoding="utf-8")
    changed = gather(tmp_path, 1, known)
    assert len(changed["synthetic"]) == len(again["synthetic"]) - 1
    later = path.stat().st_mtime_ns + 10**9
    path.write_text("".join(lines[1:]), encoding="utf-8")
    os.utime(path, ns=(later, later))
    assert gather(tmp_path, 1, known)["synthetic"][0] == again["synthetic"][1]
