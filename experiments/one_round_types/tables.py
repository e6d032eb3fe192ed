"""Tables of the protocol: ``python -m experiments.one_round_types.tables FOLDER``."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.error_types.tables import METRICS, budget_table, level_table, pair_table
from experiments.one_round_types.arms import PAIRS, PROTOCOL

SHOWN = {title: metric for title, metric in METRICS.items() if metric[1] == "best"}


def main() -> None:
    """Print all tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    metrics = {title: (name, "last", field) for title, (name, _, field) in SHOWN.items()}
    print("\n".join(level_table(folder, PROTOCOL, "full", metrics)), end="\n\n")
    for title, metric in metrics.items():
        print(f"**{title}**", end="\n\n")
        print("\n".join(pair_table(folder, PROTOCOL, PAIRS[:2], metric)), end="\n\n")
        print("\n".join(pair_table(folder, PROTOCOL, PAIRS[2:], metric)), end="\n\n")
    print("\n".join(budget_table(folder, PROTOCOL)))


if __name__ == "__main__":
    main()
