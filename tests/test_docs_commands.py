"""The commands that the pages of docs/ show compose, and their examples of data are read as the pages say."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from sei.__main__ import check
from tests.compose import built, composed
from tests.conftest import ROOT

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^(?:[A-Z_]+=\S+ )*sei (?!-)")


def commands(page: str) -> list[str]:
    """Return the commands of a page that start runs with parts of sei, one a line."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    shown = "\n".join(body for language, body in _BLOCK.findall(text) if not language)
    parts = [part.strip() for line in shown.replace("\\\n", " ").splitlines() for part in line.split("&&")]
    return [part for part in parts if _COMMAND.match(part) and "plugins=" not in part]


def read(command: str) -> tuple[dict[str, str], list[str]]:
    """Return what a command sets in the environment, and its overrides; of a sweep those of the first job."""
    words = shlex.split(command, comments=True)
    at = words.index("sei")
    overrides = [w for w in words[at + 1 :] if w != "-m"]
    if "-m" in words:
        overrides = [re.sub(r"^([^\[{]*?),.*$", r"\1", w) for w in overrides]
    return dict(w.split("=", 1) for w in words[:at]), overrides


SHOWN = [(page.name, c) for page in sorted((ROOT / "docs").glob("*.md")) for c in commands(page.name)]


def test_commands_are_found_and_read():
    assert len({page for page, _ in SHOWN}) >= 5
    assert read("SEI_DATA=D sei a=b,c seed=0,1 -m  # why") == ({"SEI_DATA": "D"}, ["a=b", "seed=0"])
    assert read("sei a=[b,c] d='e f'") == ({}, ["a=[b,c]", "d=e f"])


@pytest.mark.parametrize(("page", "command"), SHOWN, ids=[f"{p}-{i}" for i, (p, _) in enumerate(SHOWN)])
def test_a_command_of_a_page_composes(page, command, monkeypatch):
    environment, overrides = read(command)
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
