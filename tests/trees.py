"""The files below a folder, and which of them contain a text."""

from __future__ import annotations

from pathlib import Path


def tree(home: Path) -> set[Path]:
    return {p.relative_to(home) for p in home.rglob("*")}


def hits(home: Path, secrets: list[str]) -> list[tuple[str, str]]:
    """Return the files below a folder with a secret in their name or content."""
    found = []
    for path in home.rglob("*"):
        held = path.read_bytes() if path.is_file() else b""
        found += [(str(path), s) for s in secrets if s.encode() in held or s in path.name]
    return found
