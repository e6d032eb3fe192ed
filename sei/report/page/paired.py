"""The changes between the base and the shown round, item by item on the same problems."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sei.report.lm_eval import FLEXIBLE
from sei.report.page.files import Files
from sei.statistics import matched_difference

_SAMPLES = re.compile(r"samples_(.+)_\d{4}-\d\d-\d\dT[\d.-]+\.jsonl")


def changes(files: Files, number: int) -> dict[str, dict[str, Any]]:
    """Return, for every held-out set, the items fixed and broken between the base and a round, with an interval.

    Sets without saved samples of both are left out.
    """
    before, after = _samples(files.home / "base"), _samples(files.home / f"round_{number}")
    return {name: change(_right(files, before[name]), _right(files, after[name])) for name in before if name in after}


def change(before: dict[str, bool], after: dict[str, bool]) -> dict[str, Any]:
    """Return ``fixed``, ``broken``, ``n`` and the 95 % interval of the difference of two shares on the same items."""
    both = [(before[i], after[i]) for i in before if i in after]
    fixed, broken = both.count((False, True)), both.count((True, False))
    ends = matched_difference(fixed, broken, len(both)).ends
    return {"n": len(both), "fixed": fixed, "broken": broken, "ci95": [*ends]}


def _samples(home: Path) -> dict[str, str]:
    """Return the newest sample file of every set, as a path below the run folder."""
    found = ((_SAMPLES.fullmatch(p.name), p) for p in sorted((home / "lm_eval").glob("samples_*.jsonl")))
    return {match[1]: f"{home.name}/lm_eval/{path.name}" for match, path in found if match}


def _right(files: Files, name: str) -> dict[str, bool]:
    return files.once(f"right/{name}", [name], lambda: _read_right(files, name))


def _read_right(files: Files, name: str) -> dict[str, bool]:
    rows = files.rows(name, "doc", "filter", "exact_match")
    return {r["doc"]["id"]: r["exact_match"] == 1 for r in rows if r["filter"] == FLEXIBLE}
