"""Outputs made elsewhere: their problems, what is used, and what is refused, with its place or because of its role."""

from __future__ import annotations

import gzip
import json
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from sei.data.arithmetic import Arithmetic
from sei.data.given import read_given
from sei.data.study import Columns, JsonLines
from sei.errors import DataError, RoleError, SeiError
from sei.report.folder import write_rows
from tests.builders import graded, held_out, problem
from tests.real_data import DATA, needs

TWICE = "the same output in another row"
MORE = "further outputs of a problem"


def no_data():
    raise AssertionError("the file carries its problems: no data set is to be loaded")


@pytest.fixture
def read(tmp_path):
    def read(rows, name="a.jsonl", source=None, load=no_data):
        path = tmp_path / name
        text = rows if isinstance(rows, str) else "".join(json.dumps(r) + "\n" for r in rows)
        path.write_text(text, encoding="utf-8")
        return read_given(path, source, load)

    return read


def sample(i, doc, output, name="strict-match", prompt="", **more):
    """Make a row as written by lm-evaluation-harness 0.4.13."""
    arguments = {"gen_args_0": {"arg_0": prompt or f"Question: {doc.get('question')}\nAnswer:", "arg_1": {"until": []}}}
    outputs = output if isinstance(output, list) else [output]
    row = {"doc_id": i, "doc": doc, "target": "9", "arguments": arguments, "resps": [outputs], "filter": name}
    return {**row, "filtered_resps": ["9"], "metrics": ["exact_match"], "exact_match": 0.0, **more}


def doc(i, **more):
    return {"question": f"Anna has {i} pens and gets 2. How many?", "answer": f"{i}+2={i + 2}\n#### {i + 2}", **more}


def test_filters_of_one_document_are_one_attempt(read):
    rows = [sample(i, doc(i), "so 9", name) for name in ("strict-match", "flexible-extract") for i in range(3)]
    found = read(rows)
    assert found.layout == "lm-evaluation-harness"
    assert [(p.id, p.answer, p.solution) for p in found.problems] == [
        (str(i), str(i + 2), f"{i}+2={i + 2}\n#### {i + 2}") for i in range(3)
    ]
    assert {o.text for o in found.outputs.values()} == {"so 9"}
    assert found.left_out == {TWICE: 3}


def test_the_first_of_several_outputs_is_taken(read):
    found = read([sample(0, doc(0), ["one", "two", "three"]), sample(0, doc(0), ["other"])])
    assert found.outputs["0"].text == "one"
    assert found.left_out == {MORE: 3}


def test_documents_of_two_tasks_may_share_their_numbers(read):
    found = read([sample(0, doc(0), "a"), sample(0, doc(5), "b")])
    assert len({p.id for p in found.problems}) == 2
    assert sorted(o.text for o in found.outputs.values()) == ["a", "b"]


@pytest.mark.parametrize(
    ("more", "question", "answer"),
    [
        ({"problem": "Half of 4?", "solution": r"It is $\boxed{2}$."}, "Half of 4?", "2"),
        ({"query": "Half of 4?", "choices": ["2", "3"], "gold": [0]}, "Half of 4?", "A"),
        ({"question": "Half of 4?", "choices": {"text": ["2", "3"], "label": ["A", "B"]}, "answerKey": "B"},
         "Half of 4?", "B"),
        ({"question": "Half of 4?"}, "Half of 4?", "9"),
    ],
)  # fmt: skip
def test_documents_are_read_as_own_files_are(read, more, question, answer):
    (found,) = read([sample(0, more, "It is 3.")]).problems
    assert (found.question, found.answer) == (question, answer)
    assert len(found.options) == (2 if "choices" in more else 0)


def test_what_a_prompt_shows_before_the_question_belongs_to_it(read):
    body = "Ten birds sit in a tree."
    asked = {"body": body, "question": "How many legs have they?", "answer": "20", "type": "Multiplication of birds"}
    prompt = (
        f"About Multiplication of birds, by and large and in short.\n\n{body}\nQuestion: {asked['question']}\nAnswer:"
    )
    (found,) = read([sample(0, asked, "It is 3.", prompt=prompt)]).problems
    assert found.question == f"{body}\n{asked['question']}"


def test_first_versions_of_the_harness_are_read(read):
    row = sample(0, doc(1), "so 9")
    row["arguments"] = [["Question: x\nAnswer:", {"until": []}]]
    del row["filter"]
    (found,) = read(json.dumps([row], indent=2)).problems
    assert found.answer == "3"


def test_likelihoods_are_no_output(read):
    row = sample(0, doc(0), "")
    row["resps"] = [[["-20.1", "False"]], [["-3.1", "True"]]]
    with pytest.raises(DataError, match=r"a\.jsonl line 1: resps has likelihoods of 2 options.*Rule: .*Remedy: "):
        read([row])


def test_rows_of_grading_carry_question_and_gold(read):
    row = {"id": "a", "gold": "5", "question": "2 + 3?", "output": "6", "verdict": "wrong", "extracted": "6"}
    rows = [row, {**row, "id": "b", "output": "5", "finished": 0, "verdict": "error", "fault": "x"}]
    found = read([*rows, {**row, "output": "7"}, {**row, "id": "c", "output": None}])
    assert [(p.id, p.question, p.answer) for p in found.problems] == [("a", "2 + 3?", "5"), ("b", "2 + 3?", "5")]
    assert [(o.text, o.finished) for o in found.outputs.values()] == [("6", True), ("5", False)]
    assert found.left_out == {MORE: 1, "no output": 1}
    table = 'id,question,gold,output,finished\n007,2 + 3?,5.0,"so\n6",False\n'
    (one,) = read(table, "a.csv").outputs.values()
    assert (one.text, one.finished) == ("so\n6", False)


def test_columns_of_the_configured_data_are_read(read):
    rows = [{"nr": 1, "body": "2 + 3?", "key": "5", "model_output": "6"}]
    source = JsonLines(train="x", test="y", columns=Columns(question="body", answer="key", id="nr"))
    assert read(rows, source=source).problems[0].question == "2 + 3?"
    rows = [{"id": 1, "question": "2 + 3?", "gold": "5", "label": "6", "output": "6"}]
    with pytest.raises(DataError, match=r"may be in \['label', 'gold'\].*data\.columns.* need data=jsonl"):
        read(rows)


def test_options_are_kept(read):
    row = {"id": "a", "question": "Prime?", "gold": "B", "options": ["51", "53"], "output": "(A)"}
    (found,) = read([row]).problems
    assert (found.answer, found.options) == ("B", ("51", "53"))


DATA_SET = Arithmetic(pool=40, dev=10, test=10).load()


def test_bare_outputs_are_matched_with_the_pool_by_id(read):
    ids = [p.id for p in DATA_SET.pool[:5]]
    rows = [{"id": i, "output": f"#### {n}", "temperature": n} for n, i in enumerate([*ids, ids[0]])]
    found = read(rows, load=lambda: DATA_SET)
    assert found.problems == DATA_SET.pool[:5]
    assert found.outputs[ids[0]].text == "#### 0"
    assert found.left_out == {MORE: 1}
    with pytest.raises(DataError, match=r"2 of 8 ids are not in the pool, such as 'x1', 'x2'; ids of the pool"):
        read([*rows, {"id": "x1", "output": "1"}, {"id": "x2", "output": "1"}], load=lambda: DATA_SET)


def test_outputs_for_held_out_problems_are_refused_by_role(read, tmp_path):
    one = {"id": DATA_SET.pool[0].id, "output": "1"}
    held = [{"id": p.id, "output": "1"} for p in DATA_SET.held_out]
    with pytest.raises(
        RoleError, match=r"30 of 31 outputs .* held-out problems: .*\(in_domain\): 10, .*\(dev\): 10"
    ) as e:
        read([one, *held], load=lambda: DATA_SET)
    assert "Remedy: " in str(e.value)
    write_rows(tmp_path / "evaluation.jsonl", [graded(held_out(), "wrong"), graded(problem(), "wrong")])
    with pytest.raises(
        RoleError, match=r"1 of 2 outputs answer held-out problems: test \(in_domain\): 1; such as 't0'"
    ):
        read_given(tmp_path / "evaluation.jsonl", None, no_data)


def test_attempts_of_a_run_go_in_as_they_are(tmp_path):
    rows = [graded(problem(i), "wrong", output=f"#### {i}") for i in range(3)]
    rows.append(replace(rows[0], attempt=replace(rows[0].attempt, problem=problem(9), fault="no reply")))
    write_rows(tmp_path / "attempts.jsonl", rows)
    found = read_given(tmp_path / "attempts.jsonl", None, no_data)
    assert found.problems == tuple(problem(i) for i in range(3))
    assert found.left_out == {"no output": 1}


def inspected(i, epoch=1, **more):
    """Make a sample as logged by Inspect 0.3.285."""
    parts = [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "so 9"}]
    message = {"role": "assistant", "content": parts}
    return {
        "id": i, "epoch": epoch, "input": f"Anna has {i} pens?", "target": "5", "metadata": {"reasoning": "2 + 3 = 5"},
        "output": {"model": "m", "choices": [{"message": message, "stop_reason": "stop"}]}, **more,
    }  # fmt: skip


def logged(path: Path, samples, packing=zipfile.ZIP_DEFLATED):
    if path.suffix == ".eval":
        with zipfile.ZipFile(path, "w", packing) as archive:
            archive.writestr("header.json", json.dumps({"version": 2}))
            for s in samples:
                archive.writestr(f"samples/{s['id']}_epoch_{s['epoch']}.json", json.dumps(s))
    else:
        path.write_text(json.dumps({"version": 2, "eval": {}, "samples": samples}))
    return path


@pytest.mark.parametrize("name", ["log.json", "log.eval"])
def test_logs_of_inspect_are_read_in_both_forms(tmp_path, name):
    cut = {"choices": [{"message": {"role": "assistant", "content": "and so"}, "stop_reason": "max_tokens"}]}
    talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "attachment://k"}]
    failed = {"model": "m", "choices": [], "completion": ""}
    rows = [
        inspected(10), inspected(2, epoch=2), inspected(2), inspected("b", output=cut),
        inspected("c", output=failed, error={"message": "x"}),
        inspected("d", input=talk, attachments={"k": "Who?"}, choices=["51", "53"], target=["B"], metadata={}),
    ]  # fmt: skip
    found = read_given(logged(tmp_path / name, rows), None, no_data)
    assert [p.id for p in found.problems] == ["2", "10", "b", "d"]
    assert found.problems[0].solution == "2 + 3 = 5\n#### 5"
    assert (found.problems[3].question, found.problems[3].answer) == ("Who?", "B")
    assert found.problems[3].options == ("51", "53")
    assert (found.outputs["2"].text, found.outputs["2"].finished, found.outputs["b"].finished) == ("so 9", True, False)
    assert found.left_out == {"no output": 1, "the same output in another row": 1}


def test_an_archive_that_this_python_cannot_unpack_says_what_can(tmp_path, monkeypatch):
    path = logged(tmp_path / "log.eval", [inspected(1)], zipfile.ZIP_STORED)
    data = path.read_bytes()
    for head in (b"PK\x01\x02\x14\x03\x14\0\0\0", b"PK\x03\x04\x14\0\0\0"):
        data = data.replace(head + b"\0\0", head + b"\x5d\0")  # method 93
    path.write_bytes(data)
    monkeypatch.setitem(sys.modules, "zipfile_zstd", None)
    if hasattr(zipfile, "ZIP_ZSTANDARD"):
        pytest.skip("this Python unpacks zstd")
    with pytest.raises(DataError, match=r"compressed with zstd.*Remedy: inspect log convert .* --to json"):
        read_given(path, None, no_data)


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("", "a.jsonl", "has no rows"),
        ('{"prompt": "a", "reply": "b"}\n', "a.jsonl", r"its columns are \['prompt', 'reply'\]\. Rule: outputs"),
        ('{"id": 1, "response": "a", "completion": "b"}\n', "a.jsonl", "may be the output"),
        ('{"id": 1, "output": ["a"]}\n', "a.jsonl", "line 1: output=.* is not text"),
        ('{"id": null, "output": "a"}\n', "a.jsonl", "line 1: has no id"),
        ('{"id": 1, "output": null}\n', "a.jsonl", "none of 1 samples has an output"),
        ('{"doc": "x", "resps": [["a"]]}\n', "a.jsonl", "line 1: doc='x' is not an object"),
        ('{"eval": {}, "samples": []}', "a.json", "eval log without samples"),
        ('{"eval": {}, "samples": [{"id": 1}]}', "a.json", r"sample 1: lacks \['input', 'target', 'output'\]"),
        ('{"attempt": {"output": "x"}}\n', "a.jsonl", "line 1: not an attempt of a run"),
        ("PK not a zip", "a.eval", r"not a complete \.eval log"),
        ('{"id": 1, "question": "2?", "gold": null, "output": ""}\n'
         '{"id": 2, "question": "2?", "gold": 2, "output": ""}',
         "a.jsonl", "line 1: gold=None is not text"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(read, text, name, said):
    with pytest.raises(SeiError, match=f"{said}.*Remedy: "):
        read(text, name)


def test_a_folder_names_a_file_in_it(tmp_path):
    (tmp_path / "samples_x.jsonl").write_text("")
    with pytest.raises(DataError, match=r"is a folder\. .*samples_x\.jsonl"):
        read_given(tmp_path, None, no_data)
    with pytest.raises(DataError, match="no such file"):
        read_given(tmp_path / "none.jsonl", None, no_data)


@needs("SEI_DATA", "badcases/mr-ben-math.jsonl.gz")
@pytest.mark.parametrize("name", ["gsm8k-openai", "mr-ben-math", "processbench-math", "tora"])
def test_published_bad_cases_go_in_as_samples(tmp_path, name):
    """Outputs of real models in the harness's layout: every problem and every output is used."""
    with gzip.open(DATA / "badcases" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    samples = [
        sample(
            i,
            {"question": r["question"], "options": r["options"], "answer": r["gold_answer"], "n": i},
            r["model_output"],
        )
        for i, r in enumerate(rows)
    ]
    path = tmp_path / "samples.jsonl"
    path.write_text("".join(json.dumps(s) + "\n" for s in samples), encoding="utf-8")
    found = read_given(path, None, no_data)
    assert len(found.problems) == len(rows)
    assert [found.outputs[p.id].text for p in found.problems] == [r["model_output"] for r in rows]
    assert all(bool(p.options) == bool(r["options"]) for p, r in zip(found.problems, rows, strict=True))
