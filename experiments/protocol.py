"""Frozen protocols: blocks of arms over seeds, the ``sei`` command of each job, running the jobs, reading the results.

A protocol's folder contains its arms, its tables and its README, which is committed before any of its seeds is run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Arms = Mapping[str, tuple[str, ...]]  # arm: the overrides that define it


@dataclass(frozen=True)
class Protocol:
    """``blocks``: by name, the overrides common to its arms, and the arms. ``experiment`` is in every command."""

    experiment: str
    seeds: tuple[int, ...]
    arms: Arms
    blocks: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]

    def command(self, block: str, arm: str, seed: int, folder: Path) -> list[str]:
        """Return the ``sei`` command of one job."""
        return [
            *(sys.executable, "-m", "sei", f"experiment={self.experiment}", "tracker=local", f"seed={seed}"),
            *(*self.blocks[block][0], *self.arms[arm], f"hydra.run.dir={folder}"),
        ]

    def load(self, folder: Path, block: str, arm: str) -> dict[int, dict[str, Any]]:
        """Return the summaries of an arm by seed, each with its folder as ``home``; seeds not run are missing."""
        found = {}
        for seed in self.seeds:
            home = folder / block / arm / f"s{seed}"
            if (home / "summary.json").exists():
                found[seed] = {**json.loads((home / "summary.json").read_text()), "home": home}
        return found


def scores(run: Mapping[str, Any], which: str) -> dict[str, Any]:
    """Return the scores of the base, the last round or the best round on dev."""
    stages = [run["baseline"], *(r["scores"] for r in run["rounds"])]
    at = {"base": 0, "last": len(stages) - 1, "best": run["best_round"]}[which]
    found: dict[str, Any] = stages[at]
    return found


def values(runs: Mapping[int, Mapping[str, Any]], name: str, which: str, field: str = "accuracy") -> dict[int, float]:
    """Return a metric of a set by seed, in percent."""
    return {seed: 100 * scores(run, which)[name][field] for seed, run in runs.items()}


def run(protocol: Protocol, description: str) -> int:
    """Run all jobs of the chosen blocks from the command line; returns the exit code.

    Every job is one command in its own folder, and finished jobs are skipped, so the same command resumes after an
    interruption. Arms come first, so that parallel jobs have different seeds.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--blocks", nargs="+", default=list(protocol.blocks), choices=list(protocol.blocks))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(protocol.seeds), choices=list(protocol.seeds))
    parser.add_argument("--jobs", type=int, default=2, help="jobs at the same time")
    args = parser.parse_args()
    root = args.folder.resolve()
    jobs = [(b, a, s) for b in args.blocks for a in protocol.blocks[b][1] for s in args.seeds]
    failed = 0
    with ThreadPoolExecutor(args.jobs) as pool:
        results = pool.map(lambda j: _run_one(protocol, j[0], j[1], j[2], root), jobs)
        for i, (name, code) in enumerate(results, 1):
            failed += code != 0
            print(f"{i}/{len(jobs)} {name}", flush=True)
    return 1 if failed else 0


def _run_one(protocol: Protocol, block: str, arm: str, seed: int, root: Path) -> tuple[str, int]:
    folder, name = root / block / arm / f"s{seed}", f"{block}/{arm}/s{seed}"
    if (folder / "summary.json").exists():
        return name, 0
    command = protocol.command(block, arm, seed, folder)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name}: exit {done.returncode}\n{done.stderr[-2000:]}", file=sys.stderr)
    return name, done.returncode
