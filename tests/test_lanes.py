"""The quick lane leaves out what starts processes and runs, and touches every package all the same."""

from __future__ import annotations

import pytest

from tests import lanes
from tests.conftest import ROOT

MODULE = """
import subprocess
from http.server import HTTPServer
from pathlib import Path as Place

import pytest
from tests.compose import SHORT, composed


def start(command):
    return subprocess.run(command)


@pytest.fixture
def server():
    return HTTPServer


@pytest.fixture
def folder(server):
    return server


def test_plain(tmp_path):
    assert Place(tmp_path).exists()


def test_with_a_process():
    subprocess.run("true")


def test_with_a_helper():
    start("true")


def test_with_a_fixture_of_a_fixture(folder):
    pass


def test_with_a_fixture_of_all_tests(sei):
    pass


def test_with_a_helper_of_another_module():
    composed()


def test_with_an_import_of_its_own():
    from sei.__main__ import main

    main()


@pytest.mark.long
def test_marked(tmp_path):
    pass


@pytest.mark.parametrize("word", SHORT)
def test_with_words_of_another_module(word):
    pass
"""


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "test_made_up.py"
    path.write_text(MODULE)
    return path


def test_what_starts_a_process_or_a_run_is_not_quick(module):
    assert lanes.quick(module) == {"test_plain", "test_with_words_of_another_module"}


def test_a_mark_of_the_module_holds_for_all_its_tests(module):
    module.write_text(f"{MODULE}\npytestmark = pytest.mark.slow\n")
    assert lanes.quick(module) == set()


def test_the_quick_lane_touches_every_package():
    modules = sorted(lanes.TESTS.rglob("test_*.py"))
    names = set().union(*(lanes.reached(path, name) for path in modules for name in lanes.quick(path)))
    touched = {name.split(".")[1] for name in names if name.startswith("sei.")}
    packages = {path.parent.name for path in (ROOT / "sei").glob("*/__init__.py")}
    assert len(packages) > 15
    assert {*packages, "build", "contracts", "parts", "records", "statistics"} - touched == set()
