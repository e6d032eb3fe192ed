"""Run the protocol's jobs, one after another, in the order of its arms.

``python -m experiments.real_student.run FOLDER [OVERRIDES] --model MODEL --data DATA [--arms NAME...] [--seeds N...]``

Every arm but the base is trained with each learning rate and answers the dev questions (``evaluate=dev``). The rate
with more right answers on dev, over the seeds, then answers all questions. Finished jobs are skipped, so the same
command goes on after an interruption. An arm that fails is left out. OVERRIDES, such as ``engine=openai_server``, are
for the machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from experiments.real_student.arms import ARMS, EXPLORATORY, PROTOCOL, RATES, SEEDS


class FailedError(Exception):
    """A job ended with an error."""


def job(home: Path, arm: str, seed: int, more: list[str]) -> dict[str, Any]:
    """Return the summary of a job, which is run if it is not there.

    Raises:
        FailedError: if it ends with an error.
    """
    if not (home / "summary.json").exists():
        began = time.monotonic()
        done = subprocess.run([*PROTOCOL.command("main", arm, seed, home), *more], check=False)
        if done.returncode:
            raise FailedError(f"{home}: exit {done.returncode}")
        print(f"{home.name}: {(time.monotonic() - began) / 60:.1f} minutes", flush=True)
    found: dict[str, Any] = json.loads((home / "summary.json").read_text(encoding="utf-8"))
    return found


def right_on_dev(summary: dict[str, Any]) -> int:
    """Return the number of right answers on dev after the last round."""
    stage = summary["rounds"][-1]["scores"] if summary["rounds"] else summary["baseline"]
    return sum(int(s["correct"]) for s in stage.values() if s["role"] == "dev")


def main() -> int:
    """Run every job that is missing; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", required=True, help="folder or hub id of the student")
    parser.add_argument("--data", required=True, help="folder of the data sets")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=[*ARMS, *EXPLORATORY])
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS), choices=list(SEEDS))
    parser.add_argument("overrides", nargs="*")
    args = parser.parse_args()
    root = args.folder.resolve()
    common = [f"model.source={args.model}", f"data_folder={args.data}", f"store={root / 'store'}", *args.overrides]
    failed = 0
    for arm in args.arms:
        try:
            _run(arm, args.seeds, root, common)
        except FailedError as e:  # the other arms do not need this one
            failed += 1
            print(f"{arm} is left out: {e}", flush=True)
    return min(1, failed)


def _run(arm: str, seeds: list[int], root: Path, common: list[str]) -> None:
    """Run an arm: its tries on dev, in a folder of their own, then all questions with the better rate."""
    if arm == "base":
        job(root / "main" / arm / f"s{seeds[0]}", arm, seeds[0], common)
        return
    right: dict[str, list[int]] = {}
    for rate in RATES:
        tried = [*common, f"finetuner.lr={rate}", "evaluate=dev"]
        right[rate] = [right_on_dev(job(root / "tries" / f"{arm}_{rate}" / f"s{s}", arm, s, tried)) for s in seeds]
    best = max(RATES, key=lambda rate: sum(right[rate]))
    print(f"{arm}: right on dev by learning rate {right}; {best} is taken", flush=True)
    for s in seeds:
        job(root / "main" / arm / f"s{s}", arm, s, [*common, f"finetuner.lr={best}"])


if __name__ == "__main__":
    sys.exit(main())
