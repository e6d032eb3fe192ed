"""The commands of README and docs/ compose, and run unless they need a key, a file or a machine that the page names.

The examples of docs/extending have a test each: ``tests/test_extending.py``.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from pathlib import Path

import pytest

import sei
from sei.__main__ import check
from sei.commandline import ordered
from tests import pages
from tests.compose import built, composed
from tests.conftest import ROOT

_COMMAND = re.compile(r"^(?:[A-Z_]+=\S+ )*sei (?!-)")


def text_of(page: str) -> str:
    return (ROOT / page if page == "README.md" else ROOT / "docs" / page).read_text(encoding="utf-8")


def commands(page: str) -> list[str]:
    """Return the commands of a page that start runs with parts of sei, one a line."""
    shown = "\n".join(body for language, body in pages.blocks(text_of(page)) if language in ("", "text"))
    parts = [part.strip() for line in shown.replace("\\\n", " ").splitlines() for part in line.split("&&")]
    return [part for part in parts if _COMMAND.match(part) and not re.search(r"plugins=| --", part)]


def read(command: str) -> tuple[dict[str, str], list[str]]:
    """Return what a command sets in the environment, and its overrides; of a sweep those of the first job."""
    words = shlex.split(command, comments=True)
    at = words.index("sei")
    overrides = [w for w in words[at + 1 :] if w != "-m"]
    if "-m" in words:
        overrides = [re.sub(r"^([^\[{]*?),.*$", r"\1", w) for w in overrides]
    return dict(w.split("=", 1) for w in words[:at]), ordered(overrides, ())


PAGES = ["README.md", *sorted(p.name for p in (ROOT / "docs").glob("*.md"))]
SHOWN = [(page, c) for page in PAGES for c in commands(page)]
NAMES = [f"{page}-{i}" for i, (page, _) in enumerate(SHOWN)]
NEEDS = {  # what a command needs, by a word in it; and a word by which its page says so
    r"experiment=paper|gpt4o|openai_compatible|deepseek|anthropic|gemini": "KEY|key",
    r"trainer=(gpu|ddp)": "GPU",
    r"data=(jsonl|gsm8k|math)|attempts=|SEI_DATA=|model\.source=|=\./": r"[Yy]our|file|folder|\.jsonl|\.json",
    r"finetuner=grpo": r"sei\[trl\]",
    r"hydra/launcher=joblib": r"sei\[sweep\]",
    r"hydra/launcher=sei_slurm": r"sei\[slurm\]",
}
FREE = [(page, c) for page, c in SHOWN if not any(re.search(word, c) for word in NEEDS)]
QUICK = ("start.md", "configuration.md")  # commands of other pages run as slow tests


def test_commands_are_found_and_read():
    assert len({page for page, _ in SHOWN}) >= 5
    assert read("SEI_DATA=D sei a=b,c seed=0,1 -m  # why") == ({"SEI_DATA": "D"}, ["a=b", "seed=0"])
    assert read("sei a=[b,c] d='e f'") == ({}, ["a=[b,c]", "d=e f"])


@pytest.mark.parametrize(("page", "command"), SHOWN, ids=NAMES)
def test_a_command_of_a_page_composes(page, command, monkeypatch):
    environment, overrides = read(command)
    if "hydra/launcher=sei_slurm" in overrides:
        pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="needs pip install 'sei[slurm]'")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    check(*composed(*overrides))


def test_the_small_dev_split_of_the_page_leaves_a_pool(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (command,) = [c for c in commands("data.md") if "data.dev=" in c]
    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    row = json.loads(re.search(r"```json\n(.*?)\n```", text)[1])
    for name, first, n in (("mine", 100, 80), ("test", 500, 30)):
        rows = [row | {"question": row["question"].replace("12", str(first + i))} for i in range(n)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = built(*read(command)[1], "tracker=none")["data"].load()
    assert (len(data.pool), sorted(p.role for p in data.held_out)) == (60, ["dev"] * 20 + ["in_domain"] * 30)


@pytest.mark.parametrize("word", NEEDS)
def test_a_page_says_what_its_commands_need(word):
    needing = {page for page, command in SHOWN if re.search(word, command)}
    assert needing, "no command needs this any more"
    assert [page for page in needing if not re.search(NEEDS[word], text_of(page))] == []


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shown")
    with pytest.MonkeyPatch.context() as patch:
        pages.hasten(folder, patch)
        yield folder


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(c, marks=() if page in QUICK and "-m" not in c else pytest.mark.slow)
        for c, page in {c.partition("#")[0].strip(): page for page, c in FREE}.items()
    ],
)
def test_a_command_that_needs_nothing_runs(command, home):
    """The first job of a sweep, in small sizes."""
    said = read(command)[1]
    given = {s.partition("=")[0] for s in said}
    if given & {"teacher_card", "estimate", "dry_run", "preview"}:
        pytest.skip("no run: tests/card and tests/test_first_hour.py start it")
    done = sei.run([*said, *(s for s in pages.SMALL if s.partition("=")[0] not in given)], quiet=True)
    assert done.finished


def test_modules_and_options_that_pages_name_are_there():
    for page in PAGES:
        for module, given in re.findall(r"(?m)^python -m ([\w.]+)([^#\n]*)", text_of(page)):
            found = importlib.util.find_spec(module)
            assert found is not None, (page, module)
            place = Path(found.submodule_search_locations[0] if found.submodule_search_locations else found.origin)
            source = "".join(p.read_text() for p in (place.rglob("*.py") if place.is_dir() else [place]))
            missing = [o for o in re.findall(r"--[a-z][\w-]*", given) if f'"{o}"' not in source]
            assert missing == [], (page, module)
        for target in re.findall(r"(?m)^make (\w+)", text_of(page)):
            assert f"\n{target}:" in (ROOT / "Makefile").read_text(), (page, target)
