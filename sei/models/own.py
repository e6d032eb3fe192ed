"""The default name of a model: the last part of its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def last_part(source: str) -> str:
    """Return the last part of a hub id, or the name of the folder or of the GGUF file."""
    if source.startswith((".", "/", "~")):
        return Path(source).expanduser().resolve().name.removesuffix(".gguf")
    return source.rstrip("/").rpartition("/")[2].removesuffix(".gguf")


def named(config: Any) -> Any:
    """Return a plain config in which every model has a name, at any depth."""
    if isinstance(config, list):
        return [named(v) for v in config]
    if not isinstance(config, dict):
        return config
    out = {k: named(v) for k, v in config.items()}
    if out.get("name") == "" and isinstance(out.get("source"), str):
        out["name"] = last_part(out["source"])
    return out
