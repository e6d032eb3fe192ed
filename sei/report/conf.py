"""Finds the config files of the package."""

from __future__ import annotations

from pathlib import Path

import sei

_HERE = Path(sei.__file__).parent
CONF = _HERE / "conf" if (_HERE / "conf").is_dir() else _HERE.parent / "conf"
