"""The changes between the base and the shown round, item by item on the same problems."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from sei.report.lm_eval import FLEXIBLE, MAJORITY
from sei.report.page.files import Files
from sei.statistics import matched_difference, t_interval

_SAMPLES = re.compile(r"samples_(.+)_\d{4}-\d\d-\d\dT[\d.-]+\.jsonl")


class Right(NamedTuple):
    """The share of an item's answers that are right, and whether their majority is."""

    share: float
    majority: bool


def changes(files: Files, number: int) -> dict[str, dict[str, Any] | None]:
    """Return, for every held-out set, the items fixed and broken between the base and a round, with an interval.

    Sets without saved samples of both are left out.
    """
    before, after = _samples(files.home / "base"), _samples(files.home / f"round_{number}")
    return {name: change(_right(files, before[name]), _right(files, after[name])) for name in before if name in after}


def change(before: dict[str, Right], after: dict[str, Right]) -> dict[str, Any] | None:
    """Return ``fixed``, ``broken``, ``n`` and the mean difference with its 95 % interval on the common items, if any.

    An item with several answers counts as right if their majority is. The difference is that of the shares of right
    answers; its interval is then Student's over items.
    """
    both = [(before[i], after[i]) for i in before if i in after]
    if not both:
        return None
    majorities = [(a.majority, b.majority) for a, b in both]
    fixed, broken = majorities.count((False, True)), majorities.count((True, False))
    differences = [b.share - a.share for a, b in both]
    found = {"n": len(both), "fixed": fixed, "broken": broken, "mean": sum(differences) / len(both)}
    whole = all(x.share in (0.0, 1.0) and x.majority == (x.share == 1.0) for pair in both for x in pair)
    if whole:
        return {**found, "ci95": [*matched_difference(fixed, broken, len(both)).ends]}
    return {**found, "ci95": [*t_interval(differences).ends] if len(both) > 1 else [-1.0, 1.0]}


def _samples(home: Path) -> dict[str, str]:
    """Return the newest sample file of every set, as a path below the run folder."""
    found = ((_SAMPLES.fullmatch(p.name), p) for p in sorted((home / "lm_eval").glob("samples_*.jsonl")))
    return {match[1]: f"{home.name}/lm_eval/{path.name}" for match, path in found if match}


def _right(files: Files, name: str) -> dict[str, Right]:
    return files.once(f"right/{name}", [name], lambda: _read_right(files, name))


def _read_right(files: Files, name: str) -> dict[str, Right]:
    rows = files.rows(name, "doc", "filter", "exact_match")
    return {
        r["doc"]["id"]: Right(r["exact_match"], r.get(MAJORITY, r["exact_match"] > 0.5))
        for r in rows
        if r["filter"] == FLEXIBLE
    }
