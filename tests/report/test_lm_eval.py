from __future__ import annotations

import json
from pathlib import Path

import pydantic
import pytest

from sei.report.lm_eval import write_lm_eval
from tests.builders import graded, held_out

PROMPTS = [f"Question: What is {i}?\nAnswer:" for i in range(4)]


def judged(i, verdict, strict, **more):
    asked = held_out(i, f"What is {i}?", answer=str(i), set="gsm8k_test")
    return graded(asked, verdict, strict, output=f"\u2028It is {i}", extracted=str(i), **more)


def test_results_and_samples_have_the_harness_fields_and_agree(tmp_path):
    rows = [judged(0, "right", "right"), judged(1, "right", "unreadable"), judged(2, "wrong", "wrong"),
            judged(3, "unreadable", "unreadable", fault="grader")]  # fmt: skip
    write_lm_eval(tmp_path, rows, PROMPTS, model="org/model", digest="abc", commit="def", shots=2)
    (results_file,) = tmp_path.glob("results_*.json")
    assert ":" not in results_file.name
    results = json.loads(results_file.read_text())
    scores = results["results"]["gsm8k_test"]
    assert scores["exact_match,strict-match"] == 1 / 3
    assert scores["exact_match,flexible-extract"] == 2 / 3
    assert abs(scores["exact_match_stderr,flexible-extract"] - (2 / 9 / 2) ** 0.5) < 1e-12
    assert results["n-samples"]["gsm8k_test"] == {"original": 4, "effective": 3}
    assert results["n-shot"] == {"gsm8k_test": 2}
    assert results["model_name_sanitized"] == "org__model"
    (samples_file,) = tmp_path.glob("samples_gsm8k_test_*.jsonl")
    samples = [json.loads(line) for line in samples_file.read_text(encoding="utf-8").split("\n") if line]
    assert len(samples) == 6
    for name in ("strict-match", "flexible-extract"):
        mean = sum(s["exact_match"] for s in samples if s["filter"] == name) / 3
        assert mean == scores[f"exact_match,{name}"]
    needed = {
        "doc_id",
        "doc",
        "target",
        "arguments",
        "resps",
        "filtered_resps",
        "doc_hash",
        "prompt_hash",
        "target_hash",
    }
    assert all(needed <= s.keys() for s in samples)
    assert samples[0]["arguments"]["gen_args_0"]["arg_0"] == PROMPTS[0]
    assert [s["filtered_resps"] for s in samples if s["doc_id"] == 1] == [["[invalid]"], ["1"]]


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_the_harness_is_told_how_answers_were_drawn(tmp_path, temperature):
    """One drawn answer to each problem was called greedy."""
    said = {"model": "m", "digest": "d", "commit": "c", "shots": 0, "temperature": temperature}
    write_lm_eval(tmp_path, (graded(held_out(0), "right"),), ["asked"], **said)
    (config,) = json.loads(next(tmp_path.glob("results_*")).read_text())["configs"].values()
    row = json.loads(next(tmp_path.glob("samples_*")).read_text().splitlines()[0])
    wanted = {"do_sample": True, "temperature": 0.8} if temperature else {"do_sample": False}
    assert config["generation_kwargs"] == row["arguments"]["gen_args_0"]["arg_1"] == wanted


def test_a_run_that_goes_on_leaves_one_file_for_each_set(tmp_path):
    about = {"model": "org/model", "digest": "abc", "commit": "def", "shots": 0}
    write_lm_eval(tmp_path, [judged(0, "wrong", "wrong")], PROMPTS[:1], **about)
    (tmp_path / "notes.txt").write_text("mine")
    write_lm_eval(tmp_path, [judged(0, "right", "right")], PROMPTS[:1], **about)
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".jsonl", ".txt"]
    (samples,) = tmp_path.glob("samples_*.jsonl")
    assert '"exact_match": 1.0' in samples.read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore")  # warnings of the harness and its imports
@pytest.mark.extra
def test_the_harness_reads_what_is_written(tmp_path):
    utils = pytest.importorskip("lm_eval.utils", reason="needs pip install 'sei[lm-eval]'")
    schema = pytest.importorskip("lm_eval.result_schema", reason="needs pip install 'sei[lm-eval]'")
    rows = [judged(0, "right", "right"), judged(1, "right", "unreadable"), judged(2, "wrong", "wrong")]
    write_lm_eval(tmp_path, rows, PROMPTS[:3], model="org/model", digest="abc", commit="def", shots=0)
    names = [str(p) for p in tmp_path.iterdir()]
    (results_file,), (samples_file,) = utils.get_results_filenames(names), utils.get_sample_results_filenames(names)
    assert utils.get_file_task_name(samples_file.rpartition("/")[2]) == "gsm8k_test"
    when = utils.get_file_datetime(samples_file)
    assert utils.get_file_datetime(results_file).removesuffix(".json") == when
    results = json.loads(Path(results_file).read_text(encoding="utf-8"))
    shown = utils.make_table(results)
    assert "0.6667" in shown
    assert "0.3333" in shown
    assert results["model_name_sanitized"] == utils.sanitize_model_name(results["model_name"])
    # its type for a task's config has no lists, although its own results have them
    pydantic.TypeAdapter(schema.EvalResults).validate_python({k: v for k, v in results.items() if k != "configs"})
    samples = [json.loads(line) for line in Path(samples_file).read_text(encoding="utf-8").split("\n") if line]
    pydantic.TypeAdapter(list[schema.SampleResult]).validate_python(samples)
