"""Finds the user's own packages, and remembers their source as it was when imported."""

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
_imported: dict[str, tuple[dict[str, Any], Sources]] = {}  # by package: its modules' specs and its source when imported


def look_here() -> None:
    """Let packages in the current folder be imported; an installed package of the same name has precedence."""
    with suppress(OSError):  # the current folder may be gone
        here = str(Path.cwd())
        if here not in sys.path:
            sys.path.append(here)
    importlib.invalidate_caches()  # a file may have been written a moment ago


def module_command(module: str) -> list[str]:
    """Return the command that runs a module of sei in its own process.

    ``python -m`` looks into the current folder first and would take a user's ``torch.py`` for torch. ``-P`` prevents
    this, unless sei itself lies in the current folder.
    """
    root = Path(__file__).resolve().parents[1]
    safe = [] if root == Path.cwd() else ["-P"]
    return [sys.executable, *safe, "-m", module]


def sources(package: str) -> Sources:
    """Return names and digests of a package's Python files as they were when it was last imported.

    All files count, since a part may use any of them. Files edited later are not the code that runs.
    """
    specs = {n: m.__spec__ for n, m in list(sys.modules.items()) if n.partition(".")[0] == package and m is not None}
    held = _imported.get(package)
    if held is None or specs.keys() != held[0].keys() or any(held[0][n] is not s for n, s in specs.items()):
        held = _imported[package] = (specs, _on_disk(package))
    return held[1]


def forget_changed(packages: Iterable[str]) -> list[str]:
    """Make Python import changed packages again at their next use; return their names.

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
    """Say whether a file of a package is newer than this process, so that the imported code may be older."""
    return any(p.stat().st_mtime > _STARTED for p in _files(package))


def _files(package: str) -> list[Path]:
    found = sys.modules.get(package)
    folders = [Path(p) for p in getattr(found, "__path__", ())]
    files = [p for f in folders for p in f.rglob("*.py")] or [Path(str(getattr(found, "__file__", None) or ""))]
    return sorted(p for p in files if p.is_file())


def _on_disk(package: str) -> Sources:
    return tuple((p.name, hashlib.sha256(p.read_bytes()).hexdigest()[:24]) for p in _files(package))
