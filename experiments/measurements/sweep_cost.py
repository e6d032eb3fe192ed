"""The savings of sharing in a sweep: the wall time of its jobs together, and of the same jobs separately.

``python -m experiments.measurements.sweep_cost FOLDER [--jobs 2] [--parts together apart] [--only OVERRIDE...]
-- OVERRIDE...``, for example
``python -m experiments.measurements.sweep_cost cost -- 'ablation=glob(*)' seed=0,1,2,3,4``

*Together* is one ``sei -m`` command with an empty store and joblib's launcher. *Apart* runs every job as its own
command with its own empty store. Both run ``--jobs`` at the same time. ``--only seed=0 seed=1`` limits *apart* to jobs
with one of these overrides, if all would be too many. Printed are both wall times; for the jobs that ran both ways, the
ratio of their own times (waiting for each other included); the numbers of results made and made more than once; and
whether both ways have equal scores. A finished part is not run again, so the two may run on different days. Compare
only times from the same quiet machine.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_BY_ROW = ("attempts", "diagnose")  # entries of these stages grow row by row, so one entry has several uses
_SEI = (sys.executable, "-m", "sei", "tracker=local")


def together(home: Path, overrides: Sequence[str], jobs: int) -> float:
    """Run the sweep with a new store; returns seconds.

    Raises:
        RuntimeError: if a job failed, with the end of its output.
    """
    own = (f"store={home / 'store'}", f"hydra.sweep.dir={home / 'sweep'}", "-m")
    return _timed([*_SEI, *overrides, "hydra/launcher=joblib", f"hydra.launcher.n_jobs={jobs}", *own])


def apart(home: Path, jobs_of: Mapping[str, Sequence[str]], jobs: int) -> float:
    """Run every job (overrides by number) with its own new store, ``jobs`` at the same time; returns seconds."""

    def one(number: str) -> None:
        own = (f"store={home / number / 'store'}", f"hydra.run.dir={home / number / 'run'}")
        seconds = _timed([*_SEI, *jobs_of[number], *own])
        (home / number / "seconds").write_text(f"{seconds}\n")

    start = time.perf_counter()
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, jobs_of))
    return time.perf_counter() - start


def _timed(command: Sequence[str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return time.perf_counter() - start


def made(runs: Sequence[Path]) -> Counter[tuple[str, str]]:
    """Return how many results these runs made, by stage and key."""
    count: Counter[tuple[str, str]] = Counter()
    for run in runs:
        for use in json.loads((run / "ledger.json").read_text(encoding="utf-8"))["uses"]:
            count[use["stage"], use["key"]] += use["made"]
    return count


def made_twice(runs: Sequence[Path], store: Path) -> dict[str, int]:
    """Return, by stage, how many results in a store were made more than once by the runs that share it."""
    twice: Counter[str] = Counter()
    for (stage, key), n in made(runs).items():
        rows = store / stage / key / "rows.jsonl"
        kept = len(rows.read_bytes().splitlines()) if stage in _BY_ROW else 1
        twice[stage] += max(0, n - kept)
    return {stage: n for stage, n in twice.items() if n}


def waits(runs: Sequence[Path]) -> list[float]:
    """Return the seconds that the runs waited for results which another one made, by their logs."""
    said = ((run / "sei.log").read_text(encoding="utf-8") for run in runs if (run / "sei.log").exists())
    return [float(s) for text in said for s in re.findall(r"\] - waited ([\d.]+) s for ", text)]


def scores(run: Path) -> Any:
    """Return the scores of all stages of a run."""
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    return [summary["baseline"], *(r["scores"] for r in summary["rounds"])]


def report(home: Path) -> str:
    """Return the results of the finished parts below a folder, one line each."""
    lines, seconds = [], _seconds(home)
    joint = _jobs(home / "together" / "sweep") if "together" in seconds else {}
    own = {p.parent.name: p for p in sorted((home / "apart").glob("*/run"))}
    if joint:
        runs = [Path(j["folder"]) for j in joint.values()]
        twice = made_twice(runs, home / "together" / "store")
        total = sum(made(runs).values())
        lines += [f"together: {seconds['together']:.0f} s, {len(runs)} jobs, {total} results, made twice: {twice or 0}"]
        lines += [f"waits for another job: {len(waits(runs))}, {sum(waits(runs)):.0f} s in all"]
    if "apart" in seconds:
        total = sum(made(list(own.values())).values())
        lines += [f"apart: {seconds['apart']:.0f} s, {len(own)} jobs, {total} results"]
    if joint and "apart" in seconds:
        differ = [n for n in own if scores(own[n]) != scores(Path(joint[n]["folder"]))]
        mine = sum(joint[n]["seconds"] for n in own)
        theirs = sum(float((p.parent / "seconds").read_text()) for p in own.values())
        if len(own) == len(joint):
            lines += [f"wall time, together / apart: {seconds['together'] / seconds['apart']:.2f}"]
        lines += [
            f"of {len(own)} jobs that ran both ways: {mine:.0f} s together, {theirs:.0f} s apart, {mine / theirs:.2f}",
            f"jobs with other scores: {differ or 'none'}",
        ]
    return "\n".join(lines)


def _jobs(sweep: Path) -> dict[str, dict[str, Any]]:
    jobs: dict[str, dict[str, Any]] = json.loads((sweep / "sweep.json").read_text(encoding="utf-8"))["jobs"]
    return jobs


def _seconds(home: Path) -> dict[str, float]:
    return {p.parent.name: float(p.read_text()) for p in home.glob("*/seconds")}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the unfinished parts and print the results; the exit code is 2 if a part was interrupted."""
    program = "python -m experiments.measurements.sweep_cost"
    parser = argparse.ArgumentParser(prog=program, description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("override", nargs="+", help="overrides of the sweep, as for sei -m")
    parser.add_argument("--jobs", type=int, default=2, help="jobs at the same time")
    parser.add_argument("--only", nargs="+", default=[], help="run apart only jobs with one of these overrides")
    parser.add_argument("--parts", nargs="+", default=["together", "apart"], choices=["together", "apart"])
    args = parser.parse_args(argv)
    home = args.folder.resolve()
    for part in sorted(args.parts, reverse=True):  # together first: it determines the jobs
        if part in _seconds(home):
            continue
        if (home / part).exists():
            print(f"error: {home / part} was interrupted, its time would be wrong. Remedy: remove it", file=sys.stderr)
            return 2
        if part == "together":
            seconds = together(home / part, args.override, args.jobs)
        else:
            wanted = {
                n: j["overrides"]
                for n, j in sorted(_jobs(home / "together" / "sweep").items(), key=lambda kv: int(kv[0]))
                if not args.only or set(args.only) & set(j["overrides"])
            }
            seconds = apart(home / part, wanted, args.jobs)
        (home / part / "seconds").write_text(f"{seconds}\n")
    print(report(home))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
