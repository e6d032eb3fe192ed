"""avg@k of one seed and k seeds of one answer each: ``python -m experiments.measurements.avg_at_k --store FOLDER``.

The embedded base answers its test sets at temperature 0.8. Both means estimate the same number. The interval of avg@k
is clustered by problem; the spread of the k single means shows how much of it comes from sampling alone.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import sei
from sei.loaded import ScoreRow


def scores(store: str, seed: int, samples: int, *more: str) -> dict[str, ScoreRow]:
    """Return the scores of the base by test set, with ``samples`` answers per problem."""
    how = (f"seed={seed}", f"engine.samples={samples}", "engine.temperature=0.8", f"store={store}")
    with tempfile.TemporaryDirectory() as place:
        run = sei.run(["rounds=0", "tracker=none", f"hydra.run.dir={place}/run", *how, *more])
        return {row.set: row for row in run.scores()}


def main() -> None:
    """Print one row per set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default=str(Path(tempfile.gettempdir()) / "avg_at_k"))
    parser.add_argument("--k", type=int, default=8)
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_args()
    many = scores(given.store, 0, given.k, *given.overrides)
    single = [scores(given.store, seed, 1, *given.overrides) for seed in range(given.k)]
    print(
        f"| set | problems | avg@{given.k}, seed 0 [95 %] | maj | single answers, {given.k} seeds: mean (range, sd) |"
    )
    print("|---|---|---|---|---|")
    for name, row in many.items():
        found = [100 * s[name].accuracy for s in single]
        mine = f"{100 * row.accuracy:.1f} [{100 * row.low:.1f}, {100 * row.high:.1f}]"
        spread = f"{statistics.mean(found):.1f} ({min(found):.1f} to {max(found):.1f}, {statistics.stdev(found):.1f})"
        majority = "-" if row.majority is None else f"{100 * row.majority:.1f}"
        print(f"| {name} | {row.n // row.samples} | {mine} | {majority} | {spread} |")


if __name__ == "__main__":
    main()
