"""Rules for tests/ that no tool checks."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import ROOT

MODULES = sorted((ROOT / "tests").rglob("test_*.py"))


def imported(text: str) -> set[str]:
    """Return the last word of each imported module, and each imported name, in a text."""
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
    """Folders of tests are not packages, so pytest identifies a module by its last name."""
    assert [n for n, k in Counter(p.name for p in MODULES).items() if k > 1] == []


def test_names_of_tests_have_at_most_60_characters():
    names = re.findall(r"(?m)^ *(?:async )?def (test_\w+)", "\n".join(p.read_text() for p in MODULES))
    assert len(names) > 800
    assert [n for n in names if len(n) > 60] == [], "say the rest in a docstring"


def test_real_data_are_looked_for_in_one_place_alone():
    """Only tests/real_data.py reads ``SEI_DATA`` and ``SEI_CASES``; it has the default places as well."""
    texts = {p.name: p.read_text() for p in (ROOT / "tests").rglob("*.py") if p.name != "real_data.py"}
    asks = re.compile(r'ROOT\.parent|environ\S*"SEI_(DATA|CASES)"(?!, None)')
    assert [name for name, text in texts.items() if asks.search(text) and name != Path(__file__).name] == []


def test_a_variable_wins_over_the_usual_place_of_real_data(tmp_path):
    """In a new process, since the variables are read once."""
    said = "from tests.real_data import DATA, why_not; print(DATA, why_not('SEI_DATA'), why_not('SEI_CASES'), sep='|')"
    env = {**os.environ, "SEI_DATA": str(tmp_path), "SEI_CASES": str(tmp_path / "no"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", said], env=env, capture_output=True, text=True, check=True)
    reason = f"real data are not at {tmp_path / 'no'}: set SEI_CASES to the folder that holds them"
    assert done.stdout == f"{tmp_path}||{reason}\n"
