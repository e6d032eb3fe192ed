"""Compares the speed of numeric grading with Math-Verify, alternating in one process.

``python -m experiments.measurements.grading_speed FOLDER``. FOLDER contains data sets as files (README). The outputs
are GSM8K test solutions that end in one of four styles, each graded against its own answer and against its neighbour's;
both graders see the same rows. The result is the median over rounds of the ratio of their times.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from sei.data.school import Gsm8k
from sei.grading import MathGrader
from sei.records import Problem

Row = tuple[Problem, str, bool]
STYLES = {
    "hash": "#### {}",
    "boxed": "So it is $\\boxed{{{}}}$.",
    "sentence": "The answer is {}.",
    "last number": "That makes {} in all.",
}


def rows_of(folder: str, n: int, style: str) -> list[Row]:
    """Return n outputs of a style, with whether they are right."""
    found = Gsm8k(folder=folder, limit=n).test()
    out: list[Row] = []
    for a, b in zip(found, [*found[1:], found[0]], strict=True):
        for r in (a, b):
            output = f"{r.solution.split('####')[0]}{STYLES[style].format(r.answer)}"
            out.append((Problem(id=a.id, question=a.question, answer=a.answer), output, a.answer == r.answer))
    return out[:n]


def timed(grade: Callable[[Problem, str], bool], rows: list[Row]) -> tuple[float, int]:
    """Return the seconds, and the number of rows with the expected verdict."""
    start = time.perf_counter()
    agree = sum(grade(p, output) == right for p, output, right in rows)
    return time.perf_counter() - start, agree


def main() -> None:
    """Print rows per second, agreement and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    from math_verify import parse, verify

    grader = MathGrader()

    def ours(problem: Problem, output: str) -> bool:
        return grader.grade(problem, output).verdict == "right"

    def theirs(problem: Problem, output: str) -> bool:
        gold = parse(problem.answer, parsing_timeout=None)
        return bool(verify(gold, parse(output, parsing_timeout=None), timeout_seconds=None))

    for style in STYLES:
        rows = rows_of(args.folder, args.rows, style)
        timed(theirs, rows[:20])
        timed(ours, rows[:20])
        ratios = []
        for _ in range(args.rounds):
            mine, right = timed(ours, rows)
            other, other_right = timed(theirs, rows)
            ratios.append(other / mine)
        print(
            f"{style:<12} sei {len(rows) / mine:>7,.0f} rows/s ({right}/{len(rows)} as they are), "
            f"Math-Verify {len(rows) / other:>5,.0f} rows/s ({other_right}/{len(rows)}), "
            f"median ratio {statistics.median(ratios):.1f}"
        )


if __name__ == "__main__":
    main()
