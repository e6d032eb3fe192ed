"""Code in the documents runs as shown: a part pasted from its page, and the notebook."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import pages
from tests.compose import SHORT
from tests.conftest import ROOT


def as_installed(*args: str, cwd: Path, store: Path) -> subprocess.CompletedProcess[str]:
    """Run the program as its console script does: Python does not search the current folder first."""
    env = {**os.environ, "SEI_STORE": str(store), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-c", "from sei.__main__ import main; main()", *args]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=400)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the example of the page on clusterers."""
    home = tmp_path_factory.mktemp("pasted")
    pages.paste((ROOT / "docs" / "extending" / "clusterer.md").read_text(encoding="utf-8"), home)
    return home


@pytest.mark.slow
def test_a_part_pasted_from_its_page_runs_as_a_program(folder):
    """The other pages' examples run in one process: tests/test_extending.py."""
    command = ("--config-dir=conf", "plugins=[first_words]", "clusterer=first_words")
    done = as_installed(*command, *SHORT, cwd=folder, store=folder / "store")
    assert done.returncode == 0, done.stderr[-2000:]
    (run,) = (folder / "outputs" / "smoke").iterdir()
    (one,) = json.loads((run / "summary.json").read_text())["rounds"]
    assert {t["name"].rsplit(" ", 1)[0] for t in one["error_types"]} == {"begins with"}


@pytest.mark.slow
def test_a_sweep_finds_parts_of_ones_own_and_no_false_library(folder):
    """The jobs' processes look where the command did, and take no file of the current folder for a library."""
    (folder / "torch.py").write_text("raise SystemExit('a file of the user')")
    sweep = ("clusterer=first_words,none", "hydra.sweep.dir=sweep", "-m")
    done = as_installed(
        "--config-dir=conf", "plugins=[first_words]", *SHORT, *sweep, cwd=folder, store=folder / "store"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    jobs = json.loads((folder / "sweep" / "sweep.json").read_text())["jobs"]
    assert [j["state"] for j in jobs.values()] == ["done", "done"]


@pytest.mark.slow
def test_a_clusterer_with_too_few_labels_ends_with_its_name(folder):
    text = (
        (folder / "first_words.py")
        .read_text()
        .replace("for w in words]\n        return", "for w in words[1:]]\n        return")
    )
    (folder / "few.py").write_text(text)
    (folder / "conf" / "clusterer" / "few.yaml").write_text("_target_: few.FirstWords\n")
    command = ("--config-dir=conf", "plugins=[few]", "clusterer=few")
    done = as_installed(*command, *SHORT, cwd=folder, store=folder / "store")
    assert done.returncode == 2
    assert re.search(r"few\.FirstWords\.group returned \d+ labels for \d+ phrases\. Rule: one label", done.stderr)
    assert "Traceback" not in done.stderr


@pytest.mark.slow
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
    (block,) = [body for language, body in pages.blocks(text) if language == "python"]
    assert set(re.findall(r"sei\.(\w+)\(", block)) == {"run", "load", "load_sweep"}
    names = dict.fromkeys(re.findall(r"`run\.(\w+)", text))
    assert [n for n in names if not hasattr(sei.Run, n) and n not in sei.Run.__dataclass_fields__] == []
