"""YAML files with their comments: what the configuration pages are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

GLOBAL = "@package _global_"


@dataclass(frozen=True)
class Key:
    """One key of a file. ``value`` is as written (empty for a mapping), ``node_class`` the ``_target_`` beside it."""

    path: tuple[str, ...]
    value: str
    comment: str
    node_class: str

    @property
    def name(self) -> str:
        """Return the dotted name inside the file."""
        return ".".join(self.path)


@dataclass(frozen=True)
class Default:
    """One entry of a defaults list, such as ``override /clusterer: none``, with its comment."""

    entry: str
    option: str
    comment: str

    @property
    def group(self) -> str:
        """Return the group that the entry chooses from; empty for ``_self_`` and for another file of the own group."""
        return self.entry.removeprefix("override ").partition("@")[0].lstrip("/") if self.option else ""

    @property
    def mount(self) -> tuple[str, ...]:
        """Return the place in the file where another option is put in: ``("inner",)`` of ``/clusterer@inner: ward``."""
        _, at, place = self.entry.partition("@")
        return tuple(place.split(".")) if at else ()


class CommentedFile:
    """One YAML file: its heading, its defaults list and its keys, each with a comment."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self.text = path.read_text(encoding="utf-8")
        self.lines = self.text.split("\n")

    @property
    def group(self) -> str:
        """Return the group that this is an option of; empty for ``config``."""
        return self.name.rpartition("/")[0]

    @property
    def option(self) -> str:
        """Return the name of the option inside its group."""
        return self.name.rpartition("/")[2]

    @property
    def is_global(self) -> bool:
        """Say whether the keys stand at the top of the config, and not under the name of the group."""
        return GLOBAL in self.lines[0] or not self.group

    @property
    def package(self) -> tuple[str, ...]:
        """Return the keys above those of this file in the composed config."""
        return () if self.is_global else tuple(self.group.split("/"))

    @cached_property
    def heading(self) -> list[str]:
        """Return the lines of the comment that the file begins with."""
        found = []
        for line in self.lines:
            if not line.startswith("#"):
                break
            if GLOBAL not in line:
                found.append(line.removeprefix("#").removeprefix(" ").rstrip())
        return found

    @cached_property
    def _root(self) -> list[tuple[yaml.Node, yaml.Node]]:
        root = yaml.compose(self.text)
        return list(root.value) if isinstance(root, yaml.MappingNode) else []

    @cached_property
    def defaults(self) -> list[Default]:
        """Return the entries of the defaults list, in order."""
        found = []
        for key, value in self._root:
            for item in value.value if key.value == "defaults" else ():
                comment = self._comment_on(item.start_mark.line)
                if isinstance(item, yaml.MappingNode):
                    (entry, option), *_ = item.value
                    found.append(Default(entry.value, option.value, comment))
                else:
                    found.append(Default(item.value, "", comment))
        return found

    @cached_property
    def keys(self) -> list[Key]:
        """Return every key of the file but those of the defaults list; a collection in braces is one value."""
        return list(self._keys([(k, v) for k, v in self._root if k.value != "defaults"], ()))

    def _keys(self, entries: list[Any], above: tuple[str, ...]) -> Iterator[Key]:
        target = next((v.value for k, v in entries if k.value == "_target_"), "")
        for key, value in entries:
            path = (*above, key.value)
            nested = isinstance(value, yaml.MappingNode) and not value.flow_style
            written = "" if nested else self._written(value)
            yield Key(path, written, self._comment(key, value, nested), target)
            if nested:
                yield from self._keys(value.value, path)

    def _written(self, value: yaml.Node) -> str:
        if getattr(value, "style", None) == "|":
            return str(value.value).strip("\n")
        text = self.text[value.start_mark.index : value.end_mark.index]
        return " ".join(line.strip() for line in text.splitlines())

    def _comment(self, key: yaml.Node, value: yaml.Node, nested: bool) -> str:
        """Return the lines above a key, up to an empty one, and what stands behind it and its value."""
        first = key.start_mark.line
        above = []
        for number in range(first - 1, self._heading_length - 1, -1):
            line = self.lines[number].strip()
            if not line.startswith("#"):
                break
            above.insert(0, line.lstrip("# "))
        last = first if nested or getattr(value, "style", None) == "|" else value.end_mark.line
        behind = [self._comment_on(n) for n in range(first, max(first, last) + 1)]
        return " ".join(filter(None, [*above, *behind]))

    @cached_property
    def _heading_length(self) -> int:
        """Return how many lines the heading has, which belongs to no key."""
        return next((i for i, line in enumerate(self.lines) if not line.startswith("#")), len(self.lines))

    @cached_property
    def _inside(self) -> list[tuple[int, int]]:
        """Return where scalars begin and end: a hash sign inside one begins no comment."""
        tokens = yaml.scan(self.text)
        return [(t.start_mark.index, t.end_mark.index) for t in tokens if isinstance(t, yaml.ScalarToken)]

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line) + 1)
        return starts

    def _comment_on(self, number: int) -> str:
        """Return the comment behind what stands on a line."""
        line, start = self.lines[number], self._starts[number]
        if line.strip().startswith("#"):
            return ""
        for at, sign in enumerate(line):
            place = start + at
            if sign == "#" and line[at - 1].isspace() and not any(a <= place < b for a, b in self._inside):
                return line[at:].lstrip("# ").strip()
        return ""


def read_conf(folder: Path) -> dict[str, CommentedFile]:
    """Return the files of a configuration by name: ``config``, ``clusterer/ward``, ``benchmarks/set/aqua``."""
    paths = sorted(
        p for p in folder.rglob("*.yaml") if p.relative_to(folder).parts[0] != "hydra"
    )  # Hydra's own settings
    names = {p: p.relative_to(folder).with_suffix("").as_posix() for p in paths}
    return {name: CommentedFile(path, name) for path, name in names.items()}
