"""Reads a run folder in which any file may be missing or damaged; such files are noted, the others are used."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sei.errors import DataError
from sei.rows import read_jsonl

FAILURE = "failure.json"  # why a run ended early; deleted when the run is done
_MOST = 6000  # characters of one text on the page


@dataclass(frozen=True, kw_only=True)
class Files:
    """A run folder. ``notes``: what could not be read, for the reader of the page."""

    home: Path
    notes: list[str] = field(default_factory=list)

    def json(self, name: str, *, expected: bool = True) -> Any:
        """Return the content of a JSON file, or ``None`` if it cannot be read."""
        text = self.text(name, expected=expected)
        try:
            return None if text is None else json.loads(text)
        except ValueError as e:
            self.notes.append(f"{name} is damaged ({e})")
            return None

    def yaml(self, name: str) -> Any:
        """Return the content of a YAML file, or ``None`` if it cannot be read."""
        text = self.text(name, expected=False)
        try:
            return None if text is None else yaml.safe_load(text)
        except yaml.YAMLError:
            self.notes.append(f"{name} is damaged")
            return None

    def rows(self, name: str, *fields: str) -> list[dict[str, Any]]:
        """Return the rows of a JSONL file up to the first damaged one; none if it is missing."""
        out: list[dict[str, Any]] = []
        if not (self.home / name).is_file():
            self.notes.append(f"{name} is not in the run folder")
            return out
        try:
            out.extend(row for _, row in read_jsonl(self.home / name, fields))
        except (DataError, OSError) as e:
            self.notes.append(str(e))
        return out

    def text(self, name: str, *, expected: bool = True) -> str | None:
        """Return the text of a file, or ``None`` if it cannot be read."""
        try:
            return (self.home / name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            if expected:
                self.notes.append(f"{name} is not in the run folder")
        except OSError as e:
            self.notes.append(f"{name}: {e.strerror}")
        return None


def cut(text: Any) -> str:
    """Return a text for the page; a very long one is cut, with a note."""
    whole = str(text or "")
    return whole if len(whole) <= _MOST else f"{whole[:_MOST]} … (cut here; {len(whole)} characters in the run folder)"
