"""``python -m sei.report.page FOLDER...``: rebuild ``report.html`` of run or sweep folders from their files."""

from __future__ import annotations

import argparse
from pathlib import Path

from sei.errors import SeiError
from sei.exits import tell
from sei.printable import printable
from sei.report.page.write import make_page, make_sweep_page


def main(arguments: list[str] | None = None) -> int:
    """Build the page of every folder; returns 0, or the exit code of the last folder that failed."""
    parser = argparse.ArgumentParser(prog="python -m sei.report.page", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="a run folder or a sweep folder")
    code = 0
    for folder in parser.parse_args(arguments).folders:
        try:
            made = (make_sweep_page if (folder / "sweep.json").is_file() else make_page)(folder)
            print(printable(str(made)))
        except SeiError as e:
            code = tell(e)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
