"""``attempts=FILE``: existing outputs become error types, and no target model is opened."""

from __future__ import annotations

import json
import re

import pytest

from sei.__main__ import check
from sei.compare.runs import Skipped, read_run
from sei.errors import ConfigError, DataError, TooManyBadRecordsError
from sei.job import perform
from sei.models.target import TargetModel
from sei.report.lm_eval import write_lm_eval
from sei.report.summary import best_dev_accuracy, config_digest
from sei.stages.grade import Grade
from tests.builders import graded, held_out
from tests.compose import SHORT, built, composed

FILES = ("attempts.jsonl", "bad_cases.jsonl", "keyphrases.jsonl", "error_types.json", "error_types.yaml")


def plain(*overrides):
    cfg, choices = composed(*overrides)
    return check(cfg, choices)


@pytest.fixture
def without_model(monkeypatch):
    """Break everything that uses the target model."""

    def touched(self, *args, **more):
        raise AssertionError("a run that was given outputs opens no target model")

    for name in ("open", "base", "preflight", "without_weights", "reads"):
        monkeypatch.setattr(TargetModel, name, touched)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Return a samples file of the harness with right and wrong answers of the embedded model."""
    folder = tmp_path_factory.mktemp("samples")
    parts = built(*SHORT)
    pool = parts["data"].load().pool
    rows = [row for _, row in parts["method"].attempt(parts["model"].base(), items=pool, done=frozenset())]
    about = {"model": "tiny", "digest": "x", "commit": "y", "shots": 0}
    found = Grade(grader=parts["method"].grade.grader)(tuple(rows))
    of_test = [
        graded(held_out(g.attempt.problem.id, g.attempt.problem.question, answer=g.attempt.problem.answer,
                        solution=g.attempt.problem.solution), g.verdict, output=g.attempt.output, extracted=g.extracted)
        for g in found
    ]  # fmt: skip
    write_lm_eval(folder, of_test, ["?"] * len(of_test), **about)
    return next(folder.glob("samples_*.jsonl")), sum(g.verdict == "wrong" for g in found)


def test_samples_of_the_harness_become_error_types(samples, tmp_path, without_model, capsys):
    file, wrong = samples
    summary = perform(plain(f"attempts={file}", f"store={tmp_path / 's'}"), tmp_path / "run")
    home = tmp_path / "run" / "round_1"
    assert all((home / name).is_file() for name in FILES)
    types = json.loads((home / "error_types.json").read_text())
    (report,) = summary["rounds"]
    assert sum(t["size"] for t in types) == report["bad_cases"] == wrong > 5
    assert len(types) > 1
    assert summary == json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["stopped"], summary["baseline"], summary["best_round"]) == ("diagnosed", {}, 0)
    assert summary["attempts"]["outputs"] == report["outputs"] == 60
    assert summary["attempts"]["left_out"] == {"the same output in another row": 60}
    assert "diagnosis only" in capsys.readouterr().out
    assert not (tmp_path / "run" / "model").exists()
    assert not list((tmp_path / "s").glob("finetune"))
    assert list((tmp_path / "run" / "wandb").glob("offline-run-*"))
    assert best_dev_accuracy(tmp_path / "run") is None
    assert "diagnosis only" in read_run(tmp_path / "run").reason
    assert isinstance(read_run(tmp_path / "run"), Skipped)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])
    assert data["given"]["layout"] == "lm-evaluation-harness"
    assert len(data["cases"]) == wrong
    assert data["notes"] == []
    again = perform(plain(f"attempts={file}", f"store={tmp_path / 's'}"), tmp_path / "again")
    assert again["rounds"][0]["error_types"] == report["error_types"]
    ledger = json.loads((tmp_path / "again" / "ledger.json").read_text())
    assert {s["made"] for s in ledger["stages"].values()} == {0}


def rows_file(tmp_path, *rows):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


BAD = "1-2=<<1-2=-1>>-1 pens\n#### -1"


def row(i, output, **more):
    return {
        "id": f"r{i}",
        "question": f"Anna has {i} pens and gets 2. How many?",
        "gold": f"{i}+2=<<{i}+2={i + 2}>>{i + 2} pens\n#### {i + 2}",
        "output": output,
        **more,
    }


def run_of(tmp_path, *rows, more=()):
    file = rows_file(tmp_path, *rows)
    settings = (f"attempts={file}", f"store={tmp_path / 's'}", "tracker=local", *more)
    return perform(plain(*settings), tmp_path / "run")


def test_right_outputs_leave_nothing_to_diagnose(tmp_path, without_model):
    summary = run_of(tmp_path, *(row(i, f"#### {i + 2}") for i in range(3)))
    assert summary["stopped"] == "converged"
    assert summary["rounds"][0]["error_types"] == []
    assert len((tmp_path / "run" / "round_1" / "attempts.jsonl").read_text().splitlines()) == 3
    assert (tmp_path / "run" / "report.html").is_file()


def test_outputs_that_cannot_be_read_stop_the_run(tmp_path, without_model):
    rows = [row(i, "let us see", finished=i > 0) for i in range(3)]
    with pytest.raises(TooManyBadRecordsError) as e:
        run_of(tmp_path, *rows, row(4, BAD))
    said = str(e.value)
    assert re.search(r"3 of 4 outputs of \S+rows\.jsonl state no result .* 1 of them were cut at a length cap", said)
    assert "max_unreadable=0.5" in said
    assert "engine." not in said
    assert "model." not in said
    assert (tmp_path / "run" / "round_1" / "attempts.jsonl").is_file()
    assert json.loads((tmp_path / "run" / "failure.json").read_text())["exit_code"] == 3
    assert run_of(tmp_path, *rows, row(4, BAD), more=("max_unreadable=0.9",))["rounds"][0]["unreadable"] == 3


def test_refused_gold_answers_are_named_or_left_out(tmp_path, without_model):
    rows = [row(1, BAD), {**row(2, BAD), "gold": r"\frac{1}{"}]
    with pytest.raises(DataError, match="refuses 1 gold answers"):
        run_of(tmp_path, *rows)
    summary = run_of(tmp_path, *rows, more=("grader.skip_bad_gold=true",))
    assert summary["rounds"][0]["outputs"] == 1
    assert summary["attempts"]["left_out"] == {"gold answer that the grader refuses": 1}


def test_no_answer_length_is_asked_for_where_nothing_answers(tmp_path, without_model):
    """``data=jsonl`` needs engine.max_new_tokens only for a model, and its files are not read for the problems."""
    assert run_of(tmp_path, row(1, BAD), more=("data=jsonl",))["rounds"][0]["bad_cases"] == 1


@pytest.mark.parametrize("value", ["3", "''", "[a,b]"])
def test_another_value_is_refused(value):
    with pytest.raises(ConfigError, match=r"attempts=.*must be the path of one file.*Remedy: "):
        plain(f"attempts={value}")


@pytest.mark.parametrize("look", ["estimate", "dry_run", "preview", "teacher_card"])
def test_a_look_ahead_at_given_outputs_is_refused(look):
    with pytest.raises(ConfigError, match=f"attempts='a.jsonl': {look}=true is a preview .* leave {look} out"):
        plain("attempts=a.jsonl", f"{look}=true")


def test_a_run_without_given_outputs_keeps_its_digest():
    config = plain("experiment=smoke")
    before = {k: v for k, v in config.items() if k != "attempts"}
    assert config_digest(config) == config_digest(before)
    assert config_digest({**config, "attempts": "a.jsonl"}) != config_digest(before)
