"""Lists as GitHub reads them, written as the site needs them: what belongs to an item is indented by four."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^ *(`{3,}|~{3,})")
_ITEM = re.compile(r"^ {0,3}(?:[-*+]|\d+[.)]) +(?=\S)")
_WIDTH = 4


def reindented(lines: list[str]) -> list[str]:
    """Return lines of Markdown with the bodies of list items indented by four, and an empty line before each list."""
    out: list[str] = []
    at, in_list = 0, False
    while at < len(lines):
        line = lines[at]
        item = _ITEM.match(line)
        if fence := _FENCE.match(line):
            end = _end_of_fence(lines, at, fence[1])
            out += lines[at:end]
            at, in_list = end, False
        elif item:
            if out and out[-1].strip() and not in_list:
                out.append("")
            end = _end_of_item(lines, at, len(item[0]))
            body = [row[len(item[0]) :] if row[: len(item[0])].isspace() else row for row in lines[at + 1 : end]]
            out.append(line.lstrip())
            out += [" " * _WIDTH + row if row.strip() else "" for row in reindented(body)]
            at, in_list = end, True
        else:
            out.append(line)
            at, in_list = at + 1, in_list and not line.strip()
    return out


def _end_of_fence(lines: list[str], start: int, mark: str) -> int:
    closing = (i for i in range(start + 1, len(lines)) if lines[i].strip() == mark)
    return next(closing, len(lines) - 1) + 1


def _end_of_item(lines: list[str], start: int, width: int) -> int:
    """Return the line after an item: what is indented belongs to it, and text that follows without an empty line."""
    end = at = start + 1
    while at < len(lines):
        line = lines[at]
        if line.strip():
            lazy = bool(lines[at - 1].strip()) and not _ITEM.match(line) and not _FENCE.match(line)
            if not (line[:width].isspace() or lazy):
                break
            end = at + 1
        at += 1
    return end
