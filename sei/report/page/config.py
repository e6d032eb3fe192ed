"""A run's config as the page shows it: overrides, chosen parts, and differences from the default."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from sei.report.conf import CONF
from sei.report.page.files import Files, parsed
from sei.secrecy import hidden

DEFAULTS = ".hydra/defaults.yaml"
"""File in a run folder: the default config and the part of every group in it, as composed when the run began."""

_NOWHERE = object()
_KEY = re.compile(r"( *)([^\s:#-][^\s:#]*):")


def read_config(files: Files) -> dict[str, Any]:
    """Return overrides, parts, settings with their defaults, and the config's lines, marked if they differ.

    ``values``: the config's own values, for the caller only. ``true``: whether the folder has the composed default
    config; otherwise only settings of the command and its experiment are compared.
    """
    hydra = files.yaml(".hydra/hydra.yaml") or {}
    choices = {k: v for k, v in _at(hydra, "hydra", "runtime", "choices").items() if not k.startswith("hydra/")}
    overrides = [str(o) for o in files.yaml(".hydra/overrides.yaml") or []]
    composed = files.yaml(DEFAULTS) or {}
    defaults = composed.get("choices") or _defaults()
    parts = [[k, v, defaults.get(k), k in defaults and v != defaults[k]] for k, v in choices.items()]
    values = files.yaml(".hydra/config.yaml") or {}
    usual = composed.get("config") or _load(CONF / "config.yaml")
    if composed:
        changed = {k for k in (*_leaves(values), *_leaves(usual)) if not k.startswith("ablation.")}
    else:
        changed = {o.lstrip("+~").split("=")[0].split("@")[0] for o in overrides}
        for group in ("experiment", "ablation"):
            changed |= _keys_of(CONF / group / f"{choices.get(group)}.yaml")
    other = {k for k, _, _, differs in parts if differs}  # another part has other settings
    settings = _settings(changed - set(choices), values, usual, other)
    changed = {k for k, *_, differs in parts if differs} | {k for k, *_ in settings}
    text = files.text(".hydra/config.yaml", expected=False) or ""
    return {
        "overrides": [hidden(o) for o in overrides],
        "parts": parts,
        "settings": [[k, hidden(f"{k}: {v}")[len(k) + 2 :], usual] for k, v, usual in settings],
        "lines": [[hidden(line), mark] for line, mark in marked(text, changed)],
        "values": values,
        "true": bool(composed),
    }


def marked(text: str, changed: set[str]) -> list[tuple[str, bool]]:
    """Return the lines of a YAML text, each with whether its dotted key, or a part of it, is in ``changed``."""
    out, path = [], list[str]()
    for line in text.splitlines():
        found = _KEY.match(line)
        if found:
            path = [*path[: len(found[1]) // 2], found[2]]
        out.append((line, any(".".join(path[:i]) in changed for i in range(1, len(path) + 1))))
    return out


def _at(values: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        values = values.get(key) if isinstance(values, dict) else None
    return values if isinstance(values, dict) else {}


def _settings(changed: set[str], values: dict[str, Any], usual: dict[str, Any], other: set[str]) -> list[list[str]]:
    """Return key, value and default of every changed setting; settings with a default come first.

    The default is empty for settings of a part that is not in the default config (``other``).
    """
    out = list[list[str]]()
    for key in sorted(changed):
        *path, last = key.split(".")
        now, before = (_at(tree, *path).get(last, _NOWHERE) for tree in (values, usual))
        if now != before and now is not _NOWHERE:
            foreign = before is _NOWHERE or key.split(".")[0] in other
            if last != "_target_":  # the table of parts has the class
                out.append([key, _plain(now), "" if foreign else _plain(before)])
    return sorted(out, key=lambda row: not row[2])


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _load(path: Path) -> dict[str, Any]:
    try:
        found = parsed(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _defaults() -> dict[str, Any]:
    """Return the part of every group that the default config chooses."""
    entries = _load(CONF / "config.yaml").get("defaults", [])
    return {k: v for e in entries if isinstance(e, dict) for k, v in e.items()}


def _keys_of(path: Path) -> set[str]:
    """Return the dotted keys that an experiment or ablation sets."""
    return _leaves({k: v for k, v in _load(path).items() if k not in ("defaults", "ablation")})


def _leaves(values: dict[str, Any], above: str = "") -> set[str]:
    """Return the dotted keys of all values that are not mappings."""
    out: set[str] = set()
    for key, value in values.items():
        out |= _leaves(value, f"{above}{key}.") if isinstance(value, dict) and value else {f"{above}{key}"}
    return out
