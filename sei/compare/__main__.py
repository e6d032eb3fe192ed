"""Command line: ``python -m sei.compare FOLDER... [--out DIR] [--base-arm NAME] [--checkpoint best|last]``.

Prints the tables as Markdown; with ``--out`` also writes them as .md, .tex and .csv, and figures as PDF and PNG.
Exit code 2 if there is nothing to show. Runs without numbers are listed and otherwise ignored.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sei.compare.build import ablation_tables, budget_table, main_table, rounds_tables
from sei.compare.cells import Result
from sei.compare.measures import STAGES, Stage
from sei.compare.methods import Block, blocks
from sei.compare.render import csv_text, latex, markdown
from sei.compare.runs import Run, Skipped, collect, left_out
from sei.exits import end_with_the_pipe
from sei.printable import printable
from sei.store import write_atomic

_WHICH = {"best": "the best checkpoint on dev (the run's model)", "last": "the last round"}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables of the folders in ``argv`` (default: the command line) and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sei.compare", description=__doc__.splitlines()[2])
    parser.add_argument("folder", nargs="+", type=Path, help="run folders or folders of runs")
    parser.add_argument("--out", type=Path, help="folder for .md, .tex, .csv and figures")
    parser.add_argument("--expect", action="append", default=[], help="method to list in the main table in any case")
    parser.add_argument("--base-arm", help="name (or part of it) of the method to compare others with")
    parser.add_argument("--checkpoint", choices=list(STAGES), default="best", help="which checkpoint of a run to use")
    args = parser.parse_args(argv)
    missing = [str(f) for f in args.folder if not f.is_dir()]
    if missing:
        return _fail(f"no such folder: {', '.join(missing)}")
    runs, skipped = collect(args.folder)
    if not runs:
        found = "; ".join(f"{s.folder}: {s.reason}" for s in skipped)
        where = ", ".join(map(str, args.folder))
        return _fail(f"no finished run below {where}{f' ({found})' if found else ' (a run folder has summary.json)'}")
    try:
        grouped, older = blocks(runs, args.base_arm)
    except ValueError as e:
        return _fail(f"--base-arm: {e}")
    stage = STAGES[args.checkpoint]
    results = _results(grouped, stage, args.expect)
    print(f"{len(runs)} runs; accuracy is of {_WHICH[args.checkpoint]}.\n")
    for result in results:
        for table in result.tables:
            print(markdown(table))
        if not result.tables:
            print(f"{_EMPTY[result.name]}\n")
    for line in _notes(runs, skipped, older):
        print(printable(line))
    if args.out is not None:
        try:
            _write(args.out, results, grouped, stage)
        except OSError as e:
            return _fail(f"--out {args.out} cannot be written: {e.strerror or e}")
    return 0


_EMPTY = {
    "ablation": "No ablation table: a block needs the full method and another one.",
    "budget": "No budget curve: no two methods differ only in budget.",
}


def _results(grouped: Sequence[Block], stage: Stage, expected: Sequence[str]) -> list[Result]:
    return [
        main_table(grouped, stage, expected),
        ablation_tables(grouped, stage),
        rounds_tables(grouped),
        budget_table(grouped, stage),
    ]


def _notes(runs: Sequence[Run], skipped: Sequence[Skipped], older: Sequence[Run]) -> list[str]:
    lines = left_out(skipped)
    lines += [f"Left out: {r.folder}: there is a newer run of the same method and seed." for r in older]
    commits = sorted({r.summary.git_commit or "unknown" for r in runs if r not in older})
    if len(commits) > 1:
        lines.append(f"Take care: the runs come from {len(commits)} commits: {', '.join(map(_short, commits))}.")
    return lines


def _short(commit: str) -> str:
    """Return a commit's first letters, keeping the mark of a changed working tree."""
    name, plus, changed = commit.partition("+")
    return f"{name[:12]}{plus}{changed}"


def _write(out: Path, results: Sequence[Result], grouped: Sequence[Block], stage: Stage) -> None:
    from sei.compare.figures import draw

    out.mkdir(parents=True, exist_ok=True)
    for result in results:
        if result.tables:
            write_atomic(out / f"{result.name}.md", "\n".join(markdown(t) for t in result.tables).encode())
            write_atomic(out / f"{result.name}.tex", latex(result).encode())
            write_atomic(out / f"{result.name}.csv", csv_text(result.records).encode())
    made = draw(grouped, stage, out)
    print(f"Written to {out}: {', '.join(r.name for r in results if r.tables)} and {len(made)} figure files.")


def _fail(message: str) -> int:
    print(printable(message), file=sys.stderr)
    return 2


if __name__ == "__main__":
    end_with_the_pipe()
    raise SystemExit(main())
