from __future__ import annotations

import gzip
import json
import subprocess
import sys

from tests.conftest import ROOT


def grade(*args, cwd):
    return subprocess.run(
        [sys.executable, "-m", "sei.grading", *map(str, args)],
        cwd=cwd, env={"PYTHONPATH": str(ROOT), "PATH": ""}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


ROWS = [
    {"id": "a", "gold": "1/2", "output": "so \\boxed{0.5}", "mine": [1, 2]},
    {"id": "b", "gold": 7, "output": "The answer is 8."},
    {"id": "c", "gold": "3", "output": ""},
    {"id": "d", "gold": "B", "question": "Which?", "options": ["(A) 3", "(B) 4"], "output": "It is \\boxed{4}"},
    {"id": "e", "gold": "\\frac{1}{", "output": "\\boxed{3}"},
    {"id": "f", "gold": "3", "output": "3 and then 3", "finished": False},
]


def test_a_file_of_outputs_gets_a_verdict_each_and_keeps_its_fields(tmp_path):
    source = tmp_path / "rows.jsonl.gz"
    with gzip.open(source, "wt") as f:
        f.writelines(json.dumps(r) + "\n" for r in ROWS)
    done = grade(source, "--out", "graded.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "6 rows: 2 right, 1 wrong, 2 unreadable, 1 error; accuracy 40.0 %" in done.stdout
    rows = [json.loads(line) for line in (tmp_path / "graded.jsonl").read_text().splitlines()]
    assert [(r["id"], r["verdict"]) for r in rows] == [
        ("a", "right"), ("b", "wrong"), ("c", "unreadable"), ("d", "right"), ("e", "error"), ("f", "unreadable")
    ]  # fmt: skip
    assert rows[0]["mine"] == [1, 2]
    assert rows[0]["extracted"] == "0.5"
    assert "cannot be read" in rows[4]["fault"]


def test_bad_files_are_refused_with_file_and_line(tmp_path):
    missing = grade("none.jsonl", cwd=tmp_path)
    assert (missing.returncode, "none.jsonl is missing" in missing.stderr) == (2, True)
    (tmp_path / "bad.jsonl").write_text('{"id": 1, "gold": "2", "output": "2"}\n{"id": 2, "gold": "2"}\n')
    lacking = grade("bad.jsonl", cwd=tmp_path)
    assert (lacking.returncode, "bad.jsonl line 2: lacks ['output']" in lacking.stderr) == (2, True)
    (tmp_path / "bad.jsonl").write_text('{"id": 1, "gold": "", "output": "2"}\n')
    empty = grade("bad.jsonl", cwd=tmp_path)
    assert (empty.returncode, "line 1: gold is empty" in empty.stderr) == (2, True)
