"""Your own model: named by its place, prompted as its tokenizer requires, and checked before anything costs."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants

from sei.__main__ import check
from sei.compare.runs import read_run
from sei.errors import ConfigError
from sei.job import perform
from sei.models.own import last_part, named
from sei.models.target import TargetModel
from sei.store import digest
from tests.builders import TINY
from tests.compose import built, composed
from tests.conftest import ROOT

CHATML = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
COMMIT = "0" * 40


def folder(home: Path, template: str | None) -> Path:
    """Return the embedded model in a folder, with or without a chat template."""
    made = Path(shutil.copytree(TINY.folder(), home))
    (made / "chat_template.jinja").unlink(missing_ok=True)
    if template is not None:
        (made / "chat_template.jinja").write_text(template)
    return made


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Return a function that puts a model into an empty hub cache."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    def put(name: str, template: str | None) -> None:
        home = tmp_path / "hub" / f"models--{name.replace('/', '--')}"
        (home / "refs").mkdir(parents=True)
        (home / "refs" / "main").write_text(COMMIT)
        folder(home / "snapshots" / COMMIT, template)

    return put


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("./my_model", "my_model"),
        ("/models/deep/mine/", "mine"),
        ("~/mine", "mine"),
        ("Qwen/Qwen2.5-0.5B-Instruct", "Qwen2.5-0.5B-Instruct"),
        ("gpt2", "gpt2"),
    ],
)
def test_a_model_is_named_by_the_last_part(source, name):
    assert last_part(source) == name
    assert TargetModel(source=source).name == name
    assert TargetModel(source=source, name="other").name == "other"


@pytest.mark.parametrize(("template", "expected"), [(None, "plain"), (CHATML, "chat")])
def test_auto_is_what_the_tokenizer_has(tmp_path, template, expected):
    source = str(folder(tmp_path / "m", template))
    auto, said = TargetModel(source=source), TargetModel(source=source, template=expected)
    assert auto.template == "auto"
    assert auto.settled() == said
    assert (digest(auto), auto.reads()) == (digest(said), said.reads())
    assert auto.without_weights().template == expected
    auto.preflight()
    with auto.open(auto.base()) as opened:
        assert opened.template == expected
        assert opened.prompts(["1 + 1?"])[0].startswith({"plain": "Question: 1 + 1?", "chat": "<user>"}[expected])


def test_what_is_said_wins_over_what_the_tokenizer_has(tmp_path):
    source = str(folder(tmp_path / "m", CHATML))
    plain = TargetModel(source=source, template="plain")
    assert plain.without_weights().template == "plain"
    assert digest(plain) != digest(TargetModel(source=source))


def test_a_system_prompt_needs_a_template_with_auto_too(tmp_path):
    target = TargetModel(source=str(folder(tmp_path / "m", None)), system_prompt="Be brief.")
    with pytest.raises(ConfigError, match=r"model.system_prompt with model.template=plain"):
        target.preflight()


def test_model_own_composes_with_a_source_alone(tmp_path):
    with pytest.raises(ConfigError, match=r"model.source is missing.*model.source=FOLDER_OR_HUB_ID"):
        built("model=own")
    source = folder(tmp_path / "my_model", None)
    parts = built("model=own", f"model.source={source}")
    assert parts["model"].name == "my_model"
    assert parts["model"] == parts["method"].attempt.target
    assert dataclasses.replace(parts["model"], name="tiny", source=TINY.source).settled() == TINY


def test_runs_of_two_own_models_are_not_one_model(tmp_path):
    cfg, _ = composed("model=own", "model.source=./a")
    plain = {"model": {"name": cfg.model.name, "source": cfg.model.source}, "method": [{"target": {**cfg.model}}]}
    assert named(plain)["model"]["name"] == "a"
    assert named(plain)["method"][0]["target"]["name"] == "a"
    assert named({"name": "", "model": 1}) == {"name": "", "model": 1}
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text(json.dumps({"model": plain["model"]}))
    summary = {
        "experiment": "x",
        "seed": 0,
        "baseline": {"t": {"role": "in_domain", "n": 1, "accuracy": 1.0}},
        "rounds": [],
        "best_round": 0,
        "finished": True,
    }
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    assert read_run(tmp_path).config["model"]["name"] == "a"


def test_a_hub_model_that_is_here_is_looked_at(hub):
    hub("org/chat", CHATML)
    hub("org/base", None)
    hub("org/broken", "{{ nothing.at.all() }}")
    assert TargetModel(source="org/chat").settled().template == "chat"
    assert TargetModel(source="org/base").settled().template == "plain"
    assert digest(TargetModel(source="org/chat")) == digest(TargetModel(source="org/chat", template="chat"))
    for good in ("org/chat", "org/base"):
        TargetModel(source=good).preflight()
    for template in ("auto", "chat"):
        with pytest.raises(ConfigError, match=r"org/broken: its chat template cannot be used"):
            TargetModel(source="org/broken", template=template).preflight()
    with pytest.raises(ConfigError, match=r"org/base has no chat template"):
        TargetModel(source="org/base", template="chat").preflight()


def test_a_hub_model_that_is_not_here_says_so_offline(hub):
    missing = TargetModel(source="org/none")
    for refused in (missing.preflight, missing.reads, missing.settled):
        with pytest.raises(ConfigError, match=r"org/none: its tokenizer is not on this machine and HF_HUB_OFFLINE"):
            refused()
    said = TargetModel(source="org/none", template="chat")  # all results of its run may be in the store
    said.preflight()
    assert "turns" not in said.reads()


def test_a_hub_model_that_is_not_here_is_fetched(hub, monkeypatch):
    fetched, tokenizer = [], TINY.without_weights().tokenizer
    monkeypatch.setattr("sei.models.target.offline", lambda: False)
    monkeypatch.setattr("sei.models.target.tokenizer_of", lambda target: fetched.append(target.source) or tokenizer)
    with pytest.raises(ConfigError, match="org/new has no chat template"):
        TargetModel(source="org/new", template="chat").preflight()
    TargetModel(source="org/plain", template="plain").preflight()
    assert fetched == ["org/new"]


def test_a_dry_run_refuses_a_broken_template(tmp_path):
    source = folder(tmp_path / "m", "{{ nothing.at.all() }}")
    plain = check(*composed("model=own", f"model.source={source}", "dry_run=true", f"store={tmp_path / 'store'}"))
    with pytest.raises(ConfigError, match="its chat template cannot be used"):
        perform(plain, tmp_path / "run")


def test_readers_ask_for_the_settled_template():
    readers = [p for p in (ROOT / "sei").rglob("*.py") if p.parent.name != "models"]
    raw = [str(p) for p in readers if re.search(r"\b(target|model|base)\.template\b", p.read_text(encoding="utf-8"))]
    assert readers
    assert not raw, "target.template may be auto: ask target.settled().template"
