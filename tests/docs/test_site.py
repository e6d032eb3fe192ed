"""The documentation site is built without a network, loads nothing from one, and answers what is often asked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from conf_pages import conf_pages
from links import repository_pages
from tests.browser import CHROMIUM, browser
from tests.conftest import ROOT

BUILD = """
import socket, sys
def refuse(*_, **__):
    raise OSError("the network is blocked")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
from mkdocs.__main__ import cli
cli(["build", "--strict", "--site-dir", sys.argv[1]])
"""
LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "object": "data",
    "link": "href",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-W", "ignore", "-c", BUILD, str(folder)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "WARNING" not in done.stderr
    return folder


class Reader(HTMLParser):
    """Collects what a page loads, and the beginnings of its paragraphs and items."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.texts: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        if tag in LOADED and (place := dict(attrs).get(LOADED[tag])):
            self.loaded.append(place)

    def handle_data(self, data: str) -> None:
        if self.inside in ("p", "li"):
            self.texts.append(data)


def read(page: Path) -> Reader:
    reader = Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    return reader


def nav() -> dict[str, list[str]]:
    """Return the pages of mkdocs.yml by section."""

    class Loader(yaml.SafeLoader):
        """Reads what mkdocs reads."""

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)
    config: dict[str, Any] = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)

    def pages(entry: Any) -> list[str]:
        found = entry.values() if isinstance(entry, dict) else entry
        return [entry] if isinstance(entry, str) else [p for e in found for p in pages(e)]

    return {name: pages(entry) for item in config["nav"] for name, entry in item.items()}


def test_every_page_of_the_navigation_is_there():
    there = {*conf_pages(ROOT), *repository_pages(ROOT)}
    there |= {p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md")}
    assert [p for pages in nav().values() for p in pages if p not in there] == []
    assert [*nav()][1:5] == ["Start", "Concepts", "Configuration", "Your data"]


def test_the_site_loads_nothing_from_a_network(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 40
    loaded = {place for p in pages for place in read(p).loaded}
    assert any("bundle" in place for place in loaded)
    assert [place for place in loaded if re.match(r"(https?:)?//", place)] == []
    styles = "".join(p.read_text(encoding="utf-8") for p in site.rglob("*.css"))
    assert re.findall(r"url\([\"']?(?:https?:)?//[^)]*|@import[^;]*", styles) == []


def test_every_page_of_conf_and_of_the_repository_is_on_the_site(site):
    for place, text in {**conf_pages(ROOT), **repository_pages(ROOT)}.items():
        page = site / place.replace("README.md", "index.html").replace(".md", ".html")
        title = text.splitlines()[0].lstrip("# ")
        assert re.sub(r"[`\W]", "", title) in re.sub(r"\W", "", page.read_text(encoding="utf-8")), place


def test_no_list_is_lost_in_a_paragraph(site):
    found = [(p.name, t) for p in site.rglob("*.html") for t in read(p).texts if re.search(r"\n *(-|\d+\.) ", t)]
    assert found == []


def test_the_list_of_groups_is_filled_in(site):
    page = (site / "configuration.html").read_text(encoding="utf-8")
    assert all(f"configuration/{p.partition('/')[2].replace('.md', '.html')}" in page for p in conf_pages(ROOT))


ASKED = {
    "Where is the one-step test?": "configuration/refiner.html#one_shot_step",
    "What does exit code 75 mean?": "faults.html",
    "How do I go on after a kill or a crash?": "results.html#stopping-and-going-on",
    "How do I cap the money that a run spends?": "instructors.html",
    "Which files does a run leave?": "results.html#the-run-folder",
    "How do I know the cost before a run?": "instructors.html",
    "How do I use my own data?": "data.html",
    "How do I use my own model?": "models.html",
    "How do I know whether a difference is real?": "compare.html",
    "How do I add a clusterer, a refiner or another part?": "extending.html",
}


def test_ten_questions_are_answered_where_they_are_asked(site):
    page = (site / "questions.html").read_text(encoding="utf-8")
    found = dict(re.findall(r"<h2[^>]*>([^<]+)<.*?</h2>(.*?)(?=<h2|</article)", page, re.DOTALL))
    for question, place in ASKED.items():
        assert f'href="{place}"' in found[question], question
        target, _, anchor = place.partition("#")
        assert not anchor or f'id="{anchor}"' in (site / target).read_text(encoding="utf-8")
    entries = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]
    assert {e["title"] for e in entries if e["location"].startswith("questions.html#")} >= set(ASKED)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_the_search_works_on_a_page_from_a_disk(site, tmp_path):
    with browser(tmp_path) as page:
        page.call("Page.navigate", url=(site / "index.html").as_uri())
        field = "document.querySelector('[data-md-component=search-query]')"
        first = "document.querySelector('.md-search-result__item h2')?.textContent"
        end = time.time() + 60
        while page.js(first) != "What does exit code 75 mean?" and time.time() < end:
            page.js(f"{field} && ({field}.focus(), {field}.value = 'exit code 75')")
            page.js(f"{field} && {field}.dispatchEvent(new KeyboardEvent('keyup', {{bubbles: true}}))")
            time.sleep(0.5)
        assert page.js(first) == "What does exit code 75 mean?"
        assert page.complaints == []
