"""The index of experiments is complete, its links resolve, and the commands of its pages are those of today."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from tests import pages
from tests.compose import built
from tests.conftest import ROOT

HOME = ROOT / "experiments"
INDEX = HOME / "README.md"
PAGES = sorted(p for p in HOME.rglob("*.md") if p != INDEX)
TEXTS = [INDEX, *PAGES, ROOT / "benchmarks" / "README.md", ROOT / "LOG.md", ROOT / "CHANGELOG.md"]
COLUMNS = ("#", "question", "verdict", "effect", "seeds x n", "commit")

_DEFINED = re.compile(r"(?m)^\[([^\]]+)\]: (\S+)$")
_INLINE = re.compile(r"\]\(([^)\s]+)\)")
_ENVIRONMENT = re.compile(r"[A-Z_]+=")
_OVERRIDE = re.compile(r"[a-z_][\w./@]*=")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def cells(line: str) -> list[str]:
    return [c.strip() for c in line.strip().strip("|").split("|")]


def rows(text: str) -> list[list[str]]:
    """Return the rows of all tables of a text, without their headings."""
    lines = [cells(x) for x in text.splitlines() if x.startswith("|")]
    return [r for r in lines if r != list(COLUMNS) and set("".join(r)) != {"-"}]


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found = re.findall(r"(?m)^#+ (.+)$", text)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in found}


def broken(path: Path) -> list[str]:
    """Return the links of a page that lead to no file or no heading."""
    text = path.read_text(encoding="utf-8")
    wrong = []
    for link in [*_INLINE.findall(text), *(target for _, target in _DEFINED.findall(text))]:
        if link.startswith("http"):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        if not target.is_file() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            wrong.append(link)
    return wrong


def commands(text: str) -> list[list[str]]:
    """Return the words of every command in a text's code blocks; lines broken with a backslash are joined."""
    lines = [x for language, body in pages.blocks(text) if not language for x in body.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def index() -> str:
    return INDEX.read_text(encoding="utf-8")


def test_every_row_of_the_index_has_all_columns(index):
    found = rows(index)
    assert len(found) >= len(PAGES)
    assert [r for r in found if len(r) != len(COLUMNS) or not all(r)] == []
    numbers = [r[0] for r in found]
    assert len(numbers) == len(set(numbers))
    assert [r for r in found if not re.fullmatch(r"\[.+\]\[" + r[0] + r"\]", r[1])] == [], "a row links to its page"
    assert [r for r in found if not re.fullmatch(r"`[0-9a-f]{7,40}`\*?", r[5])] == [], "not a commit"
    assert len(index.splitlines()) - 2 * len(found) <= 48, "a row and a link for each experiment, and little else"


def test_old_citations_by_number_resolve(index):
    """Sections 1 to 15 were cited by number before the index was one."""
    numbers = {re.match(r"\d+", r[0])[0] for r in rows(index)}
    assert numbers >= {str(n) for n in range(1, 16)}


def test_the_index_names_every_page_and_no_other(index):
    defined = dict(_DEFINED.findall(index))
    assert list(defined) == sorted(defined, key=lambda label: (int(re.match(r"\d+", label)[0]), label))
    assert set(defined) == {r[0] for r in rows(index)}
    assert sorted(defined.values()) == sorted(str(p.relative_to(HOME)) for p in PAGES)
    folders = [p.parent.name for p in HOME.glob("*/__init__.py") if p.parent.name != "measurements"]
    assert [f for f in folders if not (HOME / f / "README.md").is_file()] == [], "an experiment without a page"


def test_every_page_starts_alike_and_says_what_was_not_done(index):
    numbers = {target: label for label, target in _DEFINED.findall(index)}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {numbers[str(page.relative_to(HOME))]}: "), name(page)
        parts = ("**Question.** ", "**Verdict.** ", "# Command\n", "# Setting\n", "## Not done\n")
        assert [p for p in parts if p not in text] == [], name(page)


def test_links_resolve():
    assert {name(p): broken(p) for p in TEXTS if broken(p)} == {}


def test_a_link_to_nothing_is_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One two\n[a](page.md#one-two) [b](page.md#three) [c](#one-two) [d](none.md)\n\n[e]: away.md\n")
    assert broken(page) == ["page.md#three", "none.md", "away.md"]


def test_no_line_is_longer_than_120_characters():
    lines = [(name(p), n, len(x)) for p in TEXTS for n, x in enumerate(p.read_text("utf-8").splitlines(), 1)]
    assert [x for x in lines if x[2] > 120] == []


def test_findings_have_a_date_each_and_the_newest_is_first():
    text = (ROOT / "LOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"(?m)^## (.+)$", text)
    dates = [re.match(r"(\d{4}-\d{2}-\d{2}): \S", h) for h in headings]
    assert [h for h, d in zip(headings, dates, strict=True) if not d] == []
    assert len(dates) > 30
    found = [d[1] for d in dates if d]
    assert found == sorted(found, reverse=True)
    assert any(h.endswith("(negative)") for h in headings)


def test_every_measuring_script_is_on_a_page_and_modules_exist():
    texts = "\n".join(p.read_text(encoding="utf-8") for p in TEXTS)
    scripts = {f"experiments.measurements.{p.stem}" for p in (HOME / "measurements").glob("[!_]*.py")}
    named = set(re.findall(r"python -m ([a-z_][\w.]+\w)", texts))
    assert scripts <= named
    assert [m for m in sorted(named) if not m.endswith(".NAME") and importlib.util.find_spec(m) is None] == []


COMMANDS = [
    (name(page), words)
    for page in PAGES
    for words in commands(page.read_text(encoding="utf-8"))
    if any(_OVERRIDE.match(w) for w in words)
]


@pytest.mark.parametrize(("page", "words"), COMMANDS)
def test_settings_of_commands_on_pages_are_accepted(page, words, monkeypatch):
    """Of a sweep its first value; settings of Hydra itself are not looked at."""
    for word in words:
        if _ENVIRONMENT.match(word):
            monkeypatch.setenv(*word.replace("PORT", "8000").split("=", 1))
    settings = [w for w in words if _OVERRIDE.match(w) and not w.startswith("hydra")]
    assert built(*(s.replace("glob(*)", "full").split(",")[0] for s in settings))["method"]
