"""Compares the time of grading mixed outputs with Math-Verify's, in turn in one process.

``python -m experiments.measurements.grading_on_two_cores FOLDER``. FOLDER contains data sets and bad cases as files
(README). The outputs are of three kinds. ``numbers`` are GSM8K solutions in the four endings of ``grading_speed``.
``formulas`` are MATH solutions, each graded against its own answer and against its neighbour's. ``bad cases`` are real
wrong outputs. Every round takes other rows, and no answer is remembered between rounds, so that nothing is graded
twice.

Times are processor time: of this process, and of the processes of computer algebra. On two cores the work of both ends
after the larger of two numbers: half of their sum, and this process's own time. ``--clock`` prints the clock as well;
it means something on an idle machine only.

``--verdicts FILE`` measures nothing. It writes the outcome of every bad case, of the texts and near misses of
``grading_texts`` and of further formulas, a line each, so that the files of two commits can be compared.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from experiments.measurements.grading_speed import STYLES, rows_of
from experiments.measurements.grading_texts import near_misses, texts
from sei.grading import MathGrader, sandbox
from sei.grading.extract import boxes
from sei.records import Problem

Row = tuple[Problem, str]


def numbers(folder: Path, n: int) -> list[Row]:
    """Return GSM8K rows, a quarter in each ending."""
    return [(p, output) for style in STYLES for p, output, _ in rows_of(str(folder), n // len(STYLES), style)]


def formulas(folder: Path, n: int, seed: int = 0) -> list[Row]:
    """Return MATH solutions, each with its own answer and with that of another one."""
    with gzip.open(folder / "math/test.jsonl.gz", "rt", encoding="utf-8") as f:
        found = [(r["problem"], r["solution"], boxes(r["solution"])) for r in map(json.loads, f)]
    known = [(question, solution, str(b[-1][1])) for question, solution, b in found if b and b[-1][1]]
    chosen = random.Random(seed).sample(known, n // 2)
    out: list[Row] = []
    for (question, solution, gold), (_, _, other) in zip(chosen, [*chosen[1:], chosen[0]], strict=True):
        out += [(Problem(id="x", question=question, answer=answer), solution) for answer in (gold, other)]
    return out


def bad_cases(folder: Path) -> list[Row]:
    """Return the real wrong outputs."""
    out: list[Row] = []
    for path in sorted((folder / "badcases").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as f:
            for r in map(json.loads, f):
                options = tuple(r["options"] or ())
                problem = Problem(id=r["id"], question=r["question"], answer=r["gold_answer"], options=options)
                out.append((problem, r["model_output"]))
    return out


@dataclass(kw_only=True)
class Timed:
    """Seconds of this process, of its children, and by the clock, and the number of right outputs."""

    own: float
    children: float
    clock: float
    right: int

    def on(self, cores: int) -> float:
        """Return the seconds that the work takes on so many free cores."""
        return max(self.own, (self.own + self.children) / cores)


def timed(grade: Callable[[Sequence[Row]], Iterator[bool]], rows: Sequence[Row]) -> Timed:
    """Grade the rows."""
    start = (time.process_time(), _of_children(), time.perf_counter())
    right = sum(grade(rows))
    own, children, clock = time.process_time() - start[0], _of_children() - start[1], time.perf_counter() - start[2]
    return Timed(own=own, children=children, clock=clock, right=right)


def _of_children() -> float:
    """Return the processor time of all processes below this one, those that have ended included."""
    total = 0.0
    for p in psutil.Process().children(recursive=True):
        spent = p.cpu_times()
        total += spent.user + spent.system + spent.children_user + spent.children_system
    return total


def write_verdicts(folder: Path, file: Path) -> None:
    """Write verdict, strict verdict, extracted answer and fault of every output as JSON lines."""
    rows = [*bad_cases(folder), *((p, output) for _, p, output in texts(folder)), *formulas(folder, 4_000, seed=3)]
    rows += [row for seed in (0, 7) for row in near_misses(folder, 3_000, seed)]
    outcomes = MathGrader(workers=2).grade_all([(p, output, True) for p, output in rows])
    lines = [json.dumps([o.verdict, o.strict_verdict, o.extracted, o.fault]) for o in outcomes]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} outcomes in {file}")


def main() -> None:
    """Print seconds and ratios by kind, and over all kinds together."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clock", action="store_true")
    parser.add_argument("--verdicts", type=Path)
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if args.verdicts is not None:
        write_verdicts(args.folder, args.verdicts)
        return
    from math_verify import parse, verify

    grader = MathGrader(workers=2)

    def ours(rows: Sequence[Row]) -> Iterator[bool]:
        sandbox.ANSWERS.clear()
        return (o.verdict == "right" for o in grader.grade_all([(p, output, True) for p, output in rows]))

    def theirs(rows: Sequence[Row]) -> Iterator[bool]:
        for p, output in rows:
            gold = parse(p.answer, parsing_timeout=None)
            yield bool(verify(gold, parse(output, parsing_timeout=None), timeout_seconds=None))

    n = 400 * args.rounds
    kinds = {
        "numbers": numbers(args.folder, n),
        "formulas": formulas(args.folder, n),
        "bad cases": bad_cases(args.folder),
    }
    warm = [(Problem(id="x", question="", answer=r"\sqrt{2}"), rf"\boxed{{\sqrt{{{k}}}}}") for k in (3, 5)]
    for grade in (ours, theirs):
        timed(grade, warm)
    ratios: dict[str, list[tuple[float, float]]] = defaultdict(list)
    total = [0.0, 0.0, 0.0]
    for i in range(args.rounds):
        sums = [0.0, 0.0, 0.0]
        for kind, rows in kinds.items():
            mine, other = timed(ours, rows[i :: args.rounds]), timed(theirs, rows[i :: args.rounds])
            for at, more in enumerate((mine.on(1), mine.on(2), other.own)):
                sums[at] += more
            total = [a + b for a, b in zip(total, (mine.own, mine.children, other.own), strict=True)]
            ratios[kind].append((other.own / mine.on(1), other.own / mine.on(2)))
            print(
                f"{i + 1}, {kind:<9} n={len(rows[i :: args.rounds])}: sei {mine.own:.2f} + {mine.children:.2f} s, "
                f"Math-Verify {other.own:.2f} s; right {mine.right} and {other.right}"
                + (f"; clock {mine.clock:.2f} and {other.clock:.2f} s" if args.clock else ""),
                flush=True,
            )
        ratios["all"].append((sums[2] / sums[0], sums[2] / sums[1]))
    print(f"all rounds: sei {total[0]:.2f} + {total[1]:.2f} s, Math-Verify {total[2]:.2f} s")
    for kind, found in ratios.items():
        one, two = ([pair[k] for pair in found] for k in (0, 1))
        print(
            f"{kind:<9} {statistics.median(one):5.1f} times as fast on one core ({min(one):.1f} to {max(one):.1f}), "
            f"{statistics.median(two):5.1f} on two ({min(two):.1f} to {max(two):.1f}); {len(found)} rounds"
        )


if __name__ == "__main__":
    main()
