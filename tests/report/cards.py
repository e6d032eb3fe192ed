"""Reads cards of data sets and models in tests: their origin, and the code that they show."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sei.report.cards import Origin
from tests.builders import TINY


def origin(**more: Any) -> Origin:
    about = {"experiment": "example", "seed": 3, "config_digest": "abc", "git_commit": "def", "target": TINY}
    return Origin(**{**about, **more})


def code_of(card: Path) -> str:
    return re.search(r"```python\n(.*?)```", card.read_text("utf-8"), re.DOTALL)[1]
