"""What each key of conf/ means: its own comment, or the one place where the meaning is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from commented import CommentedFile, Default, Key

_REFERENCE = re.compile(r"^\$\{([\w.]+)\}$")
CLASS = "class that is built"


@dataclass(frozen=True)
class Meaning:
    """What a key means; ``here`` is what its own file adds to a meaning that is written elsewhere."""

    text: str
    here: str = ""


class Meanings:
    """Finds the meaning of every key of a configuration."""

    def __init__(self, conf: dict[str, CommentedFile]) -> None:
        self.conf = conf
        self.config = conf["config"]
        self.groups = sorted({f.group for f in conf.values()} - {""})
        self.usual = {d.group: d for d in self.config.defaults if d.group}

    def of(self, file: CommentedFile, key: Key) -> Meaning | None:
        """Return what a key of a file means; nothing where it is written nowhere."""
        if key.path[-1] == "_target_":
            return Meaning(CLASS)
        overrides = file.is_global and file.group
        elsewhere = self._elsewhere(file, key)
        if key.comment and not (overrides and elsewhere):
            return Meaning(key.comment)
        return Meaning(elsewhere, key.comment) if elsewhere else None

    def parents(self, file: CommentedFile) -> Iterator[CommentedFile]:
        """Yield the options of the same group that a file starts from, the nearest first."""
        for d in file.defaults:
            if not d.option and d.entry != "_self_":
                parent = self.conf[f"{file.group}/{d.entry}"]
                yield parent
                yield from self.parents(parent)

    def mounted(self, file: CommentedFile) -> Iterator[tuple[tuple[str, ...], CommentedFile]]:
        """Yield the options that a file puts inside itself, each with its place."""
        for d in file.defaults:
            if d.mount:
                name = self._group_of(file, d)
                yield d.mount, self.conf[f"{name}/{d.option}"]

    def choices(self, file: CommentedFile) -> dict[str, str]:
        """Return the option of each group that a file is composed with."""
        found = {g: d.option for g, d in self.usual.items()}
        for f in (*reversed(list(self.parents(file))), file):
            found |= {d.group: d.option for d in f.defaults if d.entry.startswith("override ")}
        return found

    def _group_of(self, file: CommentedFile, d: Default) -> str:
        """Return the group of a defaults entry: from the top where it begins with a slash, else inside the file's."""
        return d.group if "/" in d.entry.removeprefix("override ")[:1] else f"{file.group}/{d.group}"

    def _elsewhere(self, file: CommentedFile, key: Key) -> str:
        """Return a meaning that is not beside the key: of what it refers to, what it overrides, or its class."""
        choices = self.choices(file)
        if found := self._referred(key.value, choices):
            return found
        if not file.is_global and (found := self._inherited(file, key.path, choices)):
            return found
        if file.group and (found := self._composed((*file.package, *key.path), choices, file)):
            return found
        return self._of_class(file, key)

    def _referred(self, value: str, choices: dict[str, str]) -> str:
        reference = _REFERENCE.match(value)
        return self._composed(tuple(reference[1].split(".")), choices, None) if reference else ""

    def _inherited(self, file: CommentedFile, path: tuple[str, ...], choices: dict[str, str]) -> str:
        """Return what the options say that a file starts from, or holds inside itself."""
        for parent in self.parents(file):
            if found := self._in_file(parent, path, choices):
                return found
        for place, inner in self.mounted(file):
            if path[: len(place)] == place and (found := self._in_file(inner, path[len(place) :], choices)):
                return found
        return ""

    def _composed(self, path: tuple[str, ...], choices: dict[str, str], without: CommentedFile | None) -> str:
        """Return the meaning of a place in the composed config, as any file but ``without`` gives it."""
        if path[:2] == ("ablation", "sets"):
            path = tuple(path[2].split(".")) if len(path) > 2 else path
        if len(path) == 1 and path[0] in self.usual:
            return self.usual[path[0]].comment
        if self.config is not without and (found := self._in_file(self.config, path, choices)):
            return found
        for group, option in choices.items():
            file = self.conf.get(f"{group}/{option}")
            if file is None or file is without or path[: len(file.package)] != file.package:
                continue
            if found := self._in_file(file, path[len(file.package) :], choices):
                return found
        return ""

    def _in_file(self, file: CommentedFile, path: tuple[str, ...], choices: dict[str, str]) -> str:
        """Return what a file says of a path, itself or by what it refers to."""
        if not path:
            return file.heading[0] if file.heading else ""
        for key in file.keys:
            if key.path == path:
                if key.comment:
                    return key.comment
                if found := self._referred(key.value, choices) or self._of_class(file, key):
                    return found
            reference = _REFERENCE.match(key.value)
            if reference and path[: len(key.path)] == key.path != path:
                return self._composed((*reference[1].split("."), *path[len(key.path) :]), choices, None)
        return self._inherited(file, path, choices)

    def _of_class(self, file: CommentedFile, key: Key) -> str:
        """Return the comment on the same key of the same class; the usual option of the group is asked first."""
        usual = self.usual[file.group].option if file.group in self.usual else ""
        order = sorted(
            self.conf.values(), key=lambda f: (f.group != file.group, f.option != usual, f.is_global, f.name)
        )
        wanted = (self.class_of(file, key), key.path[-1])
        for other in order if wanted[0] else ():
            for k in other.keys:
                if k.comment and (k.node_class, k.path[-1]) == wanted:
                    return k.comment
        return ""

    def class_of(self, file: CommentedFile, key: Key) -> str:
        """Return the class that takes a key, be it named in the file or in one that it starts from."""
        if key.node_class:
            return key.node_class
        same = (k for f in self.parents(file) for k in f.keys if k.path[:-1] == key.path[:-1] and k.node_class)
        return next((k.node_class for k in same), "")


def undocumented(conf: dict[str, CommentedFile]) -> list[str]:
    """Return the files without a heading and the keys without a meaning."""
    meanings = Meanings(conf)
    bare = [f"{f.name}: no heading" for f in conf.values() if not f.heading]
    return bare + [f"{f.name}: {k.name}" for f in conf.values() for k in f.keys if meanings.of(f, k) is None]
