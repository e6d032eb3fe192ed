"""Checks the Markdown files of the repository: ``python -m tests.markdown [FILES]``, by default all of them.

A line has at most 120 characters. A line of prose holds at most one sentence; tables, headings and code are exempt.
Headings, lists, tables and code blocks stand between blank lines. A code block is closed. A link to a file of the
repository, or to a heading, leads somewhere. The exit code is 1 if any file breaks a rule.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 120
ABBREVIATIONS = (
    "e.g",
    "E.g",
    "i.e",
    "I.e",
    "et al",
    "vs",
    "cf",
    "approx",
    "resp",
    "Fig",
    "Eq",
    "Sec",
    "No",
    "Dr",
    "St",
    "pp",
    "vol",
)

_FENCE = re.compile(r"^ *(`{3,}|~{3,})(.*)$")
_HEADING = re.compile(r"^#{1,6} ")
_ITEM = re.compile(r"^( *)([-*+]|\d+[.)]) +")
_ADMONITION = re.compile(r"^ *(!!!|\?\?\?\+?|===) ")
_TABLE = re.compile(r"^ *\|")
_LEAD = re.compile(r"^\*\*[^*]+[.:]\*\* +")  # a heading in a line, such as "**Question.** ..."
_CODE_SPAN = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")
_LINK = re.compile(r"\]\(<?([^)<>\s]+)>?(?: +\"[^\"]*\")?\)")
_REFERENCE = re.compile(r"^ *\[[^\]]+\]: +(\S+)")
_SOURCE = re.compile(r"""\b(?:src|href)=["']([^"']+)["']""")
_ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:|^//", re.IGNORECASE)
# an end of a sentence, what closes behind it, a blank, and what a sentence begins with
_END = re.compile(r"(?<![.?!])[.?!][\"')\]*_”]* +(?=[\"'(\[*_“!]*(?:[^\W\d_a-zß-öø-ÿ]|\d|\x00|sei\b))")
_NO_END = re.compile(rf"(?:^|[\s(\[\"'*_])(?:{'|'.join(map(re.escape, ABBREVIATIONS))}|[A-Z])$")


@dataclass(frozen=True)
class Line:
    """A line of a file: its number from 1, what it is, and its text."""

    number: int
    kind: str  # blank, heading, item, text, table, admonition, fence (opens), code, end (closes), hidden
    text: str


def lines_of(text: str) -> list[Line]:
    """Say of every line what it is. A code block that is never closed has no ``end``."""
    found: list[Line] = []
    fence, comment, inside = "", False, False
    rows = text.splitlines()
    front = rows.index("---", 1) if rows[:1] == ["---"] and "---" in rows[1:] else -1
    for number, row in enumerate(rows, 1):
        mark = _FENCE.match(row)
        if number - 1 <= front:
            kind = "hidden"
        elif fence:
            closes = mark and mark[1].startswith(fence) and not mark[2].strip()
            kind, fence = ("end", "") if closes else ("code", fence)
        elif comment or row.lstrip().startswith("<!--"):
            kind, comment = "hidden", "-->" not in row
        elif mark:
            kind, fence = "fence", mark[1]
        elif not row.strip():
            kind = "blank"
        elif _ITEM.match(row):
            kind, inside = "item", True
        elif _ADMONITION.match(row):
            kind, inside = "admonition", True
        elif not row.startswith(" "):
            inside = False
            kind = "heading" if _HEADING.match(row) else "table" if _TABLE.match(row) else "text"
        elif row.startswith("    ") and not inside:
            kind = "code"
        else:
            kind = "table" if _TABLE.match(row) else "text"
        found.append(Line(number, kind, row))
    return found


def sentences(line: str) -> int:
    """Count the sentences that a line of prose holds, the unfinished ones included."""
    plain = _LEAD.sub("", _CODE_SPAN.sub("\x00", _ITEM.sub("", line.lstrip("> "), count=1)))
    plain = _LINK.sub("]", plain)
    ends = [m.start() for m in _END.finditer(plain)]
    return 1 + sum(1 for at in ends if plain[at] != "." or not _abbreviated(plain, at))


def _abbreviated(text: str, at: int) -> bool:
    return text[:at].endswith("..") or bool(_NO_END.search(text[:at]))


def breaches(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number of each line that breaks a rule, and which rule."""
    lines = lines_of(path.read_text(encoding="utf-8"))
    opened = 0
    for line in lines:
        if len(line.text) > WIDTH:
            yield line.number, f"{len(line.text)} characters, more than {WIDTH}"
        if line.kind in ("text", "item") and (count := sentences(line.text)) > 1:
            yield line.number, f"{count} sentences in one line"
        opened = line.number if line.kind == "fence" else 0 if line.kind == "end" else opened
        if line.kind not in ("code", "fence", "end", "hidden"):
            yield from ((line.number, why) for why in _lost(path, line.text))
    if opened:
        yield opened, "a code block that is not closed"
    yield from _crowded(lines)


def _crowded(lines: list[Line]) -> Iterator[tuple[int, str]]:
    """Yield the lines that need a blank line before them."""
    within = False  # a list
    for before, line in pairwise(lines):
        within = before.kind == "item" or (within and (before.kind != "text" or before.text.startswith(" ")))
        if "blank" in (before.kind, line.kind) or "hidden" in (before.kind, line.kind):
            continue
        if "heading" in (before.kind, line.kind):
            yield line.number, "no blank line between a heading and its neighbour"
        elif line.kind == "fence" or before.kind == "end":
            yield line.number, "no blank line between a code block and its neighbour"
        elif (line.kind == "table") != (before.kind == "table"):
            yield line.number, "no blank line between a table and its neighbour"
        elif line.kind == "item" and before.kind == "text" and not within:
            yield line.number, "no blank line before a list"
        elif line.kind == "text" and before.kind in ("item", "text") and within and not line.text.startswith(" "):
            yield line.number, "no blank line after a list"


def _lost(path: Path, text: str) -> Iterator[str]:
    plain = _CODE_SPAN.sub("", text)
    for target in (*_LINK.findall(plain), *_REFERENCE.findall(plain), *_SOURCE.findall(plain)):
        if _ELSEWHERE.match(target):
            continue
        name, _, anchor = target.partition("#")
        place = (path.parent / name).resolve() if name else path.resolve()
        if not place.exists():
            yield f"a link to {target}, which is not there"
        elif anchor and place.suffix == ".md" and anchor not in anchors(place.read_text(encoding="utf-8")):
            yield f"a link to {target}, which has no such heading"


def anchors(text: str) -> set[str]:
    """Return what a link may say after ``#`` to lead to a heading of a text, by GitHub or by mkdocs."""
    found: set[str] = set()
    for line in lines_of(text):
        if line.kind == "heading":
            words = re.sub(r"[^\w\s-]", "", _LINK.sub("]", line.text.lstrip("# "))).strip().lower()
            found |= {words.replace(" ", "-"), re.sub(r"[-\s]+", "-", words)}
        found |= set(re.findall(r"\{ *#([\w-]+)", line.text)) | set(re.findall(r'\bid="([\w-]+)"', line.text))
    return found


def files() -> list[Path]:
    """Return the Markdown files of the repository: those that git holds, and new ones that it does not ignore."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in sorted(set(names)) if name and (ROOT / name).is_file()]


def main(arguments: list[str]) -> int:
    """Print what is wrong, a line each; return the exit code."""
    found = [
        f"{path}:{number}: {why}" for path in map(Path, arguments or files()) for number, why in sorted(breaches(path))
    ]
    print("\n".join(found) or "Markdown: all is well")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
