"""``python -m sei.store``: list the store's entries and their cost; prune unneeded entries."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sei.exits import end_with_the_pipe
from sei.store.inventory import Entry, entries, prune, select

_SORTS = {
    "size": lambda e: -e.bytes,
    "cost": lambda e: -e.seconds,
    "age": lambda e: e.created,
    "users": lambda e: -len(e.users),
    "stage": lambda e: e.stage,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, or 2 for a missing store or a prune without a condition."""
    args = _parser().parse_args(argv)
    root = Path(args.store).expanduser()
    if not root.is_dir():
        print(f"sei.store: there is no store at {root}. Remedy: --store PATH, or SEI_STORE.", file=sys.stderr)
        return 2
    found = select(
        entries(root),
        stage=args.stage,
        older_than=args.older_than,
        states=[s for s in ("damaged", "unfinished") if getattr(args, s)],
        unused=args.unused,
    )
    if args.command == "list":
        _show(sorted(found, key=_SORTS[args.sort]), f"{root}")
        return 0
    if not (args.stage or args.older_than is not None or args.unused or args.damaged or args.unfinished):
        print("sei.store: prune needs a condition. Remedy: --unused, --older-than DAYS, --stage NAME, --damaged or "
              "--unfinished.", file=sys.stderr)  # fmt: skip
        return 2
    if not args.yes:
        _show(found, "would be deleted; add --yes to delete")
        return 0
    gone, busy = prune(found)
    print(f"deleted {len(gone)} entries, {_size(sum(e.bytes for e in gone))}")
    for e in busy:
        print(f"kept {e.stage}/{e.key[:8]}: a job works on it")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sei.store", description=__doc__)
    parser.add_argument("command", nargs="?", default="list", choices=["list", "prune"])
    parser.add_argument("--store", default=os.environ.get("SEI_STORE", "~/.cache/sei"), help="folder of the store")
    parser.add_argument("--stage", help="only entries of this stage, such as finetune")
    parser.add_argument("--older-than", type=float, metavar="DAYS", help="only entries older than this")
    parser.add_argument("--unused", action="store_true", help="only entries that no existing run folder uses")
    parser.add_argument("--damaged", action="store_true", help="only entries put aside as damaged")
    parser.add_argument("--unfinished", action="store_true", help="only entries that were never finished")
    parser.add_argument("--sort", choices=list(_SORTS), default="size", help="order of the list")
    parser.add_argument("--yes", action="store_true", help="prune: delete, not only list")
    return parser


def _show(found: Sequence[Entry], title: str) -> None:
    table = Table(title=title)
    for name in ("stage", "key", "state"):
        table.add_column(name)
    for name in ("size", "cost", "age", "runs"):
        table.add_column(name, justify="right")
    table.add_column("last used by", overflow="fold")
    for e in found:
        last = Path(e.users[-1]).name if e.users else "-"
        row = (_size(e.bytes), f"{e.seconds:.1f} s", f"{e.days:.1f} d", str(len(e.users)), last)
        table.add_row(e.stage, e.key[:8], e.state, *row)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    total, cost = sum(e.bytes for e in found), sum(e.seconds for e in found)
    print(f"{len(found)} entries, {_size(total)}, made in {cost:.0f} s; {sum(not e.users for e in found)} unused")


def _size(number: float) -> str:
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


if __name__ == "__main__":
    end_with_the_pipe()
    raise SystemExit(main())
