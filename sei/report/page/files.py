"""Reads a run folder in which any file may be missing or damaged; such files are noted, the others are used."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from sei.errors import DataError
from sei.rows import read_jsonl

FAILURE = "failure.json"  # why a run ended early; deleted when the run is done
_MOST = 6000  # characters of one text on the page
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same values, eight times as fast where it is built in
Made = TypeVar("Made")
State = tuple[tuple[int, int] | None, ...]
Known = dict[str, tuple[State, Any, list[str]]]
"""What was made of files that have not changed since: by name, with the state of the files and the notes on them."""


def parsed(text: str) -> Any:
    """Return the plain values of a YAML text.

    Raises:
        yaml.YAMLError: if it is none.
    """
    return yaml.load(text, Loader=_LOADER)  # noqa: S506  # both are safe loaders


@dataclass(frozen=True, kw_only=True)
class Files:
    """A run folder. ``notes``: what could not be read, for the reader of the page.

    ``known``: what earlier pages of the same run made of its files.
    """

    home: Path
    notes: list[str] = field(default_factory=list)
    known: Known = field(default_factory=dict)

    def once(self, what: str, names: Sequence[str], make: Callable[[], Made]) -> Made:
        """Return what ``make`` makes of some files; it is made again only if one of the files has changed.

        The caller must not change it.
        """
        state = tuple(map(self._state, names))
        if what not in self.known or self.known[what][0] != state:
            before = len(self.notes)
            made = make()
            self.known[what] = (state, made, self.notes[before:])
            return made
        _, held, notes = self.known[what]
        self.notes.extend(notes)
        return held  # type: ignore[no-any-return]

    def _state(self, name: str) -> tuple[int, int] | None:
        try:
            found = (self.home / name).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

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
            return None if text is None else parsed(text)
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
