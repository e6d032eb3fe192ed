"""Finds real data sets and case files: in ``SEI_DATA`` and ``SEI_CASES``, otherwise next to the repository.

Tests that need them skip if they are missing.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parent.parent.parent / "shared"
PLACES = {"SEI_DATA": BESIDE / "data", "SEI_CASES": BESIDE / "cases"}
# read once, since tests of the program must not see these variables
FOLDERS = {variable: Path(os.environ.get(variable) or usual).absolute() for variable, usual in PLACES.items()}
DATA, CASES = FOLDERS.values()


def why_not(variable: str, name: str = "") -> str:
    """Return why the folder of a variable, or a file in it, cannot be read; empty if it can."""
    path = FOLDERS[variable] / name
    there = path.exists() if name else path.is_dir()
    return "" if there else f"real data are not at {path}: set {variable} to the folder that holds them"


def needs(variable: str, name: str) -> pytest.MarkDecorator:
    """Skip tests if the folder of a variable lacks a file."""
    reason = why_not(variable, name)
    return pytest.mark.skipif(bool(reason), reason=reason or "it is there")


def folder_or_skip(variable: str) -> Path:
    if reason := why_not(variable):
        pytest.skip(reason)
    return FOLDERS[variable]
