"""The page in a real browser: failures, times, flaws, saturation; sweeps."""

from __future__ import annotations

import json

import pytest

from sei.report.page import make_page, make_sweep_page, write_page
from sei.report.page.files import FAILURE
from tests.browser import CHROMIUM, browser
from tests.report.run_folders import make_run
from tests.report.sweep_folders import large_sweep, make_sweep, summary

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")]
TEXT = "document.querySelector('{0}').innerText.replace(/\\s+/g, ' ')"
BASE = {
    "model": {"name": "tiny", "source": "/models/my-model", "revision": "abc"},
    "seconds": {"attempts": 90.0, "goldcheck": 1.0},
    "devices": {"attempts": "cpu"},
}


@pytest.fixture
def page(tmp_path):
    with browser(tmp_path / "profile") as p:
        yield p
        assert p.complaints == []


def test_a_failed_run_says_so_before_anything_else(page, tmp_path):
    home = make_run(tmp_path / "run", 5, finished=False, **BASE)
    failure = {"stage": "in grade", "round": 2, "exit_code": 3, "error": "too many <b>bad</b> records"}
    (home / FAILURE).write_text(json.dumps(failure))
    write_page(home, so_far=1)
    page.open(home / "report.html", width=400)
    said = page.js(TEXT.format("#result [role=alert]"))
    assert said.startswith("✗ This run ended early, in grade of round 2 (exit code 3): too many <b>bad</b> records. ")
    assert "no model/ was written" in page.js(TEXT.format("#result"))
    write_page(home, so_far=0)
    page.open(home / "report.html")
    assert "will be taught" in page.js(TEXT.format("#result"))
    assert "check of reference answers" in page.js(TEXT.format("#cost"))  # only the base took time


def test_a_run_without_rounds_says_that_nothing_was_trained(page, tmp_path):
    home = make_run(tmp_path / "run", 5, finished=False, **BASE)
    (home / ".hydra").mkdir()
    (home / ".hydra" / "config.yaml").write_text("rounds: 0\n")
    write_page(home, so_far=0)
    page.open(home / "report.html")
    assert "was evaluated and not trained (rounds=0)" in page.js(TEXT.format("#result"))
    said = page.js("document.body.textContent")
    assert "No round was asked for" in said
    assert "chose the round" not in said.split("No round was asked for")[0]


def test_model_base_time_flaws_and_saturation_are_told(page, tmp_path):
    page.open(make_page(make_run(tmp_path / "run", 40, 30, **BASE)))
    assert "The model my-model source /models/my-model revision abc was" in page.js(TEXT.format("#result"))
    heads = page.js("[...document.querySelectorAll('#cost thead th')].map(h => h.textContent)")
    assert heads[:4] == ["stage", "base", "round 1", "round 2"]
    rows = page.js("[...document.querySelectorAll('#cost tbody tr')].map(r => r.innerText.replace(/\\s+/g, ' '))")
    assert rows[0].startswith("answers of the model attempts 2 min 1 min 1 min 4 min")
    assert rows[-1].startswith("all stages 2 min 1 min 1 min 4 min")
    legend = page.js(TEXT.format("#synthetic .note"))
    assert "Only the embedded teacher knows it" in legend
    assert "0 of 4 (0.0 %) kept examples and 2 of 3 (66.7 %) left-out examples" in legend
    assert page.js("document.querySelectorAll('#synthetic .entries .flaw').length") == 2
    said = page.js("[...document.querySelectorAll('#types .readout')].map(r => r.textContent)")
    assert len(said) == 2
    assert "Good-Turing" in said[0]
    assert said[0].startswith(("The curve has flattened: ", "The curve still rises: "))


def test_a_run_that_the_base_wins_names_its_last_weights(page, tmp_path):
    home = make_run(tmp_path / "run", 5)
    held = json.loads((home / "summary.json").read_text())
    (home / "summary.json").write_text(json.dumps({**held, "best_round": 0}))
    (home / "ledger.json").write_text(json.dumps({"last_trained": {"round": 1, "weights": "/store/finetune/x/model"}}))
    page.open(make_page(home))
    assert "Those of the last round (1) are in the store: /store/finetune/x/model" in page.js(TEXT.format("#result"))


def test_two_seeds_are_two_points_and_ties_are_named(page, tmp_path):
    jobs = [
        ([f"refiner={r}", f"seed={s}"], "done", summary(s, [80, 90 + 10 * s], 1))
        for r in ("none", "random", "perplexity")
        for s in (0, 1)
    ]
    page.open(make_sweep_page(make_sweep(tmp_path / "sweep", jobs)))
    headline = page.js(TEXT.format("#settings .headline"))
    assert headline.startswith("Highest on dev: refiner=none with 47.5 % (2 seeds), tied with refiner=random and ")
    assert page.js("document.querySelector('h1').textContent") == "Sweep over refiner and seed"
    assert page.js("document.querySelectorAll('.spread polygon').length") == 0
    assert page.js("document.querySelectorAll('.panel')[0].querySelectorAll('.seed').length") == 6
    cells = page.js(TEXT.format("#settings tbody"))
    assert "+7.5 seeds: +5.0 and +10.0" in cells
    assert "Student" not in cells


def test_three_seeds_have_a_band(page, tmp_path):
    page.open(make_sweep_page(large_sweep(tmp_path / "sweep", ("refiner=none", "a=b"), seeds=5)))
    assert page.js("document.querySelectorAll('.spread polygon').length") == 6
    assert page.js("document.querySelectorAll('.seed').length") == 0
