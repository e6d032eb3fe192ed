"""Whether a part can be called as its Protocol says: asked at the door, before anything costs."""

from __future__ import annotations

import inspect
from typing import Any

_NAMED = inspect.Parameter.POSITIONAL_OR_KEYWORD
_KEYWORD = inspect.Parameter.KEYWORD_ONLY


def misfits(cls: type, port: type) -> str | None:
    """Return in words which method of a class does not fit its Protocol; ``None`` where all do.

    Parameters are compared by name. A stage (``__call__``) may leave out keywords that it does not need, and says what
    it returns, by which the store reads results back. What a class takes besides must have a default.
    """
    for name, wanted in vars(port).items():
        if not inspect.isfunction(wanted) or (name.startswith("_") and name != "__call__"):
            continue
        own = inspect.getattr_static(cls, name, None)
        if not inspect.isfunction(own):
            continue  # built otherwise; a method that is missing is found by its type
        if not _fits(inspect.signature(own), inspect.signature(wanted), stage=name == "__call__"):
            return f"{cls.__name__}.{name}{_shown(own)} does not fit {port.__name__}.{name}{_shown(wanted)}"
        if name == "__call__" and inspect.signature(own).return_annotation is inspect.Signature.empty:
            return f"{cls.__name__}.__call__ does not say what it returns, by which the store reads results back"
    return None


def _fits(own: inspect.Signature, wanted: inspect.Signature, *, stage: bool) -> bool:
    mine, theirs = dict(own.parameters), dict(wanted.parameters)
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in mine.values()):
        return True
    catch_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in mine.values())
    mine = {k: p for k, p in mine.items() if p.kind is not inspect.Parameter.VAR_KEYWORD}
    placed, asked = ([k for k, p in d.items() if p.kind is _NAMED] for d in (mine, theirs))
    if placed[: len(asked)] != asked:
        return False
    extra = [p for k, p in mine.items() if k not in theirs]
    if any(p.default is inspect.Parameter.empty for p in extra):
        return False
    missing = [k for k, p in theirs.items() if p.kind is _KEYWORD and k not in mine]
    return stage or catch_all or not missing


def _shown(function: Any) -> str:
    return f"({', '.join(inspect.signature(function).parameters)})"
