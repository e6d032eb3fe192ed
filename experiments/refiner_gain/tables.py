"""Tables of the protocol, controls against every arm: ``python -m experiments.refiner_gain.tables FOLDER``."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.error_types.tables import budget_table, difference_table, level_table
from experiments.refiner_gain.arms import PROTOCOL

TITLES = ("out of domain", "in domain")


def main() -> None:
    """Print levels, differences to three controls, and budgets as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    print("\n".join(level_table(folder, PROTOCOL, "none")), end="\n\n")
    for control in ("none", "random", "perplexity"):
        for title in TITLES:
            print("\n".join(difference_table(folder, title, PROTOCOL, control)), end="\n\n")
    print("\n".join(budget_table(folder, PROTOCOL)))


if __name__ == "__main__":
    main()
