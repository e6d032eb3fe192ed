"""The name of a model of your own: the last part of where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def last_part(source: str) -> str:
    """Return the last part of a hub id, or the name of the folder."""
    if source.startswith((".", "/", "~")):
        return Path(source).expanduser().resolve().name
    return source.rstrip("/").rpartition("/")[2]


def named(config: Any) -> Any:
    """Return a plain config in which every model without a name has one, wherever it is held."""
    if isinstance(config, list):
        return [named(v) for v in config]
    if not isinstance(config, dict):
        return config
    out = {k: named(v) for k, v in config.items()}
    if out.get("name") == "" and isinstance(out.get("source"), str):
        out["name"] = last_part(out["source"])
    return out
