"""Packages of the user's own: where they are found, what their source was when they were imported."""

from __future__ import annotations

import hashlib
import importlib
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

_STARTED = time.time()
Sources = tuple[tuple[str, str], ...]  # file name and digest of every Python file
_imported: dict[str, tuple[dict[str, Any], Sources]] = {}  # by package: its modules' specs, its source then


def look_here() -> None:
    """Let packages of the current folder be imported; one that is installed and has the same name comes first."""
    with suppress(OSError):  # the current folder may be gone
        here = str(Path.cwd())
        if here not in sys.path:
            sys.path.append(here)
    importlib.invalidate_caches()  # a file may have been written a moment ago


def module_command(module: str) -> list[str]:
    """Return the command that runs a module of sei in a process of its own.

    ``python -m`` would look into the current folder first, and take a user's ``torch.py`` there for torch. Where sei
    itself lies in the current folder it has to.
    """
    root = Path(__file__).resolve().parents[1]
    safe = [] if root == Path.cwd() else ["-P"]
    return [sys.executable, *safe, "-m", module]


def sources(package: str) -> Sources:
    """Return names and digests of a package's Python files as they were when it was imported or reloaded.

    All files count, since a part may rest on any of them. A file that is edited later is not what runs.
    """
    specs = {n: m.__spec__ for n, m in list(sys.modules.items()) if n.partition(".")[0] == package and m is not None}
    held = _imported.get(package)
    if held is None or specs.keys() != held[0].keys() or any(held[0][n] is not s for n, s in specs.items()):
        held = _imported[package] = (specs, _on_disk(package))
    return held[1]


def forget_changed(packages: Iterable[str]) -> list[str]:
    """Have packages whose files changed since they were imported be imported anew; return their names.

    A notebook imports a package once and edits it many times.
    """
    changed = []
    for package in packages:
        if package not in sys.modules or package == "sei":
            continue
        held = _imported.get(package)
        if held[1] == _on_disk(package) if held else not _younger(package):
            continue
        for name in [n for n in sys.modules if n.partition(".")[0] == package]:
            del sys.modules[name]
        _imported.pop(package, None)
        changed.append(package)
    return changed


def _younger(package: str) -> bool:
    """Say whether a file of a package was written after this process began: what was imported may be older."""
    return any(p.stat().st_mtime > _STARTED for p in _files(package))


def _files(package: str) -> list[Path]:
    found = sys.modules.get(package)
    folders = [Path(p) for p in getattr(found, "__path__", ())]
    files = [p for f in folders for p in f.rglob("*.py")] or [Path(str(getattr(found, "__file__", None) or ""))]
    return sorted(p for p in files if p.is_file())


def _on_disk(package: str) -> Sources:
    return tuple((p.name, hashlib.sha256(p.read_bytes()).hexdigest()[:24]) for p in _files(package))
