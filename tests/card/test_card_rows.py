"""Marked attempts in published formats, and the built-in ones."""

from __future__ import annotations

import json

import pytest

from sei.card.embedded import built_in
from sei.card.rows import read_rows
from sei.errors import DataError
from sei.instructors.ordering.instructor import RuleInstructor
from sei.instructors.symbolic.instructor import SymbolicInstructor

STEPS = ["2+2=4", "4+3=8", "8-1=7"]
PRM = {
    "question": {
        "problem": "2+2+3-1?",
        "ground_truth_solution": "It is 6.",
        "ground_truth_answer": "6",
        "pre_generated_steps": STEPS,
    },
    "label": {
        "finish_reason": "found_error",
        "steps": [
            {"completions": [{"text": STEPS[0], "rating": 1}]},
            {"completions": [{"text": STEPS[1], "rating": -1}, {"text": "4+3=7", "rating": 1}]},
        ],
    },
}


def written(tmp_path, *rows, name="rows.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


@pytest.mark.parametrize(
    "row",
    [
        {"question": "q", "steps": STEPS, "first_wrong_step": 2},
        {"question": "q", "output": "\n\n".join(STEPS), "first_wrong_step": 2},
        {"id": "gsm8k-0", "generator": "x", "problem": "q", "steps": STEPS, "final_answer_correct": False, "label": 1},
        {"input": "q", "steps": STEPS, "answer": "7", "target": "6", "mistake_index": 1},
        {"question": "q", "model_steps": STEPS, "model_output": "x", "error_step": 2, "gold_solution": "It is 6."},
        PRM,
    ],
    ids=["ours", "one text", "ProcessBench", "BIG-Bench-Mistake", "bad cases", "PRM800K"],
)
def test_published_layouts_mark_the_same_step(tmp_path, row):
    (found,) = read_rows(written(tmp_path, row)).rows
    assert (found.case.steps, found.step) == (tuple(STEPS), 2)
    assert found.case.bad_case.output == "\n".join(STEPS)


def test_rows_without_a_wrong_step_are_left_out_and_counted(tmp_path):
    right = {"problem": "q", "steps": STEPS, "label": -1}
    solved = {**PRM, "label": {"finish_reason": "solution", "steps": [{"completions": [{"rating": 1}]}]}}
    found = read_rows(written(tmp_path, right, solved, {**right, "label": 0}))
    assert [r.step for r in found.rows] == [1]
    assert dict(found.left_out) == {"no wrong step is marked": 2}
    with pytest.raises(DataError, match="no row marks a wrong step"):
        read_rows(written(tmp_path, right))


def test_one_json_list_is_read_as_well(tmp_path):
    path = tmp_path / "gsm8k.json"
    path.write_text(json.dumps([{"problem": "q", "steps": STEPS, "label": 2}], indent=1))
    assert [r.step for r in read_rows(path).rows] == [3]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"question": "q", "answer": "1"}, r"line 1: the fields \['answer', 'question'\] match no known layout"),
        ({"problem": "q", "steps": STEPS, "label": 3}, "label=3, but there are 3 steps"),
        ({"problem": "q", "steps": STEPS, "label": "two"}, "label='two'"),
        ({"problem": "q", "steps": [1, 2], "label": 1}, "steps texts"),
        ({"question": "q", "steps": [], "first_wrong_step": 1}, "steps texts"),
        ({"question": "q", "steps": STEPS, "first_wrong_step": True}, "first_wrong_step=True"),
    ],
)
def test_what_is_no_marked_attempt_is_refused(tmp_path, row, words):
    with pytest.raises(DataError, match=words):
        read_rows(written(tmp_path, row))


def test_an_id_that_is_used_twice_is_refused(tmp_path):
    row = {"id": "a", "question": "q", "steps": STEPS, "first_wrong_step": 1}
    with pytest.raises(DataError, match="line 2: the id 'a' is used twice"):
        read_rows(written(tmp_path, row, row))


@pytest.mark.parametrize(("domain", "instructor"), [("arithmetic", SymbolicInstructor), ("deduction", RuleInstructor)])
def test_rules_find_the_step_that_was_made_wrong(domain, instructor):
    """If they find no such step, they name none."""
    drawn = built_in(domain, 80, 3).rows
    assert len({r.case.bad_case.problem.question for r in drawn}) == 80
    assert len({r.step for r in drawn}) > 2
    assert len({r.type for r in drawn}) > 5
    found = list(instructor(flaw_rate=0.0).first_wrong_steps([r.case for r in drawn]))
    assert [f.step for f in found] == [r.step for r in drawn]
    vague = list(instructor(flaw_rate=1.0).first_wrong_steps([r.case for r in drawn]))
    assert {(v.step, v.rejection.reason) for v in vague} == {(None, "vague")}


def test_a_step_of_several_lines_is_one_step(tmp_path):
    row = {"question": "q", "steps": ["a\nb", "c", "d\n\ne"], "first_wrong_step": 1}
    case = read_rows(written(tmp_path, row)).rows[0].case
    assert [case.at_line(i) for i in range(7)] == [1, 1, 2, 3, 3, 3, 3]


def test_real_marked_attempts_are_read(shared_data):
    folder = shared_data / "badcases"
    sizes = {p.name: len(read_rows(p).rows) for p in sorted(folder.glob("processbench-*.gz"))}
    assert sizes == {
        "processbench-gsm8k.jsonl.gz": 142,
        "processbench-math.jsonl.gz": 394,
        "processbench-olympiadbench.jsonl.gz": 422,
    }
    typed = [r.type for r in read_rows(folder / "mr-gsm8k.jsonl.gz").rows if r.type]
    assert len(typed) > 200  # the labelled keyphrases were made from them
