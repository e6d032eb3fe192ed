"""The generated configuration pages say exactly what conf/ holds."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from commented import CommentedFile, read_conf
from conf_pages import EXAMPLES, conf_pages, group_list, marked, page_of
from meanings import Meanings, undocumented
from sei.__main__ import check
from tests.compose import composed
from tests.conftest import ROOT

CONF = read_conf(ROOT / "conf")
PAGES = conf_pages(ROOT)
_ROW = re.compile(r"^\| `([^`]+)` \| (.*?) \| (.*) \|$", re.MULTILINE)
_CODE = re.compile(r"`([^`]*)`")


def section(pages: dict[str, str], file: CommentedFile) -> str:
    """Return the part of a page that shows a file: all of it for config.yaml."""
    if not file.group:
        return pages["configuration/config.md"]
    page = pages[f"configuration/{page_of(file.group)}.md"]
    start = page.index(f"## {file.option} {{")
    return page[start : page.find("\n## ", start)] if "\n## " in page[start:] else page[start:]


def shown(text: str, file: CommentedFile) -> dict[str, Any]:
    """Return the keys and values that a section shows, as the mapping that the file holds without its defaults."""
    found: dict[str, Any] = {}
    target = re.search(r"^Class: `(.+)`\.$", text, re.MULTILINE)
    if target:
        found["_target_"] = target[1]
    tables = re.findall(r"^\| key \| value \| meaning \|\n((?:\|.*\n?)+)", text, re.MULTILINE)
    for name, value, _ in _ROW.findall("".join(tables)):
        path = name.split(".")[len(file.package) :]
        node = found
        for key in path[:-1]:
            node = node.setdefault(key, {})
        lines = _CODE.findall(value)
        if lines:
            node[path[-1]] = yaml.safe_load(lines[0]) if len(lines) == 1 else "\n".join(lines) + "\n"
    return found


def held(path: Path) -> dict[str, Any]:
    values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return {k: v for k, v in values.items() if k != "defaults"}


@pytest.mark.parametrize("name", CONF)
def test_a_page_shows_every_key_and_value_of_a_file(name):
    file = CONF[name]
    wanted = held(file.path)
    if name.startswith("ablation/"):  # keys with dots in them
        wanted = yaml.safe_load(yaml.safe_dump(wanted))
        sets = wanted["ablation"]["sets"]
        for key in [k for k in sets if "." in k]:
            first, _, rest = key.partition(".")
            sets.setdefault(first, {})[rest] = sets.pop(key)
    text = section(PAGES, file)
    if name == "config":  # a text of one line, read as YAML like every other value
        wanted["hydra"]["help"]["header"] = yaml.safe_load(wanted["hydra"]["help"]["header"])
    assert shown(text, file) == wanted
    assert all(d.option in text for d in file.defaults)


def test_every_file_of_conf_is_read():
    everything = set((ROOT / "conf").rglob("*.yaml"))
    assert {f.path for f in CONF.values()} == everything - set((ROOT / "conf/hydra").rglob("*"))  # Hydra's own settings
    assert all(f"## {f.option} {{ #{f.option} }}" in section(PAGES, f) for f in CONF.values() if f.group)


def test_every_file_has_a_heading_and_every_key_a_meaning():
    assert undocumented(CONF) == []


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    return tmp_path


def test_a_new_key_of_a_copy_appears_with_its_comment(copy):
    with (copy / "conf" / "clusterer" / "ward.yaml").open("a") as f:
        f.write("colour: 'red # 1' # of the \"types\"\n")
    row = "| `clusterer.colour` | `'red # 1'` | of the \"types\" |"
    assert row not in PAGES["configuration/clusterer.md"]
    assert row in conf_pages(copy)["configuration/clusterer.md"]


def test_a_new_group_of_a_copy_has_a_page_and_a_row(copy):
    (copy / "conf" / "weather").mkdir()
    (copy / "conf" / "weather" / "rain.yaml").write_text("# Water from above.\n_target_: sei.weather.Rain\n")
    assert "## rain { #rain }\n\nWater from above." in conf_pages(copy)["configuration/weather.md"]
    assert "[`weather`](configuration/weather.md)" in group_list(copy)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("clusterer/ward", " # components", "", "clusterer/ward: dimensions"),
        (
            "clusterer/none",
            "# Ablation: one error type; every bad case can be an exemplar.\n",
            "",
            "clusterer/none: no head",
        ),
        ("config", "replay: 150", "fresh: 1\nreplay: 150", "config: fresh"),
    ],
)
def test_a_file_or_key_without_a_comment_is_named(copy, name, old, new, said):
    path = copy / "conf" / f"{name}.yaml"
    text = re.sub(r"(dimensions: 8) # .*", r"\1 # components", path.read_text())
    assert old in text
    path.write_text(text.replace(old, new))
    conf = read_conf(copy / "conf")
    if name == "clusterer/ward":  # the same key of another class gives no meaning
        assert undocumented(conf) == [said]
    assert any(c.startswith(said) for c in undocumented(conf))


@pytest.mark.parametrize(
    ("name", "key", "meaning", "here"),
    [
        ("refiner/gradient", "min_validation", "a type with fewer validation cases", ""),  # a reference
        ("refiner/paper", "good", "questions from solved problems", ""),  # a parent of its group
        ("model/llama3_8b", "dtype", "number format of the weights", ""),  # the same class
        ("experiment/smoke", "data.pool", "training problems", ""),  # what it overrides
        (
            "experiment/local_teacher",
            "instructor.timeout",
            "seconds that one attempt",
            "",
        ),  # of an option that it chooses
        ("experiment/smollm2_slices", "benchmarks.sat_math.limit", "most problems", ""),  # of an option inside another
        ("experiment/paper_llama3_8b", "rounds", "rounds of the method", "early code has files of three"),
        ("ablation/few_exemplars", "ablation.sets.budget.bad", "exemplars in a request that are bad", ""),
    ],
)
def test_a_meaning_is_found_where_it_is_written(name, key, meaning, here):
    file = CONF[name]
    (wanted,) = [k for k in file.keys if k.name == key]
    found = Meanings(CONF).of(file, wanted)
    assert found.text.startswith(meaning)
    assert found.here.startswith(here)
    assert bool(found.here) == bool(here)


def test_settings_addresses_and_pages_in_a_comment_are_marked():
    text = "set a.max_new=512, <think>, see docs/data.md or https://x.org/a; r**2 of error_types.yaml | seed=1,2"
    assert marked(text) == (
        "set `a.max_new=512`, `<think>`, see [docs/data.md](../data.md) or <https://x.org/a>; `r**2` of "
        "`error_types.yaml` \\| `seed=1,2`"
    )


@pytest.mark.parametrize("group", sorted({f.group for f in CONF.values()} - {""}))
def test_the_commands_of_a_group_compose(group):
    for command in EXAMPLES[group]:
        _, *overrides = command.removesuffix(" -m").split()
        check(*composed(*(re.sub(r",.*", "", o) if command.endswith(" -m") else o for o in overrides)))
