"""``report.html``: everything of a run in one file, in which text of models is text and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
import time
from pathlib import Path

import pytest

from sei.errors import DataError
from sei.report.page import make_page, make_sweep_page, write_page
from sei.report.page.__main__ import main
from sei.report.page.build import gather
from sei.report.page.config import hidden, marked
from sei.report.page.write import embedded
from tests.report.run_folders import make_run

HOSTILE = "</script><img src=x onerror=alert(1)>&amp;<!--\u2028\u202e\x1b[31m'\"`${7*7}\\"


def data_of(page: Path) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    return json.loads(found[1])


def test_data_can_neither_end_its_block_nor_hide_anything():
    shown = embedded({"<k>": [HOSTILE, "\ud800", float("nan"), "a\nb"]})
    assert not re.search("[<>&\u2028\u2029\u202e\x1b]", shown)
    shown.encode()
    back = json.loads(shown)["<k>"]
    assert back[0].startswith("</script><img")
    assert back[1:] == ["\\ud800", None, "a\nb"]
    assert "\\u202e" in back[0]


def test_a_page_of_hostile_texts_holds_two_scripts_and_a_policy_that_names_them(tmp_path):
    page = make_page(make_run(tmp_path / "run", 12, 9, text=HOSTILE)).read_text("utf-8")
    assert page.count("<script") == page.count("</script>") == 2
    assert "<img" not in page
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy


def test_the_page_asks_nothing_of_a_network_and_builds_no_html_from_data():
    home = Path(__file__).parents[2] / "sei" / "report" / "page"
    code = "\n".join(p.read_text("utf-8") for p in [*home.glob("js/*.js"), home / "page.css", home / "template.html"])
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|new Function|fetch\(|@import|url\(", code
    )
    assert set(re.findall(r"https?://[^\s\"']+", code)) == {"http://www.w3.org/2000/svg"}  # a name, not an address


def test_everything_a_round_made_is_on_the_page(tmp_path):
    data = data_of(make_page(make_run(tmp_path / "run", 20, 15)))
    assert data["run"]["experiment"] == "example"
    assert (data["best"], data["stopped"]) == (2, "rounds")
    assert [s["name"] for s in data["sets"]] == ["test_set", "far", "dev_set"]
    assert [x["correct"] for x in data["sets"][0]["scores"]] == [100, 120, 140]
    assert [len(r["points"]) for r in data["rounds"]] == [19, 14]
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


def test_a_run_that_goes_on_shows_its_rounds_so_far_and_not_the_summary_of_an_earlier_one(tmp_path):
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


def test_what_is_missing_or_damaged_is_named_and_the_rest_is_shown(tmp_path):
    home = make_run(tmp_path / "run", 10)
    (home / "round_1" / "cluster_map.jsonl").unlink()
    (home / "round_1" / "error_types.json").write_text("[{")
    (home / "round_1" / "refined.jsonl").write_text('{"example": {}, "kept": true}\nnot json\n')
    data = gather(home)
    assert len(data["cases"]) == 10
    assert len(data["synthetic"]) == 1
    notes = " ".join(data["notes"])
    assert all(name in notes for name in ("cluster_map.jsonl", "error_types.json", "refined.jsonl line 2"))


def test_a_folder_of_something_else_is_refused_by_the_command_and_harms_no_run(tmp_path, capsys, caplog):
    with pytest.raises(DataError, match="is no run folder"):
        make_page(tmp_path)
    with caplog.at_level(logging.WARNING):
        write_page(tmp_path)
    assert "was not written" in caplog.text
    assert main([str(tmp_path), str(make_run(tmp_path / "run", 5))]) == 2
    out = capsys.readouterr()
    assert out.out.strip().endswith("report.html")
    assert "is no run folder" in out.err


def test_overrides_parts_and_differing_lines_are_marked_and_keys_hidden(tmp_path):
    home = make_run(tmp_path / "run", 5)
    (home / ".hydra").mkdir()
    (home / ".hydra" / "overrides.yaml").write_text("- refiner=none\n- +instructor.token=abc\n- rounds=2\n")
    (home / ".hydra" / "hydra.yaml").write_text(
        "hydra: {runtime: {choices: {refiner: none, grader: math, hydra/x: y}}}\n"
    )
    text = "rounds: 2\nseed: 0\nrefiner:\n  a: 1\ninstructor:\n  url: http://me:pass@host/v1\n  token: abc\n"
    text += "  api_key_env: OPENAI\n"
    (home / ".hydra" / "config.yaml").write_text(text)
    config = gather(home)["config"]
    assert config["parts"] == [["refiner", "none", "one_shot_step", True], ["grader", "math", "math", False]]
    assert [line for line, mark in config["lines"] if mark] == ["rounds: 2", "refiner:", "  a: 1", "  token: (hidden)"]
    assert "pass" not in json.dumps(config)
    assert "abc" not in json.dumps(config)
    assert "  api_key_env: OPENAI" in [line for line, _ in config["lines"]]
    assert hidden("x: sk-abcdefgh1234") == "x: (hidden)"
    assert hidden("max_tokens: 12") == "max_tokens: 12"


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
            "seconds": 3,
        }
        for i, state in enumerate(["done", "failed"])
    }
    (tmp_path / "sweep.json").write_text(json.dumps({"jobs": jobs}))
    data = data_of(make_sweep_page(tmp_path))
    assert data["shared"] == ["experiment=smoke"]
    assert [j["own"] for j in data["jobs"]] == [["seed=0"], ["seed=1"]]
    assert [j["link"] for j in data["jobs"]] == ["0/report.html", ""]
    assert [s["correct"] for s in data["jobs"][0]["sets"][0]["scores"]] == [100, 120]
    with pytest.raises(DataError, match="is no sweep folder"):
        make_sweep_page(tmp_path / "0")


def test_five_thousand_bad_cases_are_built_in_seconds_and_few_megabytes(tmp_path):
    home = make_run(tmp_path / "run", 5000)
    start = time.time()
    page = make_page(home)
    assert time.time() - start < 20
    assert page.stat().st_size < 8e6
    assert len(data_of(page)["cases"]) == 5000
