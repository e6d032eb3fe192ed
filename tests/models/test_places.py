"""Where weights are, and what must be installed to read them."""

from __future__ import annotations

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
