"""The rules of tests/ that no tool checks."""

from __future__ import annotations

import ast
import re
from collections import Counter

import pytest

from tests.conftest import ROOT

MODULES = sorted((ROOT / "tests").rglob("test_*.py"))


def imported(text: str) -> set[str]:
    """Return the last word of each module, and each name, that a text imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[-1] for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {a.name for a in node.names} | {(node.module or "").split(".")[-1]}
    return found


@pytest.mark.parametrize(
    "text", ["from tests.a.test_x import y", "import tests.test_x", "def f():\n    from tests.a import test_x as t"]
)
def test_an_import_of_a_test_module_is_seen(text):
    assert imported(text) & {"test_x"}


def test_no_test_module_imports_another():
    names = {p.stem for p in MODULES}
    helpers = [p for p in (ROOT / "tests").rglob("*.py") if "fixtures" not in p.parts]
    found = {str(p.relative_to(ROOT)): imported(p.read_text()) & names for p in helpers}
    assert {p: n for p, n in found.items() if n} == {}, "move it to tests/builders.py or to a helper module"


def test_names_of_test_modules_are_unique():
    """Folders of tests are no packages: pytest knows a module by its last name."""
    assert [n for n, k in Counter(p.name for p in MODULES).items() if k > 1] == []


def test_names_of_tests_have_at_most_60_characters():
    names = re.findall(r"(?m)^ *(?:async )?def (test_\w+)", "\n".join(p.read_text() for p in MODULES))
    assert len(names) > 800
    assert [n for n in names if len(n) > 60] == [], "say the rest in a docstring"
