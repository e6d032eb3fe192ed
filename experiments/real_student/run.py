"""Run the protocol's jobs, one after another, in the order of its arms.

``python -m experiments.real_student.run FOLDER [OVERRIDES] --model MODEL --data DATA [--arms NAME...] [--seeds N...]``

Every arm but the base is trained with each learning rate and answers the dev questions (``evaluate=dev``). The rate
with more right answers on dev, over the seeds, then answers all questions. Finished jobs are skipped, so the same
command goes on after an interruption. OVERRIDES, such as ``engine=openai_server``, are for the machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from experiments.real_student.arms import ARMS, PROTOCOL, RATES, SEEDS


def job(home: Path, arm: str, seed: int, more: list[str]) -> dict[str, Any]:
    """Return the summary of a job, which is run if it is not there."""
    if not (home / "summary.json").exists():
        began = time.monotonic()
        done = subprocess.run([*PROTOCOL.command("main", arm, seed, home), *more], check=False)
        if done.returncode:
            raise SystemExit(f"{home}: exit {done.returncode}")
        print(f"{home.name}: {(time.monotonic() - began) / 60:.1f} minutes", flush=True)
    found: dict[str, Any] = json.loads((home / "summary.json").read_text(encoding="utf-8"))
    return found


def right_on_dev(summary: dict[str, Any]) -> int:
    """Return the number of right answers on dev after the last round."""
    stage = summary["rounds"][-1]["scores"] if summary["rounds"] else summary["baseline"]
    return sum(int(s["correct"]) for s in stage.values() if s["role"] == "dev")


def main() -> None:
    """Run every job that is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", required=True, help="folder or hub id of the student")
    parser.add_argument("--data", required=True, help="folder of the data sets")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS), choices=list(SEEDS))
    parser.add_argument("overrides", nargs="*")
    args = parser.parse_args()
    root = args.folder.resolve() / "main"
    common = [f"model.source={args.model}", f"data_folder={args.data}", f"store={root.parent / 'store'}"]
    common += args.overrides
    for arm in args.arms:
        if arm == "base":
            job(root / arm / f"s{args.seeds[0]}", arm, args.seeds[0], common)
            continue
        right: dict[str, list[int]] = {}
        for rate in RATES:
            tried = [*common, f"finetuner.lr={rate}", "evaluate=dev"]
            found = [job(root / f"{arm}_dev_{rate}" / f"s{s}", arm, s, tried) for s in args.seeds]
            right[rate] = [right_on_dev(f) for f in found]
        best = max(RATES, key=lambda rate: sum(right[rate]))
        print(f"{arm}: right on dev by learning rate {right}; {best} is taken", flush=True)
        for s in args.seeds:
            job(root / arm / f"s{s}", arm, s, [*common, f"finetuner.lr={best}"])


if __name__ == "__main__":
    sys.exit(main())
