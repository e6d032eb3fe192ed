"""What mkdocs calls: adds the generated pages, extends the navigation by them, and changes links for the site."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from conf_pages import conf_pages, group_list
from links import for_site, repository_pages

ROOT = Path(__file__).resolve().parent.parent.parent
GROUPS = "<!-- every group of conf/ -->"
BOOSTS = {"questions.md": 4.0, "configuration/": 1.0, "experiments/": 0.2, "LOG.md": 0.2, "CHANGELOG.md": 0.1, "": 2.0}
"""How much the search makes of a page, by the beginning of its place: guides first, measurements last."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the generated pages into the sections of the navigation that they belong to."""
    sections: dict[str, Any] = {name: entry for item in config.nav for name, entry in item.items()}
    pages, outside = conf_pages(ROOT), repository_pages(ROOT)
    titles = {page: text.partition("\n")[0].removeprefix("# ") for page, text in pages.items()}
    sections["Configuration"] += [{titles[p]: p} for p in sorted(pages, key=lambda p: p != "configuration/config.md")]
    parts = sorted((ROOT / "docs" / "extending").glob("*.md"))
    sections["Extending"] += [p.relative_to(ROOT / "docs").as_posix() for p in parts]
    sections["Extending"] += [p for p in outside if p == "CONTRIBUTING.md"]
    index = "experiments/README.md"
    measured = [p for p in outside if p.startswith("experiments/") and p != index]
    sections["Experiments"] += sorted(measured, key=lambda p: _number(outside[p]))
    config.watch += [str(ROOT / name) for name in ("conf", *{p.partition("/")[0] for p in outside})]
    return config


def _number(text: str) -> tuple[int, str]:
    """Return the number and letter that the title of an experiment begins with; one without comes last."""
    found = re.match(r"# (\d+)(\w*)", text)
    return (int(found[1]), found[2]) if found else (sys.maxsize, text)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the configuration pages and the pages from outside docs/."""
    for place, text in {**conf_pages(ROOT), **repository_pages(ROOT)}.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Change the links of a page that is written by hand, and fill in the list of groups."""
    pages, place = repository_pages(ROOT), page.file.src_uri
    page.meta["search"] = {"boost": next(b for start, b in BOOSTS.items() if place.startswith(start))}
    if place.startswith("configuration/"):
        return markdown
    text = for_site(markdown, place if place in pages else f"docs/{place}", ROOT, pages)
    return text.replace(GROUPS, group_list(ROOT)) if place == "configuration.md" else text
