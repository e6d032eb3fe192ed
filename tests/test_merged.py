"""Served adapters beside merged weights: which problems are asked, what is recorded, and what is shown."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

from sei.choice import Evaluated
from sei.grading import MathGrader
from sei.merged import against_merged, spread
from sei.opened import Answer
from sei.parts import part
from sei.records import BothAnswers, Checkpoint
from sei.report.folder import write_merged, write_round
from sei.report.page.build import gather
from sei.report.summary import round_dict
from sei.stages.attempt import Attempts
from sei.stages.grade import Grade
from sei.store import Store
from tests.builders import TINY, graded, held_out
from tests.report.run_folders import make_run, small_record

MADE: list[tuple[str, int]] = []


@part
class Twofold:
    """Answers 1 to everything; merged weights answer 2 to the first problem that they are asked."""

    identity: ClassVar[str] = "test/twofold"
    serves_adapters: bool = True
    compare_merged: int = 4

    def as_merged(self):
        return replace(self, serves_adapters=False)

    def open(self, target, checkpoint):
        MADE.append((checkpoint.digest, self.serves_adapters))
        return nullcontext(SimpleNamespace(prompts=list))

    def answer(self, opened, texts, done, what, sampling=None):
        for i in set(range(len(texts))) - done:
            yield Answer(i, "#### 2" if i == 0 and not self.serves_adapters else "#### 1", True)


def evaluated(kind: str = "adapter", n: int = 12) -> list[Evaluated]:
    rows = tuple(graded(held_out(i, f"Question {i}?"), "right", output="#### 1") for i in range(n))
    checkpoint = Checkpoint(digest="round_1", kind=kind, folder="f", adapter="a", onto=TINY.base())  # type: ignore[arg-type]
    base = Evaluated(checkpoint=TINY.base(), graded=rows, scores={})
    return [base, Evaluated(checkpoint=checkpoint, graded=rows, scores={}, record=small_record(1, {"a": [1]}))]


def method(**more: Any) -> Any:
    return SimpleNamespace(attempt=Attempts(target=TINY, engine=Twofold(**more)), grade=Grade(grader=MathGrader()))


def test_some_answers_are_asked_of_merged_weights_once(tmp_path):
    MADE.clear()
    for _ in range(2):
        before, after = against_merged(method(), evaluated(), Store(root=tmp_path))
        assert before.record is None
        assert [r.problem_id for r in after.record.served_vs_merged] == ["t0", "t3", "t6", "t9"]
    assert MADE == [("round_1", False)]
    assert round_dict(after.record, ())["served_vs_merged"] == {
        "n": 4,
        "equal_texts": 3,
        "equal_verdicts": 3,
        "right_served": 4,
        "right_merged": 3,
    }


def test_nothing_is_asked_where_nothing_is_served_or_wanted(tmp_path):
    MADE.clear()
    for rows, more in (
        (evaluated(), {"compare_merged": 0}),
        (evaluated(), {"serves_adapters": False}),
        (evaluated("full"), {}),
    ):
        assert against_merged(method(**more), rows, Store(root=tmp_path)) == rows
    assert MADE == []


def test_failed_answers_are_left_out():
    rows = [graded(held_out(i), "right", fault="x" if i % 2 else "") for i in range(8)]
    assert [g.attempt.problem.id for g in spread(rows, 2)] == ["t0", "t4"]
    assert len(spread(rows, 9)) == 4


def test_the_page_counts_equal_verdicts(tmp_path):
    make_run(tmp_path, 4, 4)
    both = BothAnswers(problem_id="h1", served="1", merged="2", served_verdict="right", merged_verdict="wrong")
    record = replace(small_record(1, {"a": [1]}), served_vs_merged=(both,))
    write_round(tmp_path, record, round_dict(record, ()))
    write_merged(tmp_path, record, report := round_dict(record, ()))
    row = json.loads((tmp_path / "round_1" / "served_vs_merged.jsonl").read_text())
    assert row["merged_verdict"] == "wrong"
    summary = json.loads((tmp_path / "summary.json").read_text())
    (tmp_path / "summary.json").write_text(json.dumps(summary | {"rounds": [report]}))
    assert gather(tmp_path)["rounds"][0]["merged"]["equal_verdicts"] == 0
