"""Where real data sets and case files lie: ``SEI_DATA`` and ``SEI_CASES``, else beside the repository.

Tests that need them skip where they are not.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parent.parent.parent / "shared"
PLACES = {"SEI_DATA": BESIDE / "data", "SEI_CASES": BESIDE / "cases"}
# read once: tests of the program itself are to see no such variable
FOLDERS = {variable: Path(os.environ.get(variable) or usual).absolute() for variable, usual in PLACES.items()}
DATA, CASES = FOLDERS.values()


def why_not(variable: str, name: str = "") -> str:
    """Return why the folder of a variable, or a file in it, cannot be read; nothing where it can."""
    path = FOLDERS[variable] / name
    there = path.exists() if name else path.is_dir()
    return "" if there else f"real data are not at {path}: set {variable} to the folder that holds them"


def needs(variable: str, name: str) -> pytest.MarkDecorator:
    """Skip tests without a file in the folder of a variable."""
    reason = why_not(variable, name)
    return pytest.mark.skipif(bool(reason), reason=reason or "it is there")


def folder_or_skip(variable: str) -> Path:
    if reason := why_not(variable):
        pytest.skip(reason)
    return FOLDERS[variable]
