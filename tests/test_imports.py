"""The user's own packages: found in the current folder, after installed ones, and never older than their file."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sei.build import build
from sei.errors import ConfigError
from sei.imports import forget_changed, module_command
from sei.store import digest
from tests.conftest import ROOT

CLUSTERER = """
from typing import ClassVar
from sei.parts import part
from sei.ports import Grouping

@part
class Mine:
    version: ClassVar[int] = 1

    def group(self, phrases, vectors, seed):
        return Grouping(labels=tuple(i % {types} for i in range(len(vectors))))
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [n for n in sys.modules if n.startswith("here_")]:
        del sys.modules[name]


def built(package: str):
    return build({"_target_": f"{package}.Mine"}, "clusterer", (package,))


def types_of(clusterer) -> int:
    return len(set(clusterer.group("abcdefgh", range(8), 0).labels))


def write(path: Path, types: int) -> None:
    path.write_text(CLUSTERER.format(types=types))
    os.utime(path, (time.time() + types, time.time() + types))  # Python's bytecode cache has a resolution of seconds


def test_a_package_of_the_current_folder_is_found(here):
    write(here / "here_found.py", 2)
    assert types_of(built("here_found")) == 2
    assert sys.path[-1] == str(here), "behind what is installed"


def test_a_package_that_is_nowhere_is_named_with_where_to_put_it(here):
    with pytest.raises(ConfigError, match=r"here_none.py or a folder here_none in the current folder, or .* installed"):
        built("here_none")


def test_an_installed_package_of_the_same_name_is_named(here):
    """``yaml.py`` in the current folder does not replace an installed package; the message says which one is used."""
    write(here / "yaml.py", 2)
    with pytest.raises(ConfigError, match=r"check the path of the class; yaml is .*site-packages.yaml"):
        built("yaml")


def test_a_source_is_what_it_was_when_it_was_imported(here):
    """An edit during a run changes no key, since the old code still runs; the next run in the process uses the edit."""
    write(here / "here_edited.py", 2)
    first = built("here_edited")
    key = digest(first)
    write(here / "here_edited.py", 3)
    assert digest(first) == key
    assert types_of(built("here_edited")) == 2
    assert forget_changed(["here_edited", "sei", "here_never"]) == ["here_edited"]
    second = built("here_edited")
    assert types_of(second) == 3
    assert digest(second) != key
    assert forget_changed(["here_edited"]) == []


def test_what_a_notebook_imported_and_edited_is_imported_anew(here):
    """The file's content when the notebook imported it is unknown."""
    write(here / "here_own.py", 2)
    sys.path.append(str(here))
    import here_own

    write(here / "here_own.py", 4)
    assert forget_changed(["here_own"]) == ["here_own"]
    assert types_of(built("here_own")) == 4
    assert types_of(here_own.Mine()) == 2


def test_a_process_of_ours_takes_no_users_file_for_a_library(here):
    """``python -m`` puts the current folder first, so a file there with a library's name would be run."""
    (here / "filelock.py").write_text("raise SystemExit('a file of the user')")
    done = subprocess.run(
        module_command("sei.sweep"),
        input="",
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert "a file of the user" not in done.stderr
    assert "JSONDecodeError" in done.stderr  # it got as far as reading its job


def test_sei_is_found_where_it_lies_in_the_current_folder(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert "-P" not in module_command("sei.sweep")
