"""Checks that a part can be called as its Protocol requires. This runs before a run costs anything."""

from __future__ import annotations

import inspect
from typing import Any

_NAMED = inspect.Parameter.POSITIONAL_OR_KEYWORD
_KEYWORD = inspect.Parameter.KEYWORD_ONLY


def misfits(cls: type, port: type) -> str | None:
    """Return a text that names the first method of a class that does not fit its Protocol; ``None`` if all fit.

    Parameters are compared by name. Additional ones of the class need a default. A stage (``__call__``) may leave out
    keywords that it does not need, and must annotate its return type, since the store uses it to read results back.
    """
    for name, wanted in vars(port).items():
        if not inspect.isfunction(wanted) or (name.startswith("_") and name != "__call__"):
            continue
        own = inspect.getattr_static(cls, name, None)
        if not inspect.isfunction(own):
            continue  # not a plain function; the type check finds missing methods
        if not _fits(inspect.signature(own), inspect.signature(wanted), stage=name == "__call__"):
            return f"{cls.__name__}.{name}{_shown(own)} does not fit {port.__name__}.{name}{_shown(wanted)}"
        if name == "__call__" and inspect.signature(own).return_annotation is inspect.Signature.empty:
            return f"{cls.__name__}.__call__ has no return annotation; the store needs it to read results back"
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
