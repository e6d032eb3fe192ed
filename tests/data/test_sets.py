from __future__ import annotations

import gzip
import json
import sys
import types

import pytest
import yaml

from sei.__main__ import CONF
from sei.data import competition, exams, school
from sei.data.source import at_most
from sei.errors import DataError
from tests.data.sets import SETS


@pytest.mark.parametrize("name", sorted(SETS))
def test_every_set_loads_whole_with_distinct_ids(shared_data, name):
    cls, tests, training = SETS[name]
    source = cls(folder=str(shared_data))
    rows = source.test()
    assert len(rows) == tests
    assert source.name == name
    if training is not None:
        train = source.train()
        assert len(train) == training
        rows = [*rows, *train]
    assert len({r.id for r in rows}) == len(rows)
    assert all(r.question and r.answer for r in rows)
    assert all(r.answer in "ABCDEFGHIJ" for r in rows if r.options)


def test_every_set_has_one_yaml_that_names_its_class():
    files = {f.stem: yaml.safe_load(f.read_text()) for f in (CONF / "benchmarks" / "set").glob("*.yaml")}
    assert {k: v["_target_"].rsplit(".", 1)[1] for k, v in files.items()} == {k: v[0].__name__ for k, v in SETS.items()}


def test_levels_and_subjects_are_kept(shared_data):
    rows = competition.Math(folder=str(shared_data)).test()
    assert {r.level for r in rows} == {f"Level {i}" for i in range(1, 6)}
    assert len({r.group for r in rows}) == 7


def test_a_slice_is_drawn_by_content(shared_data):
    """A slice is drawn by content, and larger slices contain smaller ones."""
    rows = school.Gsm8k(folder=str(shared_data)).test()
    large, small = at_most(rows, 200, "gsm8k"), at_most(rows, 50, "gsm8k")
    assert (len(large), len(small)) == (200, 50)
    assert {r.id for r in small} < {r.id for r in large}
    assert at_most(list(reversed(rows)), 50, "gsm8k") == list(reversed(small))
    assert school.Gsm8k(folder=str(shared_data), limit=50).test() == small


def write(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as f:
        f.writelines((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{broken", "line 2: not JSON"),
        ({"question": "q"}, "line 2: lacks \\['answer'\\]"),
        ({"question": "q", "answer": "no mark"}, "line 2: the answer has no '#### '"),
        ({"question": None, "answer": "#### 3"}, "line 2: question=None is not text"),
    ],
)
def test_a_broken_row_is_named_by_file_and_line(tmp_path, row, message):
    write(tmp_path / "gsm8k/main/test.jsonl.gz", {"question": "q", "answer": "#### 3"}, row)
    with pytest.raises(DataError, match=message):
        school.Gsm8k(folder=str(tmp_path)).test()


def test_a_truncated_file_is_named(tmp_path):
    path = tmp_path / "gsm8k/main/test.jsonl.gz"
    write(path, *[{"question": f"q{i}", "answer": "#### 3"} for i in range(500)])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"test.jsonl.gz: cannot be read to the end"):
        school.Gsm8k(folder=str(tmp_path)).test()


def test_a_missing_file_and_an_answer_without_option_are_named(tmp_path):
    with pytest.raises(DataError, match=r"sat-math.*missing.*data_folder"):
        exams.SatMath(folder=str(tmp_path)).test()
    write(tmp_path / "agieval/sat-math/test.jsonl.gz", {"question": "q", "options": ["(A)1", "(B)2"], "label": "E"})
    with pytest.raises(DataError, match="line 1: the answer 'E' is none of its 2 options"):
        exams.SatMath(folder=str(tmp_path)).test()


def test_the_hub_is_asked_for_the_pinned_revision(monkeypatch):
    asked = []

    def load_dataset(hub, config, *, split, revision):
        asked.append((hub, config, split, revision))
        return [{"question": "q", "answer": "a\n#### 1,234"}]

    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load_dataset))
    (row,) = school.Gsm8k(folder=None).test()
    assert row.answer == "1234"
    assert asked == [("openai/gsm8k", "main", "test", school.Gsm8k().revision)]
    with pytest.raises(DataError, match="no pinned revision"):
        school.Asdiv(folder=None).test()
    with pytest.raises(DataError, match="is only read locally"):
        exams.SatMath(folder=None).test()


def test_without_the_hub_client_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"sei\[hub\]"):
        school.Gsm8k(folder=None).test()
