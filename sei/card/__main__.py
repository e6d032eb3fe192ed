"""Command line: ``python -m sei.card FOLDER... [--markdown]`` shows teacher cards side by side.

A folder is a run folder or contains run folders, such as the folder of a sweep. The exit code is 2 without a card.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sei.card.show import FILE, cards_below, markdown, show_side_by_side, side_by_side
from sei.errors import DataError
from sei.exits import end_with_the_pipe
from sei.printable import printable


def main(argv: Sequence[str] | None = None) -> int:
    """Print the cards below the folders in ``argv`` (default: the command line) and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sei.card", description=(__doc__ or "").splitlines()[2])
    parser.add_argument("folder", nargs="+", type=Path, help="run folders or folders of runs")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table instead of a console table")
    args = parser.parse_args(argv)
    try:
        cards = cards_below(args.folder)
    except DataError as e:
        return _fail(str(e))
    if not cards:
        where = ", ".join(map(str, args.folder))
        return _fail(f"no teacher card below {where}. Remedy: make one with sei teacher_card=true ({FILE}).")
    if args.markdown:
        print(markdown(*side_by_side(cards)))
    else:
        show_side_by_side(cards)
    return 0


def _fail(message: str) -> int:
    print(printable(message), file=sys.stderr)
    return 2


if __name__ == "__main__":
    end_with_the_pipe()
    raise SystemExit(main())
