"""Records are joined by id, so no loader may give an id twice."""

from __future__ import annotations

import json
import random

import pytest

from sei.data.benchmarks import with_benchmarks
from sei.data.ids import tell_apart
from sei.data.source import Row, at_most
from sei.data.study import JsonLines, Study
from sei.errors import ConfigError, DataError
from sei.exchange import DataSet
from sei.records import TrainingExample
from tests.builders import held_out, problem


def test_unique_ids_keep_their_text_and_others_get_a_digest():
    """Unique ids stay, and others get a digest of their content, in any order."""
    rows = [Row("1", "a?", "1"), Row("2", "b?", "2"), Row("1", "c?", "3"), Row("1", "a?", "1")]
    found = tell_apart({"x": rows})["x"]
    assert [r.question for r in found] == ["a?", "b?", "c?"]  # the last row repeats the first
    assert found[1] == rows[1]
    assert found[0].id.startswith("1~")
    assert len({r.id for r in found}) == 3
    for seed in range(5):
        mixed = random.Random(seed).sample(rows, len(rows))
        assert sorted(tell_apart({"x": mixed})["x"]) == sorted(found)


def test_ids_are_told_apart_between_groups_and_from_taken_ones():
    same = Row("1", "a?", "1")
    found = tell_apart({"x": [same], "y": [same, Row("3", "b?", "2")], "z": [Row("9", "c?", "4")]}, taken={"9"})
    ids = [r.id for rows in found.values() for r in rows]
    assert len(set(ids)) == 4
    assert "3" in ids
    assert not {"1", "9"} & set(ids)


def test_what_is_told_apart_is_said_with_its_count(caplog):
    tell_apart({"x": [Row("1", "a?", "1"), Row("1", "b?", "1"), Row("1", "b?", "1")]})
    assert "x: 2 of 2 rows share their id with others" in caplog.text
    assert "x: 1 rows repeat another" in caplog.text


def test_a_slice_of_rows_with_one_id_is_no_larger_than_asked():
    assert len(at_most([Row("1", f"{i}?", "1") for i in range(9)], 3, "x")) == 3


def write(path, rows):
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return str(path)


def test_files_whose_ids_start_again_load_with_distinct_ids(tmp_path):
    rows = [{"question": f"What is {i} plus {i}?", "answer": 2 * i, "id": i % 5} for i in range(40)]
    test = [{"question": f"What is {i} times {i}?", "answer": i * i, "id": i % 5 or None} for i in range(2, 22)]

    def load(train, held):
        files = {"train": write(tmp_path / "a.jsonl", train), "test": write(tmp_path / "b.jsonl", held)}
        data = JsonLines(**files, tests={"test-1": files["test"]}, dev=10).load()
        return {p.id: p.question for p in (*data.pool, *data.held_out)}, len(data.pool) + len(data.held_out)

    found, n = load(rows, test)
    assert len(found) == n == 80
    again, _ = load(rows[::-1], test)
    assert again == found


def test_an_id_like_a_line_number_or_a_text_is_told_apart(tmp_path):
    rows = [{"question": f"{i} + 1?", "answer": i + 1, "id": x} for i, x in enumerate([1, "1", 1.0, None, 4, "", 9])]
    test = write(tmp_path / "b.jsonl", [{"question": "1 + 9?", "answer": 10}])
    data = JsonLines(train=write(tmp_path / "a.jsonl", rows), test=test, dev=1).load()
    ids = {p.id for p in (*data.pool, *data.held_out)}
    assert len(ids) == 8
    assert {"train-1.0", "train-6", "train-9", "test-1"} <= ids


def test_an_id_or_question_with_two_answers_is_refused(tmp_path):
    rows = [{"question": "1 + 1?", "answer": a, "id": 7} for a in (2, 2, 3)]
    with pytest.raises(DataError, match=r"a\.jsonl lines 1 and 3: .*'2' and '3'.*Rule.*Remedy"):
        JsonLines(train=write(tmp_path / "a.jsonl", rows), test=str(tmp_path / "a.jsonl"), dev=1).load()


class Numbered:
    """A set as a plugin may define it: ids are numbers that start again in every split."""

    def __init__(self, name, word="plus"):
        self.name, self.word = name, word

    def test(self):
        return [Row(str(i), f"what is {i} {self.word} 1?", str(i + 1)) for i in range(5)]

    def train(self):
        return [Row(str(i), f"how much is {i} {self.word} 1?", str(i + 1)) for i in range(30)]


def test_sets_and_benchmarks_of_plugins_are_told_apart():
    sets = {"a": Numbered("a"), "b": Numbered("b", "and")}
    data = with_benchmarks(Study(sets=sets, dev=5).load(), {"c": Numbered("c", "or"), "d": Numbered("d", "over")})
    ids = [p.id for p in (*data.pool, *data.held_out)]
    assert len(ids) == 80
    assert len(set(ids)) == 80
    with pytest.raises(ConfigError, match="'a' appears twice"):
        Study(sets={"a": Numbered("a"), "b": Numbered("a")}, dev=5).load()


@pytest.mark.parametrize(
    "parts",
    [
        {"pool": (problem("1"), problem("1")), "held_out": ()},
        {"pool": (problem("1"),), "held_out": (held_out("1"),)},
        {"pool": (), "held_out": (held_out("2"), held_out("1"), held_out("1"))},
        {"pool": (problem("1"),), "held_out": (),
         "warm_up": (TrainingExample(id="1", question="q", solution="s", source="warm_up"),)},
        {"pool": (problem(" "),), "held_out": ()},
    ],
)  # fmt: skip
def test_a_data_set_with_an_id_that_stands_twice_cannot_be_made(parts):
    with pytest.raises(DataError, match=r"1 ids that are repeated or empty.*Rule: records are joined by id.*Remedy"):
        DataSet(**parts)
    assert DataSet(pool=(problem("1"),), held_out=(held_out("2"),)).pool


def test_a_benchmark_gives_way_to_the_ids_of_the_data():
    data = DataSet(pool=(problem("1"), problem("2")), held_out=(held_out("3"),))
    joined = with_benchmarks(data, {"c": Numbered("c")})
    assert joined.pool == data.pool
    assert joined.held_out[0] == data.held_out[0]
    added = [p.id for p in joined.held_out[1:]]
    assert len(added) == 5
    assert {i for i in added if "~" not in i} == {"0", "4"}
