"""A run says before it starts that its weights may not fit on the disk."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from types import SimpleNamespace

import pytest

from sei import space
from sei.space import tell_of_space
from tests.builders import TINY

MILLION = 1_000_000


@pytest.fixture
def target(tmp_path):
    """A base of 50 million numbers in bfloat16, as a sparse file."""
    home = tmp_path / "base"
    home.mkdir()
    size = 50 * MILLION * 2
    header = json.dumps({"w": {"dtype": "BF16", "shape": [50, MILLION], "data_offsets": [0, size]}}).encode()
    with (home / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)
    return replace(TINY, source=str(home), name="sparse")


def said(monkeypatch, caplog, target, tmp_path, free: int, rounds: int = 3) -> str:
    monkeypatch.setattr(space.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    with caplog.at_level(logging.WARNING, "sei.space"):
        tell_of_space(target, rounds, tmp_path / "no" / "store", tmp_path / "run")
    return caplog.text


def test_a_run_that_may_fill_the_disk_is_told(monkeypatch, caplog, target, tmp_path):
    """Three rounds of 200 MB in the store, and 200 MB in the run folder."""
    text = said(monkeypatch, caplog, target, tmp_path, free=799 * MILLION)
    assert f"{tmp_path}: this run may write 1 GB of weights there (0.2 GB each), and 1 GB are free" in text
    assert "exit code 74" in text and "store=PATH (SEI_STORE)" in text  # noqa: PT018


@pytest.mark.parametrize(("free", "rounds", "dtype"), [(800, 3, "float32"), (799, 2, "float32"), (401, 3, "bfloat16")])
def test_a_run_that_fits_is_not_told(free, rounds, dtype, monkeypatch, caplog, target, tmp_path):
    target = replace(target, dtype=dtype)
    assert not said(monkeypatch, caplog, target, tmp_path, free * MILLION, rounds)


def test_small_weights_are_not_looked_at(monkeypatch, caplog, tmp_path):
    assert not said(monkeypatch, caplog, TINY, tmp_path, free=0)


@pytest.mark.parametrize("source", ["nobody/unknown", "broken"])
def test_weights_that_cannot_be_read_are_not_told(source, monkeypatch, caplog, target, tmp_path):
    if source == "broken":
        (tmp_path / "base" / "model.safetensors").write_bytes(b"no weights")
        source = target.source
    assert not said(monkeypatch, caplog, replace(target, source=source), tmp_path, free=0)
