from __future__ import annotations

import json
import logging
import re
from types import SimpleNamespace

import pytest

from sei.data.arithmetic import Arithmetic
from sei.data.benchmarks import with_benchmarks
from sei.data.competition import Math
from sei.data.exams import SatMath
from sei.data.mawps import Mawps
from sei.data.school import Gsm8k, MawpsParts
from sei.data.source import Row
from sei.data.study import JsonLines, Study
from sei.errors import ConfigError, DataError
from sei.signature import masked_signature


def test_gsm8k_and_math_mixed_keep_their_roles_apart(shared_data):
    sets = {"gsm8k": Gsm8k(folder=str(shared_data), limit=100), "math": Math(folder=str(shared_data), limit=100)}
    data = Study(sets=sets, dev=50, pool=200, warm_up=30).load()
    assert (len(data.pool), len(data.warm_up)) == (400, 60)
    by_set = {s: [p for p in data.held_out if p.set == s] for s in {p.set for p in data.held_out}}
    assert {s: len(v) for s, v in by_set.items()} == {
        "gsm8k_dev": 50, "math_dev": 50, "gsm8k_test": 100, "math_test": 100
    }  # fmt: skip
    assert {p.role for p in by_set["math_dev"]} == {"dev"}
    signatures = [
        {masked_signature(x.question) for x in group}
        for group in (data.pool, data.warm_up, [p for p in data.held_out if p.role == "dev"],
                      [p for p in data.held_out if p.role != "dev"])
    ]  # fmt: skip
    assert all(not a & b for i, a in enumerate(signatures) for b in signatures[i + 1 :])


def test_short_warm_up_pairs_leave_the_others_to_the_pool(shared_data):
    def load(**more):
        return Study(sets={"math": Math(folder=str(shared_data), limit=5)}, dev=5, pool=200, **more).load()

    short = load(warm_up=5, warm_up_chars=120)
    assert len(short.warm_up) == 5
    assert max(len(x.solution) for x in short.warm_up) <= 120
    assert not {x.id for x in short.warm_up} & {p.id for p in short.pool}
    assert {len(p.solution) > 120 for p in short.pool} == {True, False}  # the pool has both kinds
    assert [p.id for p in short.held_out] == [p.id for p in load(warm_up=5).held_out]
    with pytest.raises(DataError, match=r"math has 0 training rows with a solution of at most 1 characters"):
        load(warm_up=15, warm_up_chars=1)


def test_the_cut_does_not_depend_on_the_order_of_the_file(tmp_path):
    rows = [{"question": f"What is {i} plus {i}?", "answer": str(2 * i)} for i in range(40)]
    (tmp_path / "test.jsonl").write_text(json.dumps({"question": "What is 1 plus 2?", "answer": 3}) + "\n")

    def load(order):
        (tmp_path / "train.jsonl").write_text("".join(json.dumps(r) + "\n" for r in order))
        data = JsonLines(train=str(tmp_path / "train.jsonl"), test=str(tmp_path / "test.jsonl"), dev=10).load()
        return [p.question for p in data.pool], [p.question for p in data.held_out]

    assert load(rows) == load(rows[::-1])
    pool, held = load(rows)
    assert (len(pool), len(held)) == (30, 11)
    assert not set(pool) & set(held)


def test_own_columns_options_and_errors(tmp_path):
    train = [
        {"q": f"Is {i} even?", "gold": "A" if i % 2 == 0 else "B", "choices": ["(A) yes", "(B) no"]} for i in range(9)
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(r) + "\n" for r in train))
    (tmp_path / "b.jsonl").write_text(json.dumps({"q": "Is 90 even?", "gold": "A"}) + "\n")
    from sei.data.study import Columns

    columns = Columns(question="q", answer="gold", options="choices")
    files = {"train": str(tmp_path / "a.jsonl"), "test": str(tmp_path / "b.jsonl")}
    data = JsonLines(**files, columns=columns, dev=3).load()
    assert {p.options for p in data.pool} == {("(A) yes", "(B) no")}
    with pytest.raises(DataError, match=r"b.jsonl line 1: lacks \['question'\]"):
        JsonLines(**files, dev=3).load()
    with pytest.raises(DataError, match="dev=9 leaves none of the rows for the pool"):
        JsonLines(**files, columns=columns, dev=9).load()
    (tmp_path / "b.jsonl").write_text(json.dumps({"q": " ", "gold": "A"}) + "\n")
    with pytest.raises(DataError, match=r"b.jsonl line 1: q=' ' is not text.*data.columns.question"):
        JsonLines(**files, columns=columns, dev=3).load()


def test_benchmarks_join_any_data_set_out_of_domain(shared_data):
    """Benchmarks can be added to any data set, out of domain, and their problems leave the pool."""
    data = Arithmetic(pool=20, dev=10, test=10).load()
    sat = SatMath(folder=str(shared_data), limit=15)
    joined = with_benchmarks(data, {"sat": sat})
    added = [p for p in joined.held_out if p.set == "sat_math"]
    assert (len(added), {p.role for p in added}) == (15, {"out_of_domain"})
    with pytest.raises(ConfigError, match="appears twice"):
        with_benchmarks(data, {"a": sat, "b": sat})

    class Same:
        name = "same"

        def test(self):
            from sei.data.source import Row

            return [Row("s", data.pool[0].question, data.pool[0].answer)]

    left = with_benchmarks(data, {"same": Same()}).pool
    assert len(left) == 19
    assert data.pool[0] not in left


def test_benchmark_problems_are_neither_learnt_nor_chosen_on(shared_data, caplog):
    """Warm-up pairs and dev kept them: of MAWPS's 640 warm-up pairs, 545 were problems of the four parts' tests."""
    parts = MawpsParts(folder=str(shared_data))
    before = Mawps(folder=str(shared_data)).load()
    with caplog.at_level(logging.WARNING, "sei.data"):
        data = with_benchmarks(before, {"parts": parts})
    tests = {masked_signature(p.question) for p in data.held_out if p.set == parts.name}
    for learnt in (data.pool, data.warm_up, [p for p in data.held_out if p.role == "dev"]):
        assert learnt
        assert not tests & {masked_signature(p.question) for p in learnt}
    assert "607 of 700 pool problems are in a benchmark and are left out" in caplog.text
    assert re.search(r"\d+ of 150 dev problems are .*\n.*545 of 640 warm-up problems", caplog.text)


def test_a_benchmark_that_holds_the_whole_pool_is_refused():
    data = Arithmetic(pool=10, dev=10, test=10).load()
    whole = SimpleNamespace(name="whole", test=lambda: [Row(p.id, p.question, p.answer) for p in data.pool])
    with pytest.raises(DataError, match="10 of 10 pool problems are in a benchmark"):
        with_benchmarks(data, {"whole": whole})


def test_dev_and_pool_may_have_a_size_for_each_set(shared_data):
    sets = {
        "words": Gsm8k(folder=str(shared_data), limit=20),
        "math": Math(folder=str(shared_data), limit=20, levels=[1, 2]),
    }
    data = Study(sets=sets, dev={"words": 30, "math": 10}, pool={"words": 60, "math": 25}).load()
    assert [sum(p.id.startswith(s) for p in data.pool) for s in ("gsm8k", "math")] == [60, 25]
    assert [sum(p.set == s for p in data.held_out) for s in ("gsm8k_dev", "math_dev")] == [30, 10]
    levels = {r.level for r in sets["math"].train()} | {r.level for r in sets["math"].test()}
    assert levels == {"Level 1", "Level 2"}


def test_a_size_for_a_set_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"data.pool names gsm8k, but data.sets has words.*Remedy: .*\{words: N\}"):
        Study(sets={"words": Gsm8k()}, pool={"gsm8k": 10})
