"""The jobs of a sweep in words: what each method is called, and which settings were varied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sei.compare.methods import method_names
from sei.report.page.files import Files

_PLACES = ("store", "tracker", "name")  # say where, and not what


def methods_of(jobs: Iterable[Files]) -> list[str]:
    """Return what the method of every job is called in the tables of ``sei.compare``; empty where its config is not."""
    configs = [files.yaml(".hydra/config.yaml") for files in jobs]
    known = [c for c in configs if isinstance(c, dict)]
    names = iter(method_names(known) if known else [])
    return [next(names) if isinstance(c, dict) else "" for c in configs]


def varied(overrides: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """Return every setting of which jobs have different overrides, with its number of values; the seed comes last."""
    given = [dict(_pair(o) for o in job) for job in overrides]
    names = dict.fromkeys(k for job in given for k in job if k not in _PLACES and not k.startswith("hydra"))
    counts = {k: len({job.get(k) for job in given}) for k in names}
    found = [{"setting": k, "values": n} for k, n in counts.items() if n > 1]
    return sorted(found, key=lambda f: bool(f["setting"] == "seed"))


def _pair(override: str) -> tuple[str, str]:
    name, _, value = override.lstrip("+~").partition("=")
    return name, value
