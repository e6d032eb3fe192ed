"""What a run was made from: the settings as written in its folder, and the files that its config names."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from sei.compare.settings import settings
from sei.store import digest
from sei.store.identity import file_digest

_NOT_READ = ("store", "tracker", "name", "hydra", "ablation")  # these name no input
_LONGEST = 1_000  # characters of a path
_MADE = frozenset(("outputs", "multirun", "wandb", "__pycache__", ".git", ".venv"))  # folders that hold no input
_MOST = 20_000  # files of a folder


def settings_digest(written: Mapping[str, Any]) -> str:
    """Return the digest of all settings in a composed config, as written, that can change a result."""
    return digest({**settings(written), "seed": written.get("seed")})


def inputs_digest(config: Mapping[str, Any]) -> str:
    """Return the digest of the files, folders and plugins that a resolved config names.

    A file counts by its content, and a folder by the names, sizes and times of its files.
    """
    found: dict[str, Any] = {}
    for key, text in _texts({k: v for k, v in config.items() if k not in _NOT_READ}):
        with suppress(OSError, ValueError, RuntimeError):  # no path, or one that cannot be read: a run reports it
            path = Path(text).expanduser()
            if path.is_file():
                found[key] = file_digest(path)
            elif path.is_dir():
                found[key] = _listing(path, Path(str(config.get("store") or "store")).expanduser())
    for plugin in config.get("plugins") or ():
        with suppress(ImportError, ValueError, OSError):
            spec = importlib.util.find_spec(str(plugin).partition(".")[0])
            places = [Path(p) for p in spec.submodule_search_locations or [spec.origin or ""]] if spec else []
            found[f"plugins.{plugin}"] = [_listing(p, None) if p.is_dir() else file_digest(p) for p in places]
    return digest(found)


def _texts(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for k, v in value.items():
            yield from _texts(v, f"{at}.{k}" if at else str(k))
    elif isinstance(value, (list, tuple)):
        for i, v in enumerate(value):
            yield from _texts(v, f"{at}.{i}")
    elif isinstance(value, str) and 0 < len(value) < _LONGEST and "\n" not in value:
        yield at, value


def _listing(folder: Path, store: Path | None) -> list[tuple[str, int, int]]:
    """Return the files of a folder, without what runs write."""
    own = store.resolve() if store else None

    def counts(path: Path) -> bool:
        return path.is_file() and not _MADE & {*path.parts} and (own is None or own not in path.resolve().parents)

    held = (p for p in folder.rglob("*") if counts(p))
    files = [(p, p.stat()) for p in islice(held, _MOST)]
    return sorted((str(p.relative_to(folder)), s.st_size, s.st_mtime_ns) for p, s in files)
