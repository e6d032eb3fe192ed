"""docs/faults.md: every exit code and every fault is on it, and every test that it names exists and cites its fault."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections import defaultdict

import pytest

import sei
from sei import errors, exits
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
CODES, FAULTS = TEXT.split("\n## Faults\n")
LAST = 42
_NUMBER = re.compile(r"\bF(\d{1,2})\b")


def sections(text: str, head: str) -> dict[str, str]:
    """Return the text below every heading of the third level that matches, by what it matches."""
    parts = re.split(rf"^### ({head}):.*$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def named_in(text: str) -> list[str]:
    return re.findall(r"`(tests/[\w/]+\.py::\w+)`", text)


def kinds_of_error() -> set[type[errors.SeiError]]:
    """Return all errors of sei with the exit codes that their classes have."""
    for info in pkgutil.walk_packages(sei.__path__, "sei."):
        if not info.name.endswith("__main__") and "prompts" not in info.name:
            importlib.import_module(info.name)
    found, queue = set(), [errors.SeiError]
    while queue:
        cls = queue.pop()
        found.add(cls)
        queue += cls.__subclasses__()
    return {c for c in found if c.__module__.startswith("sei.")}


def said_in_source() -> set[int]:
    """Return the exit codes that code gives to a stop by itself (``StoppedError``, ``Stop``)."""
    found = set()
    for path in (ROOT / "sei").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Stop", "StoppedError"):
                given = [*node.args[1:], *(k.value for k in node.keywords if k.arg == "exit_code")]
                found |= {a.value for a in given if isinstance(a, ast.Constant) and isinstance(a.value, int)}
    return found


def test_every_exit_code_is_on_the_page():
    known = {0, exits.INTERRUPTED, exits.TERMINATED, *(c.exit_code for c in kinds_of_error()), *said_in_source()}
    assert said_in_source() == {2, 75}
    assert {int(n) for n in re.findall(r"^\| (\d+) \|", CODES, re.MULTILINE)} == known
    told = sections(CODES, r"\d+(?: and \d+)?")
    assert {int(n) for head in told for n in head.split(" and ")} == known
    for head, text in told.items():
        wanted = () if head == "0" else ("**Cause.**", "**What is kept.**", "**What to do.**")
        assert all(w in text for w in wanted), head


SHOWN = sections(FAULTS, r"F\d+")


def test_every_fault_is_on_the_page_with_a_test_or_without():
    assert list(SHOWN) == [f"F{n}" for n in range(1, LAST + 1)]
    for number, text in SHOWN.items():
        assert "What `sei` does:" in text, number
        assert named_in(text) or "No test" in text, number


def cited() -> dict[str, dict[str, set[str]]]:
    """Return the faults that each test cites, in its decorators, its docstring or anywhere in it, by file and name."""
    found: dict[str, dict[str, set[str]]] = defaultdict(dict)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                start = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                lines = text.splitlines()[start - 1 : node.end_lineno]
                numbers = {f"F{n}" for n in _NUMBER.findall("\n".join(lines)) if 1 <= int(n) <= LAST}
                found[path.relative_to(ROOT).as_posix()][node.name] = numbers
    return found


CITED = cited()


@pytest.mark.parametrize("number", SHOWN)
def test_tests_that_the_page_names_exist_and_cite_the_fault(number):
    for name in named_in(SHOWN[number]):
        file, test = name.split("::")
        assert test in CITED.get(file, {}), name
        assert number in CITED[file][test], f"{name} does not cite {number}"


def test_tests_that_cite_a_fault_are_on_the_page():
    here = "tests/test_faults_page.py"
    missing = [
        f"{number}: {file}::{test}"
        for file, tests in CITED.items()
        for test, numbers in tests.items()
        for number in sorted(numbers)
        if file != here and f"{file}::{test}" not in named_in(SHOWN[number])
    ]
    assert missing == []
