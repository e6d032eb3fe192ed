"""The page in a real browser, where one is installed: it draws, it answers to keys and filters, nothing runs in it."""

from __future__ import annotations

import json
import time

import pytest

from sei.report.page import make_page, make_sweep_page
from tests.browser import CHROMIUM, browser
from tests.report.run_folders import make_run
from tests.report.test_page import HOSTILE

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")]
TYPE = "document.querySelector('{0}').value = '{1}'; document.querySelector('{0}').dispatchEvent(new Event('{2}'))"


@pytest.fixture
def page(tmp_path):
    with browser(tmp_path / "profile") as p:
        yield p
        assert p.complaints == []


def soon(page, code: str) -> bool:
    """Say whether something becomes true within some seconds, which a busy machine may need."""
    page.js("new Promise(done => setTimeout(done, 250))")  # longer than the page waits for the end of typing
    end = time.time() + 10
    while not (true := page.js(code)) and time.time() < end:
        time.sleep(0.1)
    return true


def test_texts_of_models_are_shown_and_never_run(page, tmp_path):
    page.open(make_page(make_run(tmp_path / "run", 30, 20, text=HOSTILE)))
    page.js("for (const d of document.querySelectorAll('details')) d.open = true")
    page.js("new Promise(done => setTimeout(done, 300))")
    assert page.js("document.images.length") == 0
    assert page.js("document.scripts.length") == 2
    assert "onerror=alert(1)" in page.js("document.getElementById('cases').textContent")
    assert page.js("document.querySelectorAll('main > section').length") == 10


def test_five_thousand_bad_cases_open_within_three_seconds_and_can_be_searched(page, tmp_path):
    home = make_page(make_run(tmp_path / "run", 5000, 4000))
    assert page.open(home) < 3
    page.js(TYPE.format("#cases input", "42 pencils", "input"))
    assert soon(page, "document.querySelector('#cases [role=status]').textContent.includes('of 9,000 in all')")
    page.js(TYPE.format("#cases input", "", "input") + ";" + TYPE.format("#cases select", "2", "change"))
    assert soon(page, "document.querySelector('#cases [role=status]').textContent.includes('of 4,000 bad cases')")
    page.js("[...document.querySelectorAll('#cases .pages button')].at(-1).click()")
    assert soon(page, "document.querySelector('#cases [role=status]').textContent.startsWith('21–40')")


def test_the_map_answers_to_keys_and_its_legend_hides_types(page, tmp_path):
    page.open(make_page(make_run(tmp_path / "run", 40)))
    page.js("document.querySelector('canvas').focus()")
    for _ in range(3):
        page.call("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight", code="ArrowRight")
    assert "Reference solution" in page.js("document.querySelector('.detail').textContent")
    page.js("document.querySelector('.legend .type').click()")
    assert page.js("document.querySelector('.legend .type').getAttribute('aria-pressed')") == "false"


def test_a_first_reader_finds_examples_what_appeared_what_is_not_solved_and_the_words(page, tmp_path):
    page.open(make_page(make_run(tmp_path / "run", 40, 30, text="<b>bold</b>")))
    rows = "document.querySelectorAll('.types tbody tr')"
    assert "right is" in page.js(f"{rows}[0].querySelector('.example').textContent")
    assert "<b>bold</b>" in page.js(f"{rows}[0].querySelector('.example').textContent")
    page.js("[...document.querySelectorAll('#types select')].at(-1).value = 'appeared'")
    page.js("[...document.querySelectorAll('#types select')].at(-1).dispatchEvent(new Event('change'))")
    assert page.js(f"[...{rows}].map(r => r.lastChild.textContent)") == ["appeared"]
    page.js("[...document.querySelectorAll('#cases select')].at(-1).value = 'not solved'")
    page.js("[...document.querySelectorAll('#cases select')].at(-1).dispatchEvent(new Event('change'))")
    assert page.js("document.querySelectorAll('#cases .entries details').length") > 0
    assert page.js("document.querySelectorAll('#cases .entries .good').length") == 0
    assert "weight" in page.js("document.getElementById('words').textContent")


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_the_window(page, tmp_path, width, dark):
    page.open(make_page(make_run(tmp_path / "run", 30, 20)), width=width, height=800, dark=dark)
    assert page.js("document.documentElement.scrollWidth") <= width


def test_a_base_alone_and_a_sweep_are_drawn(page, tmp_path):
    home = make_run(tmp_path / "run" / "0", 5)
    for f in (home / "round_1").rglob("*"):
        if f.is_file():
            f.unlink()
    (home / "summary.json").unlink()
    page.open(make_page(home))
    assert "No round was done" in page.js("document.body.textContent")
    job = {"overrides": ["seed=0"], "folder": "0", "state": "done", "seconds": 3}
    (tmp_path / "run" / "sweep.json").write_text(json.dumps({"jobs": {"0": job}}))
    page.open(make_sweep_page(tmp_path / "run"))
    assert page.js("document.querySelector('#jobs a').getAttribute('href')") == "./0/report.html"
