"""Settings that no part reads, and settings that undo the ablation of a config."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from sei.build import refuse

_NOTHING = object()


def require_keys(plain: Mapping[str, Any], conf: Path) -> None:
    """Refuse unknown keys in mappings that are no parts, since Hydra takes them from files in silence.

    ``plain``: a resolved config. ``conf``: the folder of the packaged config.

    Raises:
        ConfigError: names the key and the nearest one.
    """
    usual = yaml.safe_load((conf / "config.yaml").read_text(encoding="utf-8"))
    known = {"scoring": set(usual["scoring"]), "bad_cases": set(usual["bad_cases"]), "ablation": {"name", "sets"}}
    for group, keys in known.items():
        for key in sorted((plain.get(group) or {}).keys() - keys):
            near = difflib.get_close_matches(str(key), keys, 1) or sorted(keys)
            raise refuse(f"{group}.{key}", plain[group][key], "unknown key", f"{group}.{near[0]}")


def require_prompts(plain: Mapping[str, Any]) -> None:
    """Refuse an own prompt for the method beside packaged ones for its controls, which would not compare.

    Raises:
        ConfigError: names the prompt that is missing.
    """
    own = plain["prompts"]
    for group, part, name in (("clusterer", "NoClustering", "unnamed"), ("synthesizer", "RandomSynthesis", "random")):
        chosen = str((plain.get(group) or {}).get("_target_", "")).rpartition(".")[2] == part
        if chosen and own.get("synthesize") is not None and own.get(name) is None:
            rule = f"{part} asks with prompts.{name}, and your own text beside a packaged one would not compare"
            raise refuse("prompts.synthesize", own["synthesize"], rule, f"prompts.{name}=FILE as well")


def require_ablation(plain: Mapping[str, Any], choices: Mapping[str, Any], conf: Path) -> None:
    """Refuse a config that undoes what its ablation sets, also by a key that takes its value from a set one.

    ``choices``: the option of every group. The ablation's ``sets`` name a group or a setting, and the value wanted.

    Raises:
        ConfigError: names the key and the ablation.
    """
    ablation = plain["ablation"] or {}
    if ablation and "ablation" not in choices:  # Hydra names no choice of a list
        rule = "one ablation, since its name stands for the run"
        raise refuse("ablation", ablation.get("name"), rule, "a sweep of several (ablation=A,B -m)")
    for key, wanted in (ablation.get("sets") or {}).items():
        if key in choices:
            _require(key, choices[key], wanted, ablation["name"])
            continue
        for place in (key, *_taking_from(key, choices, conf)):
            found = _at(plain, place)
            if found is not _NOTHING or place == key:
                _require(place, None if found is _NOTHING else found, wanted, ablation["name"])


def _require(key: str, found: Any, wanted: Any, name: str) -> None:
    if found != wanted:
        rule = f"contradicts ablation={name}, which sets {key}={wanted}"
        raise refuse(key, found, rule, f"drop {key}={found}, or use ablation=full")


def _taking_from(key: str, choices: Mapping[str, Any], conf: Path) -> Iterator[str]:
    """Yield the settings of the packaged config and of the chosen options that refer to ``key`` alone."""
    files = {"": conf / "config.yaml"}
    files |= {g: conf / g / f"{c}.yaml" for g, c in choices.items() if g.isidentifier() and isinstance(c, str)}
    for group, path in files.items():
        held = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
        for place, value in _leaves(held or {}):
            if value == f"${{{key}}}":
                yield f"{group}.{place}" if group else place


def _leaves(node: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for k, v in node.items():
            yield from _leaves(v, f"{above}.{k}" if above else str(k))
    else:
        yield above, node


def _at(plain: Any, place: str) -> Any:
    for part in place.split("."):
        if not isinstance(plain, Mapping) or part not in plain:
            return _NOTHING
        plain = plain[part]
    return plain
