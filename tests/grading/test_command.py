from __future__ import annotations

import gzip
import json
import subprocess
import sys

import pytest

from sei.grading.gold import is_finished
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


def test_each_output_of_a_file_gets_a_verdict_and_keeps_fields(tmp_path):
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


@pytest.mark.parametrize("cut", [False, 0, 0.0, "false", "0", "No"])
@pytest.mark.parametrize("whole", [True, 1, "true", "1", "yes", None, float("nan"), ""])
def test_zeros_and_words_say_that_an_output_was_cut(cut, whole):
    """0, which a database writes for false, counted as finished."""
    assert not is_finished({"finished": cut})
    assert is_finished({"finished": whole})


def test_another_value_of_finished_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": 1, "gold": "2", "output": "2", "finished": "stop"}\n')
    done = grade("a.jsonl", cwd=tmp_path)
    assert (done.returncode, "a.jsonl line 1: finished='stop' is no truth value" in done.stderr) == (2, True)


def test_bad_files_are_refused_with_file_and_line(tmp_path):
    missing = grade("none.jsonl", cwd=tmp_path)
    assert (missing.returncode, "none.jsonl is missing" in missing.stderr) == (2, True)
    (tmp_path / "bad.jsonl").write_text('{"id": 1, "gold": "2", "output": "2"}\n{"id": 2, "gold": "2"}\n')
    lacking = grade("bad.jsonl", cwd=tmp_path)
    assert (lacking.returncode, "bad.jsonl line 2: lacks ['output']" in lacking.stderr) == (2, True)
    (tmp_path / "bad.jsonl").write_text('{"id": 1, "gold": "", "output": "2"}\n')
    empty = grade("bad.jsonl", cwd=tmp_path)
    assert (empty.returncode, "line 1: gold is empty" in empty.stderr) == (2, True)


LAYOUTS = [
    ("#### 12", "#### 12", {}, "right"),
    ("9 * 2 = 18\n#### 1,018", "The answer is 1018.", {}, "right"),
    ("We get $x = \\boxed{3}$.", "\\boxed{4}", {}, "wrong"),
    ("$\\boxed{\\frac{1}{2}}$", "\\boxed{0.5}", {}, "right"),
    (float("nan"), "#### 12", {}, "error"),
    (float("inf"), "#### 12", {}, "error"),
    ("None", "#### None", {}, "error"),
    (1e20, "#### 100000000000000000000", {}, "right"),
    (0.1, "#### 0.1", {}, "right"),
    (1e-07, "#### 0.0000001", {}, "right"),
    ("59", "The answer is (C).", {"options": ["51", "57", "59", "63"]}, "right"),
    ("59", "The answer is B.", {"options": ["51", "57", "59", "63"]}, "wrong"),
    ("C", "The answer is 59.", {"options": {"label": ["A", "B", "C"], "text": ["51", "57", "59"]}}, "right"),
    ("3", "The answer is C.", {"options": {"label": ["1", "2", "3"], "text": ["51", "57", "59"]}}, "right"),
    ("B", "It is 57.", {"options": [[{"aoVal": "A", "content": "51"}], [{"aoVal": "B", "content": "57"}]]}, "right"),
    (2, "The answer is C.", {"options": ["51", "57", "59", "63"]}, "right"),
    ("1", "The answer is C.", {"options": ["51", "57", "59", "63"]}, "wrong"),
    ("2", "The answer is C.", {"options": ["1", "2", "3", "4"]}, "error"),
    ("a", "The answer is 38.", {"options": "a ) 38 , b ) 27.675 , c ) 1,300 , d ) none of these"}, "right"),
    ("c", "1,300", {"options": ["a ) 38", "b ) 27.675", "c ) 1,300"]}, "right"),
    ("E", "The answer is A.", {"options": ["51", "57"]}, "error"),
    ("A", "The answer is A.", {"options": "51, 57"}, "error"),
    ("12", float("nan"), {}, "unreadable"),
    ("9 * 2 = 18\n#### 1,018\nThe answer is: 1,018", "The answer is 1018.", {}, "right"),  # MetaMathQA
    ("9 * 2 = 18\n#### 18\nThe answer is: 19", "The answer is 18.", {}, "error"),
    ("9 * 2 = 18\n#### 18\nIs the answer 18?", "The answer is 18.", {}, "error"),
]


def test_gold_answers_and_options_are_read_in_known_layouts(tmp_path):
    rows = [
        {"id": i, "gold": g, "output": o, "question": "Which?", **more} for i, (g, o, more, _) in enumerate(LAYOUTS)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    done = grade("rows.jsonl", "--out", "graded.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    graded = [json.loads(line) for line in (tmp_path / "graded.jsonl").read_text().splitlines()]
    assert [(i, r["verdict"]) for i, r in enumerate(graded)] == [(i, x[3]) for i, x in enumerate(LAYOUTS)]
    for r in graded:
        if r["verdict"] == "error":
            assert r["fault"].startswith(("gold=", "options="))
            assert "Rule: " in r["fault"]
            assert "Remedy: " in r["fault"]
    assert "--answers=index" not in graded[0].get("fault", "")
    assert "--answers=label, index" in graded[17]["fault"]


def test_the_user_may_say_how_gold_answers_name_options(tmp_path):
    row = {"id": 1, "gold": 2, "output": "The answer is B.", "options": ["1", "2", "3", "4"]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    for way, said in (("value", "1 right"), ("index", "1 wrong"), ("index_from_1", "1 right"), ("label", "1 error")):
        done = grade("rows.jsonl", "--answers", way, cwd=tmp_path)
        assert said in done.stdout, (way, done.stdout, done.stderr)
