"""Where weights are, and what must be installed to read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sei.errors import ConfigError
from sei.models import places


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
