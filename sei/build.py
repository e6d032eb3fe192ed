"""Builds checked parts from a resolved config node; every refusal names the key, the value, the rule and the remedy."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import sys
from collections.abc import Iterable
from typing import Any, Protocol, get_args, get_type_hints

import pydantic

from sei.contracts import misfits
from sei.errors import ConfigError
from sei.former import FORMER
from sei.imports import look_here, sources
from sei.parts import is_part_class


def refuse(key: str, value: Any, rule: str, remedy: str) -> ConfigError:
    """Return the error for a refused value: the key, the value, the rule and the remedy."""
    return ConfigError(f"{key}={value!r}: {rule}. Remedy: {remedy}.")


def build(node: Any, key: str, plugins: tuple[str, ...]) -> Any:
    """Build a resolved config node: a dict with ``_target_`` becomes a part, everything else stays plain.

    Equal nodes below it become one part, so all stages share one instructor with one budget and one ledger.

    Raises:
        ConfigError: naming the key, the value, the rule and the remedy.
    """
    return _build(node, key, plugins, {})


_WIRING = ("cluster", "method")  # these entries hold the other parts


def build_all(config: dict[str, Any], keys: Iterable[str], plugins: tuple[str, ...]) -> dict[str, Any]:
    """Build some entries of a resolved config. Equal nodes of all entries become one part.

    Entries that are parts themselves (``refiner``) are built first. So a refusal names the key that a user writes, not
    the place that holds the part (``method.refine``).

    Raises:
        ConfigError: as ``build``.
    """
    made: dict[str, Any] = {}
    for key in sorted(config, key=lambda k: k in _WIRING):
        if isinstance(config[key], dict) and "_target_" in config[key]:
            _build(config[key], key, plugins, made)
    return {k: _build(config[k], k, plugins, made) for k in keys}


def _build(node: Any, key: str, plugins: tuple[str, ...], made: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_build(v, f"{key}[{i}]", plugins, made) for i, v in enumerate(node)]
    if not isinstance(node, dict):
        return node
    if "_target_" not in node:
        return {k: _build(v, f"{key}.{k}", plugins, made) for k, v in node.items()}
    text = repr(node)
    if text not in made:
        made[text] = _part(node, key, plugins, made)
    return made[text]


_HELD_BY = {"scores": ("sei.stages.refine", "Refine", "scorer")}
"""If a part has this method, it is one setting of a stage. One config node holds both, and they are separated here."""


def _part(node: dict[str, Any], key: str, plugins: tuple[str, ...], made: dict[str, Any]) -> Any:
    fields = {k: _build(v, f"{key}.{k}", plugins, made) for k, v in node.items() if k != "_target_"}
    target = _locate(str(node["_target_"]), key, plugins)
    for method, (module, name, setting) in _HELD_BY.items():
        if hasattr(target, method):
            stage = getattr(importlib.import_module(module), name)
            of_stage = {f.name for f in dataclasses.fields(stage)} - {setting}
            own = {k: fields.pop(k) for k in sorted(of_stage & set(fields))}
            held = _made(target, fields, key, more=of_stage)
            return _made(stage, {**own, setting: held}, key)
    return _made(target, fields, key)


def _made(target: Any, fields: dict[str, Any], key: str, more: Iterable[str] = ()) -> Any:
    """Build a part. ``more`` names further fields that its config node may hold."""
    try:
        made = target(**fields)
    except pydantic.ValidationError as e:
        first = e.errors()[0]
        where = ".".join([key, *(str(x) for x in first["loc"])])
        known = sorted({*(f.name for f in dataclasses.fields(target)), *more})
        remedy = f"{target.__name__} takes {known}" if "unexpected" in first["type"] else "see the comment in conf/"
        raise refuse(where, first.get("input"), first["msg"], remedy) from e
    for name, port in _ports(target).items():
        for x in _items(getattr(made, name)):
            require_fit(f"{key}.{name}", x, port)
    return made


def require_fit(key: str, made: Any, port: type) -> None:
    """Refuse a part that lacks a method of its Protocol, or has one with other parameters.

    Raises:
        ConfigError: naming the key, the class and the method.
    """
    cls, wanted = type(made), [n for n, v in vars(port).items() if inspect.isfunction(v) and not n.startswith("_")]
    if missing := [n for n in wanted if not hasattr(cls, n)]:
        lacks = f"{cls.__name__} has no method {missing[0]}, which {port.__name__} needs"
        raise refuse(key, cls.__name__, lacks, f"write it as in sei.ports.{port.__name__}")
    if misfit := misfits(cls, port):
        raise refuse(key, cls.__name__, misfit, f"use the same parameter names as sei's {port.__name__}")


def _ports(target: Any) -> dict[str, Any]:
    """Return the fields of a part whose type is a Protocol."""
    found: dict[str, Any] = {}
    for name, hint in get_type_hints(target).items():
        for p in (hint, *get_args(hint)):
            if name in target.__dataclass_fields__ and isinstance(p, type) and Protocol in p.__mro__:
                found[name] = p
    return found


def _items(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else [value]


def _locate(target: str, key: str, plugins: tuple[str, ...]) -> Any:
    module, _, name = target.rpartition(".")
    if module.split(".")[0] not in ("sei", *plugins):
        raise refuse(f"{key}._target_", target, "parts come from sei or a package under plugins", "plugins=[package]")
    package = module.split(".")[0]
    if package != "sei":
        look_here()
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError, SyntaxError) as e:
        moved = next((name for name, path in FORMER.items() if path == target), None)
        remedy = f"it moved; the file for {moved} in conf/ has its new path" if moved else _whence(package)
        raise refuse(f"{key}._target_", target, f"no such part ({e})", remedy) from e
    if not is_part_class(found):
        raise refuse(f"{key}._target_", target, "not a part", "decorate the class with sei.parts.part")
    if package != "sei":
        sources(package)  # note the source files as imported
    return found


def _whence(package: str) -> str:
    """Return the remedy for a class that is not found, with the place of its package."""
    found = sys.modules.get(package)
    if found is None:
        return f"{package}.py or a folder {package} in the current folder, or {package} installed; check the path too"
    place = getattr(found, "__file__", None) or next(iter(getattr(found, "__path__", [])), "built in")
    return f"check the path of the class; {package} is {place}"
