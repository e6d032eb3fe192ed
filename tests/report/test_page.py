"""``report.html``: everything about a run in one file, with text from models as plain text."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sei.errors import DataError
from sei.records import Graded
from sei.report.lm_eval import write_lm_eval
from sei.report.page import make_page, make_sweep_page, write_page
from sei.report.page.__main__ import main
from sei.report.page.build import gather
from sei.report.page.config import marked
from sei.report.page.files import Files
from sei.report.page.paired import Right, change, changes
from sei.report.page.sweep import _inside
from sei.report.page.write import embedded
from sei.secrecy import hidden
from tests.builders import graded, held_out
from tests.conftest import ROOT
from tests.report.run_folders import HOSTILE, data_of, make_run


def test_data_can_neither_end_its_block_nor_hide_anything():
    shown = embedded({"<k>": [HOSTILE, "\ud800", float("nan"), "a\nb"]})
    assert not re.search("[<>&\u2028\u2029\u202e\x1b]", shown)
    shown.encode()
    back = json.loads(shown)["<k>"]
    assert back[0].startswith("</script><img")
    assert back[1:] == ["\\ud800", None, "a\nb"]
    assert "\\u202e" in back[0]


def test_a_page_of_hostile_texts_holds_two_named_scripts(tmp_path):
    page = make_page(make_run(tmp_path / "run", 12, 9, text=HOSTILE)).read_text("utf-8")
    assert page.count("<script") == page.count("</script>") == 2
    assert "<img" not in page
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy


def test_the_page_asks_no_network_and_builds_no_html_from_data():
    home = ROOT / "sei" / "report" / "page"
    code = "\n".join(p.read_text("utf-8") for p in [*home.glob("js/*.js"), home / "page.css", home / "template.html"])
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|new Function|fetch\(|@import|url\(", code
    )
    assert set(re.findall(r"https?://[^\s\"']+", code)) == {"http://www.w3.org/2000/svg"}  # a namespace, not an address


def test_everything_a_round_made_is_on_the_page(tmp_path):
    data = data_of(make_page(make_run(tmp_path / "run", 20, 15)))
    assert data["run"]["experiment"] == "example"
    assert (data["best"], data["stopped"]) == (2, "rounds")
    assert [s["name"] for s in data["sets"]] == ["test_set", "far", "dev_set"]
    assert [x["correct"] for x in data["sets"][0]["scores"]] == [100, 120, 140]
    assert [len(r["points"]) for r in data["rounds"]] == [19, 14]
    assert [(r["refined"], r["tied"]) for r in data["rounds"]] == [(1, 1), (1, 1)]
    assert len(data["cases"]) == 35
    case = data["cases"][3]
    problem = data["problems"][case["problem"]]
    assert case["phrase"].startswith("added in step")
    assert case["type"].startswith("type ")
    assert case["output"].startswith(f"{problem['answer']}+2=")
    assert case["next"]
    assert [c["refused"] for c in data["cases"]].count("no_divergence") == 2
    assert {x["kept"] for x in data["synthetic"]} == {True, False}
    counts = {(d["round"], d["stage"], d["reason"]): d["count"] for d in data["dropped"]}
    assert counts[1, "synthesize", "rouge_l"] == 5
    assert counts[2, "diagnose", "no_divergence"] == 1
    assert {f["round"] for f in data["flow"]} == {1}
    assert data["cost"]["needed"]["requests"] == 1234
    assert data["notes"] == []


def test_a_run_that_goes_on_shows_its_rounds_so_far(tmp_path):
    """A running run shows its rounds so far, and not the summary of an earlier one."""
    home = make_run(tmp_path / "run", 10, 8)
    write_page(home, so_far=1)
    data = data_of(home / "report.html")
    assert (data["stopped"], data["best"], len(data["rounds"])) == ("", 1, 1)
    write_page(home, so_far=0)
    data = data_of(home / "report.html")
    assert (data["rounds"], data["cases"], data["best"]) == ([], [], 0)
    assert data["sets"][0]["scores"][0]["n"] == 200


def test_an_interrupted_run_is_rebuilt_from_its_rounds(tmp_path):
    assert len(gather(make_run(tmp_path / "run", 10, 8, finished=False))["rounds"]) == 2


def test_what_is_missing_is_named_and_the_rest_is_shown(tmp_path):
    home = make_run(tmp_path / "run", 10)
    (home / "round_1" / "cluster_map.jsonl").unlink()
    (home / "round_1" / "error_types.json").write_text("[{")
    (home / "round_1" / "refined.jsonl").write_text('{"example": {}, "kept": true}\nnot json\n')
    data = gather(home)
    assert len(data["cases"]) == 10
    assert len(data["synthetic"]) == 1
    notes = " ".join(data["notes"])
    assert all(name in notes for name in ("cluster_map.jsonl", "error_types.json", "refined.jsonl line 2"))


def test_a_folder_of_something_else_is_refused(tmp_path, capsys, caplog):
    with pytest.raises(DataError, match="is not a run folder"):
        make_page(tmp_path)
    with caplog.at_level(logging.WARNING):
        write_page(tmp_path)
    assert "was not written" in caplog.text
    assert main([str(tmp_path), str(make_run(tmp_path / "run", 5))]) == 2
    out = capsys.readouterr()
    assert out.out.strip().endswith("report.html")
    assert "is not a run folder" in out.err


def test_overrides_and_differing_lines_are_marked_keys_hidden(tmp_path):
    home = make_run(tmp_path / "run", 5)
    (home / ".hydra").mkdir()
    (home / ".hydra" / "overrides.yaml").write_text("- refiner=none\n- +instructor.token=abc\n- rounds=2\n")
    (home / ".hydra" / "hydra.yaml").write_text(
        "hydra: {runtime: {choices: {refiner: none, grader: math, experiment: error_types, hydra/x: y}}}\n"
    )
    text = "rounds: 2\nseed: 0\nrefiner:\n  a: 1\ninstructor:\n  url: http://me:pass@host/v1\n  token: abc\n"
    text += "  api_key_env: OPENAI\nname: error_types\npatience: 0\n"
    (home / ".hydra" / "config.yaml").write_text(text)
    config = gather(home)["config"]
    assert config["parts"][:2] == [["refiner", "none", "one_shot_step", True], ["grader", "math", "math", False]]
    marks = [line for line, mark in config["lines"] if mark]
    assert marks[:4] == ["rounds: 2", "refiner:", "  a: 1", "  token: (hidden)"]
    assert marks[4:] == ["name: error_types", "patience: 0"]
    assert config["settings"] == [
        ["name", "error_types", "default"],
        ["patience", "0", "2"],
        ["rounds", "2", "3"],
        ["instructor.token", "(hidden)", ""],
    ]
    assert "pass" not in json.dumps(config)
    assert "abc" not in json.dumps(config)
    assert "  api_key_env: OPENAI" in [line for line, _ in config["lines"]]
    assert hidden("x: sk-abcdefgh1234") == "x: (hidden)"
    assert hidden("max_tokens: 12") == "max_tokens: 12"


def test_a_setting_asked_for_at_its_default_does_not_differ(tmp_path):
    home = make_run(tmp_path / "run", 5)
    (home / ".hydra").mkdir()
    (home / ".hydra" / "overrides.yaml").write_text("- rounds=3\n")
    (home / ".hydra" / "config.yaml").write_text("rounds: 3\n")
    config = gather(home)["config"]
    assert config["settings"] == []
    assert not any(mark for _, mark in config["lines"])


def test_a_type_goes_by_its_stable_name_everywhere(tmp_path):
    home = make_run(tmp_path / "run", 8, 6)
    for number, file in ((1, home / "round_1" / "error_types.json"), (2, home / "round_2" / "error_types.json")):
        types = json.loads(file.read_text())
        for t in types:
            t["stable"] = f"kept {number} {t['name']}"
        file.write_text(json.dumps(types))
    data = gather(home)
    assert {c["type"][:5] for c in data["cases"] if c["phrase"]} == {"kept "}
    assert {p[3][:5] for r in data["rounds"] for p in r["points"]} == {"kept "}
    assert {x["type"][:5] for x in data["synthetic"]} == {"kept "}
    assert {c["next"][:6] for c in data["cases"] if c["round"] == 1} <= {"solved", "kept 2", "no key"}
    summary = json.loads((home / "summary.json").read_text())
    summary["rounds"][0]["error_types"] = [{"name": "a", "stable": "b", "size": 3}, {"name": "c", "size": 1}]
    (home / "summary.json").write_text(json.dumps(summary))
    assert gather(home)["rounds"][0]["types"] == [["b", 3], ["c", 1]]


def judged(correct: list[bool]) -> list[Graded]:
    return [graded(held_out(i, set="test_set"), "right" if c else "wrong") for i, c in enumerate(correct)]


def test_the_change_of_a_set_is_counted_by_item_and_paired(tmp_path):
    home = make_run(tmp_path / "run", 6, 5)
    said = {"model": "m", "digest": "d", "commit": "c", "shots": 0}
    asked = ["Question: ?\nAnswer:"] * 10
    write_lm_eval(home / "base" / "lm_eval", judged([False] * 6 + [True] * 4), asked, **said)
    write_lm_eval(home / "round_2" / "lm_eval", judged([True] * 5 + [False, False] + [True] * 3), asked, **said)
    found = {s["name"]: s["change"] for s in gather(home)["sets"]}
    assert found["far"] is None
    assert {k: found["test_set"][k] for k in ("n", "fixed", "broken")} == {"n": 10, "fixed": 5, "broken": 1}
    low, high = found["test_set"]["ci95"]  # by hand: 4 / 12 and 1.96 * sqrt(7 / 12 - (4 / 12) ** 2) / sqrt(12)
    assert (low, high) == (pytest.approx(1 / 3 - 0.38884, abs=1e-4), pytest.approx(1 / 3 + 0.38884, abs=1e-4))


def test_many_pairs_give_the_interval_of_matched_pairs():
    """Many pairs give the interval of matched pairs, and no change gives one around zero."""
    before = {str(i): Right(float(i < 500), i < 500) for i in range(1000)}
    after = {str(i): Right(float(600 > i >= 20), 600 > i >= 20) for i in range(1000)}
    low, high = change(before, after)["ci95"]
    half = 1.96 * (0.12 - 0.08**2) ** 0.5 / 1000**0.5
    assert (low, high) == (pytest.approx(0.08 - half, abs=2e-3), pytest.approx(0.08 + half, abs=2e-3))
    low, high = change(before, before)["ci95"]
    assert low == -high < 0


@pytest.mark.parametrize(("rights", "mean", "fixed"), [((1, 3), 0.5, 100), ((1, 2), 0.25, 100), ((0, 1), 0.25, 0)])
def test_a_change_of_several_answers_is_that_of_their_shares(tmp_path, rights, mean, fixed):
    """An item counted as right if all of its answers were: 39.7 to 59.1 % stood beside an interval of 0 to 4 points."""
    said = {"model": "m", "digest": "d", "commit": "c", "shots": 0}
    for place, right in zip(("base", "round_1"), rights, strict=True):
        rows = []
        for i in range(100):
            for sample in range(4):
                one = graded(held_out(i), "right" if sample < right else "wrong", extracted=str(sample >= right))
                rows.append(replace(one, attempt=replace(one.attempt, sample=sample)))
        write_lm_eval(tmp_path / place / "lm_eval", tuple(rows), ["asked"] * len(rows), **said)
    (found,) = changes(Files(home=tmp_path, known={}), 1).values()
    assert (found["n"], found["broken"], found["mean"]) == (100, 0, pytest.approx(mean))
    assert found["ci95"] == [pytest.approx(mean)] * 2
    assert found["fixed"] == fixed


def test_the_interval_of_shares_covers_their_difference():
    before = {str(i): Right(i % 5 / 4, i % 5 > 2) for i in range(200)}
    after = {str(i): Right(min(1.0, i % 5 / 4 + 0.25 * (i % 2)), i % 5 > 1) for i in range(200)}
    found = change(before, after)
    assert found["ci95"][0] < found["mean"] < found["ci95"][1]
    assert found["mean"] == pytest.approx(0.1)


def test_a_key_is_marked_by_its_whole_path():
    lines = marked("a:\n  b:\n    c: 1\n  d: 2\nb:\n  c: 3\n", {"a.b"})
    assert [mark for _, mark in lines] == [False, True, True, False, False, False]


def test_jobs_of_a_sweep_stand_side_by_side(tmp_path):
    make_page(make_run(tmp_path / "0", 5))
    jobs = {
        str(i): {
            "overrides": ["experiment=smoke", f"seed={i}"],
            "folder": f"/elsewhere/{i}",
            "state": state,
            "exit_code": 2 * i,
            "seconds": 3,
        }
        for i, state in enumerate(["done", "failed"])
    }
    (tmp_path / "sweep.json").write_text(json.dumps({"jobs": jobs}))
    data = data_of(make_sweep_page(tmp_path))
    assert data["shared"] == ["experiment=smoke"]
    assert [j["own"] for j in data["jobs"]] == [["seed=0"], ["seed=1"]]
    assert [j["exit_code"] for j in data["jobs"]] == [0, 2]
    assert [j["link"] for j in data["jobs"]] == ["0/report.html", ""]
    assert [s["correct"] for s in data["jobs"][0]["sets"][0]["scores"]] == [100, 120]
    with pytest.raises(DataError, match="is not a sweep folder"):
        make_sweep_page(tmp_path / "0")


@pytest.mark.parametrize(
    ("job", "inside"),
    [
        ("/old/place/sweep/3", "3"),
        ("/old/place/sweep/a/3", "a/3"),
        ("/sweep/of/sweep/a/3", "a/3"),
        ("/elsewhere/3", "3"),
        ("/old/sweep", "sweep"),
    ],
)
def test_a_job_is_found_in_its_sweep_also_after_it_was_moved(tmp_path, job, inside):
    assert _inside(tmp_path / "sweep", Path(job)) == Path(inside)


@pytest.mark.long
def test_5000_bad_cases_take_seconds_and_few_megabytes(tmp_path):
    home = make_run(tmp_path / "run", 5000)
    start = time.time()
    page = make_page(home)
    assert time.time() - start < 20
    assert page.stat().st_size < 8e6
    assert len(data_of(page)["cases"]) == 5000
