from __future__ import annotations

import gzip
import json
from collections import Counter

import pytest

from sei.data.equations import solution_from_equation
from sei.data.mawps import Mawps, tidy
from sei.errors import DataError
from sei.grading import MathGrader
from sei.signature import masked_signature


@pytest.mark.parametrize(
    ("equation", "answer", "solution"),
    [
        ("X=((22.0-14.0)/4.0)", "2", "22-14=<<22-14=8>>8\n8/4=<<8/4=2>>2\n#### 2"),
        ("x=3*6", "18", "3*6=<<3*6=18>>18\n#### 18"),
        ("x=2.5+.5", "3", "2.5+0.5=<<2.5+0.5=3>>3\n#### 3"),
        ("(6.0+x)*(x-6.0)=189.0", "15", None),
        ("x=1/3", "0.333", None),
        ("x=5/0", "5", None),
        ("x=3*6", "19", None),
        ("x=__import__('os')", "1", None),
        ("x=7", "7", None),
    ],
)
def test_worked_steps_from_an_equation(equation, answer, solution):
    assert solution_from_equation(equation, answer) == solution


def test_tokenised_punctuation_is_undone():
    assert tidy("Tim had 7 pens , then 3 . How many ?") == "Tim had 7 pens, then 3. How many?"


def test_the_real_files_load_in_their_roles_without_overlap(shared_data):
    data = Mawps(folder=str(shared_data)).load()
    assert (len(data.pool), len(data.warm_up)) == (700, 640)
    assert Counter(p.set for p in data.held_out) == {
        "mawps_test": 441,
        "svamp": 300,
        "gsm8k_test": 300,
        "mawps_dev": 150,
    }
    test = {masked_signature(p.question) for p in data.held_out if p.role != "dev"}
    dev = {masked_signature(p.question) for p in data.held_out if p.role == "dev"}
    pool = {masked_signature(p.question) for p in data.pool}
    warm = {masked_signature(p.question) for p in data.warm_up}
    assert not (pool | warm | dev) & test
    assert not pool & warm
    assert not pool & dev
    assert MathGrader().check_gold((*data.pool, *data.held_out)) == []


def write(folder, rows):
    (folder / "mawps").mkdir()
    for split in ("train", "test", "validation"):
        with gzip.open(folder / f"mawps/mwptoolkit_{split}.jsonl.gz", "wt") as f:
            f.write("".join(r if isinstance(r, str) else json.dumps(r) + "\n" for r in rows))


GOOD = {"id": 1, "original_text": "Tim has 2 pens and 3 cups .", "equation": "x=2+3", "ans": 5.0}


@pytest.mark.parametrize(
    ("row", "word"),
    [("{torn\n", "not JSON"), ({"id": 2}, "lacks"), ({**GOOD, "ans": "five"}, "not a number"), ("[1]\n", "lacks")],
)
def test_a_broken_row_is_named_by_file_and_line(tmp_path, row, word):
    write(tmp_path, [GOOD, row])
    with pytest.raises(DataError, match=rf"mwptoolkit_test.*line 2.*{word}"):
        Mawps(folder=str(tmp_path)).load()


def test_too_few_rows_are_refused_with_both_numbers(tmp_path):
    write(tmp_path, [GOOD])
    for name, row in (("svamp/all", {"ID": "1", "Body": "b", "Question": "q", "Equation": "e", "Answer": 1}),):
        (tmp_path / name).parent.mkdir(parents=True)
        with gzip.open(tmp_path / f"{name}.jsonl.gz", "wt") as f:
            f.write(json.dumps(row) + "\n")
    (tmp_path / "gsm8k/main").mkdir(parents=True)
    with gzip.open(tmp_path / "gsm8k/main/test.jsonl.gz", "wt") as f:
        f.write(json.dumps({"question": "q", "answer": "#### 1"}) + "\n")
    with pytest.raises(DataError, match=r"0 usable.*1490"):
        Mawps(folder=str(tmp_path)).load()
