"""The jobs of a sweep in words: the name of each method, and the varied settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sei.compare.methods import method_names
from sei.report.page.files import Files

_PLACES = ("store", "tracker", "name")  # these settings are places and do not change results


def methods_of(jobs: Iterable[Files]) -> list[str]:
    """Return the name of every job's method as in the tables of ``sei.compare``; empty without a config."""
    configs = [files.yaml(".hydra/config.yaml") for files in jobs]
    known = [c for c in configs if isinstance(c, dict)]
    names = iter(method_names(known) if known else [])
    return [next(names) if isinstance(c, dict) else "" for c in configs]


def varied(overrides: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """Return every setting with different overrides among the jobs, with its number of values; the seed comes last."""
    given = [dict(_pair(o) for o in job) for job in overrides]
    names = dict.fromkeys(k for job in given for k in job if k not in _PLACES and not k.startswith("hydra"))
    counts = {k: len({job.get(k) for job in given}) for k in names}
    found = [{"setting": k, "values": n} for k, n in counts.items() if n > 1]
    return sorted(found, key=lambda f: bool(f["setting"] == "seed"))


def _pair(override: str) -> tuple[str, str]:
    name, _, value = override.lstrip("+~").partition("=")
    return name, value
