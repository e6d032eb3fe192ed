"""Run the protocol's jobs: ``python -m experiments.first_measurement.run FOLDER [--blocks main ...] [--jobs 2]``.

Every job is one ``sei`` command in a folder of its own; finished ones are passed over, so the same
command goes on after an interruption.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from experiments.first_measurement.arms import ARMS, BLOCKS, SEEDS


def command(block: str, arm: str, seed: int, folder: Path) -> list[str]:
    """Return the ``sei`` command of one job."""
    shared, _ = BLOCKS[block]
    return [
        *(sys.executable, "-m", "sei", "experiment=first_measurement", "tracker=local", f"seed={seed}"),
        *(*shared, *ARMS[arm], f"hydra.run.dir={folder}"),
    ]


def run_one(block: str, arm: str, seed: int, root: Path) -> tuple[str, int]:
    """Run one job unless its summary is there; returns its name and exit code."""
    folder = root / block / arm / f"s{seed}"
    name = f"{block}/{arm}/s{seed}"
    if (folder / "summary.json").exists():
        return name, 0
    done = subprocess.run(command(block, arm, seed, folder), capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name}: exit {done.returncode}\n{done.stderr[-2000:]}", file=sys.stderr)
    return name, done.returncode


def main() -> int:
    """Run all jobs of the chosen blocks, arms first, so that jobs at the same time have different seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--blocks", nargs="+", default=list(BLOCKS), choices=list(BLOCKS))
    parser.add_argument("--jobs", type=int, default=2, help="jobs at the same time")
    args = parser.parse_args()
    jobs = [(b, a, s) for b in args.blocks for a in BLOCKS[b][1] for s in SEEDS]
    failed = 0
    with ThreadPoolExecutor(args.jobs) as pool:
        results = pool.map(lambda j: run_one(j[0], j[1], j[2], args.folder.resolve()), jobs)
        for i, (name, code) in enumerate(results, 1):
            failed += code != 0
            print(f"{i}/{len(jobs)} {name}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
