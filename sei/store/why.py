"""Why a result has to be made: how it differs from the nearest existing entry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_LOOKED_AT = 50  # number of newest entries of the stage to compare with
_NAMED = 3


def reason(about: dict[str, Any], home: Path) -> str:
    """Return a phrase with the differences to the nearest finished entry of the same stage; empty for the first entry.

    ``about`` is ``{"settings": canonical stage, "inputs": {name: digest}, "seed": seed}``.
    """
    others = sorted((p for p in home.parent.glob("*/about.json") if p.parent != home), key=_age)[:_LOOKED_AT]
    best: list[str] | None = None
    for path in others:
        try:
            found = differences(json.loads(path.read_text(encoding="utf-8")), about)
        except (OSError, ValueError):
            continue
        if best is None or len(found) < len(best):
            best = found
    if best is None:
        return ""
    more = f" and {len(best) - _NAMED} more" if len(best) > _NAMED else ""
    return ", ".join(best[:_NAMED]) + more


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return the differences: settings with both values, inputs by name."""
    a, b = dict(_leaves(old)), dict(_leaves(new))
    changed = [k for k in {**a, **b} if a.get(k) != b.get(k)]
    return [_worded(k, a.get(k), b.get(k)) for k in changed]


def _worded(key: str, old: Any, new: Any) -> str:
    if key.startswith("inputs."):
        return f"other {key.removeprefix('inputs.')}"
    name = key.removeprefix("settings.").replace("settings.", "")
    return f"{name} {_short(old)} -> {_short(new)}"


def _short(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 24 else text[:23] + "…"


def _leaves(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for k, v in node.items():
            yield from _leaves(v, f"{key}.{k}" if key else k)
    else:
        yield key, json.dumps(node) if isinstance(node, list) else node


def _age(path: Path) -> float:
    try:
        return -path.stat().st_mtime
    except OSError:
        return 0.0
