"""Self-Error-Instruct: teach a language model from its own kinds of mistakes.

From Python: ``sei.run(["experiment=smoke"])`` makes a run and returns it. ``sei.load(FOLDER)`` returns an earlier run,
``sei.load_sweep(FOLDER)`` the runs of a sweep. Their modules are imported at the first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sei.api import run
    from sei.loaded import Run
    from sei.loading import load, load_sweep

__all__ = ["Run", "load", "load_sweep", "run"]
_FROM = {"run": "sei.api", "Run": "sei.loaded", "load": "sei.loading", "load_sweep": "sei.loading"}


def __getattr__(name: str) -> Any:
    """Import a name at its first use, so that ``import sei`` stays fast."""
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_FROM[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
