"""Links that work in the repository and on the site: targets outside docs/ become pages of the site, or plain text."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

from lists import reindented

_LINK = re.compile(r"(?P<code>(`+).*?\2)|(?P<image>!?)\[(?P<text>(?:`[^`]*`|[^\[\]`])*)\]\((?P<to>[^()\s]+)\)")
_FENCE = re.compile(r"^\s*(```+|~~~+)")
_REFERENCE = re.compile(r"^( *\[[^\]]+\]: +)(\S+)")
OUTSIDE = ("LOG.md", "CHANGELOG.md", "CONTRIBUTING.md")


def repository_pages(root: Path) -> dict[str, str]:
    """Return the Markdown files outside docs/ that are pages of the site: the place in the repository is that there."""
    experiments = sorted((root / "experiments").rglob("*.md"))
    paths = [*(root / name for name in OUTSIDE if (root / name).is_file()), *experiments]
    return {p.relative_to(root).as_posix(): p.read_text(encoding="utf-8") for p in paths}


def page_at(place: str, root: Path, pages: Mapping[str, str]) -> str | None:
    """Return the page of the site, with an anchor where one is meant, that shows a file or folder of the repository."""
    if place.startswith("docs/"):
        return place.removeprefix("docs/")
    if place == "README.md":
        return "index.md"
    if (root / place).is_dir() and f"{place}/README.md" in pages:
        return f"{place}/README.md"
    return place if place in pages else _configuration(place, root)


def _configuration(place: str, root: Path) -> str | None:
    if place == "conf":
        return "configuration.md"
    inside = Path(place).relative_to("conf") if place.startswith("conf/") else None
    if inside is None or not (root / place).exists():
        return None
    if inside.name == "config.yaml":
        return "configuration/config.md"
    if inside.suffix == ".yaml":
        return f"configuration/{'_'.join(inside.parent.parts)}.md#{inside.stem}"
    return f"configuration/{'_'.join(inside.parts)}.md"


def for_site(text: str, here: str, root: Path, pages: Mapping[str, str]) -> str:
    """Return the Markdown of a page as the site needs it.

    Args:
        text: the page as it stands in the repository.
        here: its place in the repository.
        root: the repository.
        pages: the pages from outside docs/.
    """
    own = page_at(here, root, pages) or here

    def place_of(target: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(here), target.partition("#")[0]))

    def moved(target: str) -> str | None:
        """Return where a link leads on the site; nothing where its target is no page."""
        if target.startswith("#") or ":" in target.split("/")[0]:
            return target
        page, _, part = (page_at(place_of(target), root, pages) or "").partition("#")
        if not page:
            return None
        anchor = part or target.partition("#")[2]
        return posixpath.relpath(page, posixpath.dirname(own) or ".") + (f"#{anchor}" if anchor else "")

    def change(found: re.Match[str]) -> str:
        if found["code"]:
            return found[0]
        there, place = moved(found["to"]), place_of(found["to"])
        if there is None and not found["image"] and (root / place).exists():
            return _as_text(found["text"], place)
        return f"{found['image']}[{found['text']}]({there or found['to']})"

    lines: list[str] = []
    fence = ""
    for line in reindented(text.split("\n")):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and line.strip() == fence:
            fence = ""
        elif not fence:
            line = _REFERENCE.sub(lambda found: found[1] + (moved(found[2]) or found[2]), line)
            line = _LINK.sub(change, line)
        lines.append(line)
    return "\n".join(lines)


def _as_text(text: str, place: str) -> str:
    if text.strip("`") == place or place.endswith(f"/{text.strip('`')}"):
        return f"`{place}`"
    return f"{text} (`{place}`)"
