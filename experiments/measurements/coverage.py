"""The share of a data set that the symbolic instructor can use: ``python -m experiments.measurements.coverage FOLDER``.

FOLDER contains data sets as files (README). A training problem is covered if every operand of its worked solution can
be traced to the question or to an earlier step, so that it can be rewritten with other numbers.
"""

from __future__ import annotations

import argparse
from collections import Counter

from sei.data.competition import Math
from sei.data.school import Gsm8k
from sei.instructors.symbolic.rewrite import RefusedError, trace
from sei.instructors.symbolic.worked import read_steps


def main() -> None:
    """Print shares, and the reasons for refusals, for GSM8K train and MATH train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    for source in (Gsm8k(folder=folder), Math(folder=folder)):
        rows = source.train()
        reasons: Counter[str] = Counter()
        for r in rows:
            try:
                trace(r.question, r.solution)
                reasons["traced"] += 1
            except RefusedError as e:
                reasons[str(e.args[0])] += 1
        steps = sum(bool(read_steps(r.solution)) for r in rows)
        print(f"{source.name} train: n={len(rows)}, worked steps can be read in {steps / len(rows):.1%}")
        for reason, n in reasons.most_common():
            print(f"  {reason:<24} {n:>5}  {n / len(rows):.1%}")


if __name__ == "__main__":
    main()
