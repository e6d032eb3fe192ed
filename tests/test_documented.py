"""Code in the documents runs as shown: your own parts, pasted from the README, and the notebook."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compose import SHORT
from tests.conftest import ROOT

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PLACE = re.compile(r"# (\S+\.\w+)\n")


def pasted(text: str, home: Path) -> list[list[str]]:
    """Write the code blocks that name their file in the first line; return the commands of the others."""
    commands = []
    for language, body in _BLOCK.findall(text):
        place = _PLACE.match(body)
        if place:
            path = home / place[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body)
        elif not language:
            commands += [shlex.split(line)[1:] for line in body.splitlines() if line.startswith("sei ")]
    return commands


def as_installed(*args: str, cwd: Path, store: Path) -> subprocess.CompletedProcess[str]:
    """Run the program as its console script does: Python does not search the current folder first."""
    env = {**os.environ, "SEI_STORE": str(store), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-c", "from sei.__main__ import main; main()", *args]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=400)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("pasted")


@pytest.fixture(scope="module")
def commands(folder) -> list[list[str]]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text[text.index("## Adding a part") : text.index("## Where things are")]
    assert "```python\n@part" not in section, "a class without its imports does not run"
    return pasted(section, folder)


@pytest.mark.parametrize("number", [0, 1])
def test_a_part_pasted_from_the_readme_runs(commands, folder, number):
    assert len(commands) == 2
    done = as_installed(*commands[number], *SHORT, cwd=folder, store=folder / "store")
    assert done.returncode == 0, done.stderr[-2000:]
    run = max((folder / "outputs" / "smoke").iterdir(), key=lambda p: p.stat().st_mtime)
    (one,) = json.loads((run / "summary.json").read_text())["rounds"]
    assert len(one["error_types"]) == 2 if number == 0 else one["refined"] < one["synthesized"]


@pytest.mark.slow
def test_a_sweep_finds_parts_of_ones_own_and_no_false_library(commands, folder):
    """The jobs' processes search where the command did, and take no file of the current folder for a library."""
    (folder / "torch.py").write_text("raise SystemExit('a file of the user')")
    sweep = ("clusterer=halves,none", "hydra.sweep.dir=sweep", "-m")
    done = as_installed("--config-dir=conf", "plugins=[mine]", *SHORT, *sweep, cwd=folder, store=folder / "store")
    assert done.returncode == 0, done.stderr[-2000:]
    jobs = json.loads((folder / "sweep" / "sweep.json").read_text())["jobs"]
    assert [j["state"] for j in jobs.values()] == ["done", "done"]


def test_a_clusterer_with_too_few_labels_ends_with_its_name(commands, folder):
    text = (folder / "mine.py").read_text().replace("range(len(vectors))", "range(len(vectors) - 1)")
    (folder / "few.py").write_text(text)
    (folder / "conf" / "clusterer" / "few.yaml").write_text("_target_: few.Halves\n")
    command = ("--config-dir=conf", "plugins=[few]", "clusterer=few")
    done = as_installed(*command, *SHORT, cwd=folder, store=folder / "store")
    assert done.returncode == 2
    assert re.search(r"few\.Halves\.group returned \d+ labels for \d+ phrases\. Rule: one label", done.stderr)
    assert "Traceback" not in done.stderr


def test_the_notebook_runs_cell_by_cell(tmp_path, monkeypatch, capsys):
    """In a running event loop, as in a notebook's kernel."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEI_STORE", "not used")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    notebook = json.loads((ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))
    assert all(not c["outputs"] for c in notebook["cells"] if c["cell_type"] == "code"), "numbers age in a document"
    names: dict = {}

    async def cells() -> None:
        for number, cell in enumerate(notebook["cells"]):
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)

    asyncio.run(cells())
    said = capsys.readouterr().out
    assert re.search(r"1  arithmetic_test +60 0\.\d{3} \[", said)
    assert re.search(r"arithmetic_test +with error types 0\.\d{3}, without 0\.\d{3}", said)
    assert names["again"].finished
    assert len(names["run"].rounds[0].error_types) > len(names["other"].rounds[0].error_types) == 1


def test_what_the_page_on_python_names_is_there():
    import sei

    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    (block,) = [body for language, body in _BLOCK.findall(text) if language == "python"]
    assert set(re.findall(r"sei\.(\w+)\(", block)) == {"run", "load", "load_sweep"}
    names = dict.fromkeys(re.findall(r"`run\.(\w+)", text))
    assert [n for n in names if not hasattr(sei.Run, n) and n not in sei.Run.__dataclass_fields__] == []
