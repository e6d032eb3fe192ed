"""Analyses made after a protocol's runs: ``python -m experiments.error_types.afterwards FOLDER [combined_types]``.

Not declared beforehand and not tested. By arm and round: the share of flawed problems among candidates and among those
that refinement kept (over all seeds), the mean number of the pool's bad cases before the round, and the mean share of
error types with candidates scored on pooled validation cases.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import mean
from typing import Any

from experiments.combined_types.arms import PROTOCOL as COMBINED
from experiments.error_types.arms import PROTOCOL
from experiments.protocol import Protocol

_OF = {
    "error_types": (PROTOCOL, ("full", "full_pooled", "shuffled", "none")),
    "combined_types": (COMBINED, tuple(COMBINED.arms)),
}


def flawed(rows: list[dict[str, Any]]) -> str:
    """Return the share of flawed examples among scored candidates, in percent."""
    return f"{100 * mean(bool(r['example']['flaw']) for r in rows):.1f}"


def main(folder: Path, protocol: Protocol, arms: tuple[str, ...]) -> None:
    """Print the table."""
    heads = (
        "flawed among candidates, %",
        "flawed among kept, %",
        "bad cases of the pool",
        "types scored on the pool, %",
    )
    print(f"| arm | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}")
    for arm in arms:
        runs = protocol.load(folder, "main", arm).values()
        cells: tuple[list[str], ...] = ([], [], [], [])
        for number in (1, 2, 3):
            files = [run["home"] / f"round_{number}" / "refined.jsonl" for run in runs]
            rows = [json.loads(line) for f in files for line in f.read_text(encoding="utf-8").splitlines()]
            cells[0].append(flawed(rows))
            cells[1].append(flawed([r for r in rows if r["kept"]]))
            cells[2].append(f"{mean(run['rounds'][number - 1]['bad_cases'] for run in runs):.0f}")
            pooled = mean(run["rounds"][number - 1]["pooled_validation_share"] for run in runs)
            cells[3].append(f"{100 * pooled:.0f}")
        print(f"| `{arm}` | {' | '.join(' / '.join(c) for c in cells)} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *_OF[sys.argv[2] if len(sys.argv) > 2 else "error_types"])
