"""What was looked at after the protocol's runs: ``python -m experiments.error_types.afterwards FOLDER``.

Not declared and not tested: by arm and round, the share of flawed problems among candidates and among what refinement
kept (over all seeds), and the mean number of the pool's bad cases before the round.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import mean
from typing import Any

from experiments.error_types.arms import PROTOCOL

_ARMS = ("full", "full_pooled", "shuffled", "none")


def flawed(rows: list[dict[str, Any]]) -> str:
    """Return the share of flawed examples among scored candidates, in percent."""
    return f"{100 * mean(bool(r['example']['flaw']) for r in rows):.1f}"


def main(folder: Path) -> None:
    """Print the table."""
    print("| arm | flawed among candidates, % | flawed among kept, % | bad cases of the pool |\n|---|---|---|---|")
    for arm in _ARMS:
        runs = PROTOCOL.load(folder, "main", arm).values()
        cells: tuple[list[str], list[str], list[str]] = ([], [], [])
        for number in (1, 2, 3):
            files = [run["home"] / f"round_{number}" / "refined.jsonl" for run in runs]
            rows = [json.loads(line) for f in files for line in f.read_text(encoding="utf-8").splitlines()]
            cells[0].append(flawed(rows))
            cells[1].append(flawed([r for r in rows if r["kept"]]))
            cells[2].append(f"{mean(run['rounds'][number - 1]['bad_cases'] for run in runs):.0f}")
        print(f"| `{arm}` | {' | '.join(' / '.join(c) for c in cells)} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
