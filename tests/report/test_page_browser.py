"""The page in a real browser, if one is installed: it is drawn, reacts to keys and filters, and runs no other code."""

from __future__ import annotations

import json
import time

import pytest

from sei.report.page import make_page, make_sweep_page
from tests.browser import CHROMIUM, browser
from tests.report.run_folders import HOSTILE, make_run
from tests.report.sweep_folders import SETTINGS, large_sweep, make_sweep, summary

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")]
TYPE = "document.querySelector('{0}').value = '{1}'; document.querySelector('{0}').dispatchEvent(new Event('{2}'))"


@pytest.fixture
def page(tmp_path):
    with browser(tmp_path / "profile") as p:
        yield p
        assert p.complaints == []


def soon(page, code: str) -> bool:
    """Say whether something becomes true within some seconds; a busy machine may need them."""
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


def test_5000_bad_cases_open_in_three_seconds_and_are_searchable(page, tmp_path):
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


def test_a_first_reader_finds_examples_and_the_words(page, tmp_path):
    """A first reader finds examples, appeared types, unsolved problems, and the glossary."""
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
    assert "No round was finished" in page.js("document.body.textContent")
    job = {"overrides": ["seed=0"], "folder": "0", "state": "done", "seconds": 3}
    (tmp_path / "run" / "sweep.json").write_text(json.dumps({"jobs": {"0": job}}))
    page.open(make_sweep_page(tmp_path / "run"))
    assert page.js("document.querySelector('#jobs a').getAttribute('href')") == "./0/report.html"


LINE = "document.querySelectorAll('.panel')[{0}].querySelectorAll('.curve')[{1}]"
OF_EACH_PANEL = "[...document.querySelectorAll('.panel')].map(p => [...p.querySelectorAll('{0}')]{1})"
STRONG = OF_EACH_PANEL.format(".curve", ".findIndex(c => c.classList.contains('strong'))")
MARK = "path:not(.way)"
CENTRE = "(b => [b.x + b.width / 2, b.y + b.height / 2])({0}.getBoundingClientRect())"


def shown(what: str) -> str:
    """Return code that counts the visible elements in each panel."""
    return OF_EACH_PANEL.format(what, ".filter(c => getComputedStyle(c).display !== 'none').length")


def press(page, key: str) -> None:
    page.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key)


def pointer(page, kind: str, x: float, y: float) -> None:
    click = {"button": "left", "clickCount": 1} if kind != "mouseMoved" else {}
    page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **click)


def place_of(page, panel: int, line: int, what: str, number: int = 0) -> tuple[float, float]:
    """Return the position of a part of a line in the window."""
    x, y = page.js(CENTRE.format(f"{LINE.format(panel, line)}.querySelectorAll('{what}')[{number}]"))
    return x, y


def test_a_sweep_has_a_chart_a_set_and_a_line_a_setting(page, tmp_path):
    page.open(make_sweep_page(large_sweep(tmp_path / "sweep")), width=1280, height=900)
    assert page.js(OF_EACH_PANEL.format("strong", "[0].textContent")) == ["test_set", "far", "dev_set"]
    assert page.js(shown(".curve")) == [9, 9, 9]
    assert page.js(shown(".spread")) == [0, 0, 0]
    said = page.js(LINE.format(0, 2) + ".getAttribute('aria-label')")
    assert said.startswith("refiner=random: base 42.0 % (all seeds equal, n = 5), round 1 ")
    assert said.endswith("chosen round 1 (1 seed), round 2 (4 seeds)")
    first, last = (place_of(page, 0, i, MARK, 3) for i in (0, 8))
    assert first[1] < last[1]  # the better setting is higher
    assert first[0] == pytest.approx(last[0], abs=1)
    ring, chosen = place_of(page, 0, 2, ".chosen"), place_of(page, 0, 2, MARK, 2)
    assert ring[0] == pytest.approx(chosen[0], abs=1)
    dashed = f"[...{LINE.format(0, 2)}.querySelectorAll('.way')].map(w => w.hasAttribute('stroke-dasharray'))"
    assert page.js(dashed) == [False, False, True]  # one seed ended after round 2


def test_the_legend_of_a_sweep_hides_lines_in_all_charts(page, tmp_path):
    page.open(make_sweep_page(large_sweep(tmp_path / "sweep")))
    entry = "document.querySelectorAll('.legend .type')[1]"
    page.js(f"{entry}.click()")
    assert page.js(f"{entry}.getAttribute('aria-pressed')") == "false"
    assert page.js(shown(".curve")) == [8, 8, 8]
    page.js(f"{LINE.format(0, 0)}.focus()")
    press(page, "ArrowDown")
    assert page.js(STRONG) == [2, 2, 2]  # the hidden one is skipped
    page.js("document.activeElement.blur()")
    page.js("document.querySelectorAll('.legend button')[1].click()")
    assert page.js(shown(".curve")) == [0, 0, 0]
    for i in (0, 4):
        page.js(f"document.querySelectorAll('.legend .type')[{i}].click()")
    assert page.js(shown(".spread")) == [2, 2, 2]  # so few lines show their intervals by default
    page.js("document.querySelectorAll('.legend button')[0].click()")
    assert page.js(shown(".curve")) == [9, 9, 9]


def test_a_line_stands_out_in_all_charts_by_focus_and_by_pointer(page, tmp_path):
    page.open(make_sweep_page(large_sweep(tmp_path / "sweep")), width=1280, height=900)
    readout = "document.querySelectorAll('.readout')[{0}].textContent"
    assert page.js(OF_EACH_PANEL.format(".curve", ".filter(c => c.tabIndex === 0).length")) == [1, 1, 1]
    page.js(f"{LINE.format(1, 0)}.focus()")
    press(page, "ArrowUp")
    assert page.js(STRONG) == [8, 8, 8]
    assert page.js(shown(".spread")) == [1, 1, 1]
    assert page.js(shown(".curve .value")) == [4, 4, 4]
    assert "agglomerative" in page.js(readout.format(0))
    assert "n = 3" in page.js(readout.format(0))
    assert page.js("document.activeElement.classList.contains('curve')")
    page.js("document.activeElement.blur()")
    assert page.js(STRONG) == [-1, -1, -1]
    page.js("document.querySelector('#scores .panels').scrollIntoView({block: 'center'})")
    x, y = place_of(page, 0, 0, MARK, 2)
    pointer(page, "mouseMoved", x, y - 6)
    assert page.js(STRONG) == [0, 0, 0]
    for kind in ("mousePressed", "mouseReleased"):
        pointer(page, kind, x, y - 6)
    pointer(page, "mouseMoved", 5, 5)
    assert page.js(STRONG) == [0, 0, 0]  # a click keeps it
    page.js(f"{LINE.format(0, 3)}.focus()")
    assert page.js(STRONG) == [3, 3, 3]
    press(page, "Escape")
    page.js("document.activeElement.blur()")
    assert page.js(STRONG) == [-1, -1, -1]


def test_settings_cost_and_states_of_a_sweep_are_told(page, tmp_path):
    page.open(make_sweep_page(large_sweep(tmp_path / "sweep")))
    row = "[...document.querySelectorAll('#{0} tbody tr')].map(r => r.innerText.replace(/\\s+/g, ' '))"
    settings, cost, jobs = (page.js(row.format(part)) for part in ("settings", "cost", "jobs"))
    assert settings[0].startswith("(defaults) 5 +9.7 +7.4 to +12.0 range +7.3 to +12.0 ")
    assert settings[1].startswith("refiner=none ✗ 1 failed 4 ")
    assert "… 1 running✗ 1 killed 3 " in settings[8]
    assert cost[0].startswith("(defaults) 5 2 min 5 min 6,006 6,000 to 6,012 1,200 702 700 to 704 90,000 30,000 $0.70")
    assert "✗ failed exit code 3" in jobs[8]
    assert "… running" in jobs[43]
    assert "✗ killed killed by signal 9" in jobs[44]
    assert page.js("document.querySelector('#settings .note a').hash") == "#job-8"
    headline = page.js("document.querySelector('#settings .headline').textContent")
    assert headline.startswith(
        "Highest on dev: (defaults) with 51.7 % (5 seeds); test_set +9.7 points (+7.4 to +12.0); far"
    )


def test_sweeps_with_little_in_them_are_drawn(page, tmp_path):
    """Sweeps of one seed, of bases alone and without results are drawn."""
    one = [(["seed=0"], "done", summary(0, [80, 90], 1)), (["seed=0", "a=b"], "running", None)]
    page.open(make_sweep_page(make_sweep(tmp_path / "one", one)))
    assert page.js(shown(".spread")) == [1, 1, 1]
    assert "one seed" in page.js("document.querySelector('#settings tbody').textContent")
    page.open(make_sweep_page(make_sweep(tmp_path / "base", [(["seed=0"], "done", summary(0, [80], 0))])))
    assert page.js(shown(".curve")) == [1, 1, 1]
    page.open(make_sweep_page(make_sweep(tmp_path / "none", [(["seed=0"], "failed", None)])))
    assert page.js("[...document.querySelectorAll('section')].map(s => s.id)") == ["settings", "jobs", "words"]


def test_overrides_of_a_sweep_are_text(page, tmp_path):
    home = large_sweep(tmp_path / "sweep", (*SETTINGS[:8], f"name={''.join(HOSTILE.split())}"))
    page.open(make_sweep_page(home))
    page.js(f"{LINE.format(0, 8)}.focus()")
    assert page.js("document.images.length") == 0
    assert "onerror=alert(1)" in page.js("document.querySelector('.readout').textContent")


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("dark", [False, True])
def test_no_sweep_is_wider_than_the_window(page, tmp_path, width, dark):
    page.open(make_sweep_page(large_sweep(tmp_path / "sweep")), width=width, height=800, dark=dark)
    page.js("document.querySelector('#scores details').open = true")
    page.js(f"{LINE.format(0, 8)}.focus()")
    assert soon(page, "document.querySelectorAll('#scores details tbody tr').length === 27")
    assert page.js("document.documentElement.scrollWidth") <= width
