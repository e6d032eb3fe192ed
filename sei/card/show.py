"""Shows teacher cards in the console, as Markdown, and side by side."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sei.card.numbers import Number
from sei.errors import DataError
from sei.printable import printable
from sei.statistics import matched_difference
from sei.store import write_atomic

FILE = "teacher_card.json"
_PAGE = "teacher_card.md"


def as_dict(number: Number) -> dict[str, Any]:
    """Return a number as plain values."""
    return dataclasses.asdict(number)


def numbers_of(card: dict[str, Any]) -> list[Number]:
    """Return the numbers of a card that was read from a file."""
    return [Number(**x) for x in card["numbers"]]


def cards_below(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """Read all cards in and below folders, in the order of their paths. Each gets a field ``folder``.

    Raises:
        DataError: if a file is not a card; the message names the file.
    """
    out = []
    for path in dict.fromkeys(p for f in folders for p in sorted(f.rglob(FILE))):
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
            numbers_of(card)
        except (ValueError, KeyError, TypeError) as e:
            raise DataError(f"{path} is not a teacher card ({e!r}). Remedy: remake it with teacher_card=true.") from e
        out.append(card | {"folder": str(path.parent)})
    return out


def side_by_side(cards: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return the heads and rows of a table with one column per card, followed by the differences to the first card.

    Cards with other cases or settings are shown too, but without a difference.
    """
    names = _names(cards)
    lines = [{(x.group, x.title): x for x in numbers_of(c)} for c in cards]
    keys = list(dict.fromkeys(k for found in lines for k in found))
    order = list(dict.fromkeys(group for group, _ in keys))
    rows = [
        [group, title, *(_cell(found.get((group, title))) for found in lines)]
        for group, title in sorted(keys, key=lambda k: order.index(k[0]))
    ]
    paired = [_difference(cards[0], c) for c in cards[1:]]
    if any(paired):
        rows.append(["first wrong step", f"difference to {names[0]}, on the same cases", "", *paired])
    return ["", "", *names], rows


def _names(cards: Sequence[dict[str, Any]]) -> list[str]:
    """Return the instructors' names. Equal names get their folders added."""
    times = Counter(c["instructor"] for c in cards)
    return [
        c["instructor"] if times[c["instructor"]] == 1 else f"{c['instructor']} ({Path(c['folder']).name})"
        for c in cards
    ]


def _cell(x: Number | None) -> str:
    if x is None:
        return "not asked"
    return " ".join(w for w in (x.shown, x.interval, f"n={x.n:,}" if x.n else "") if w)


def _difference(first: dict[str, Any], other: dict[str, Any]) -> str:
    a, b = ({s["id"]: s["said"] == s["marked"] for s in c["first_steps"]} for c in (first, other))
    if not a or set(a) != set(b) or first["rows"]["source"] != other["rows"]["source"]:
        return ""
    found = matched_difference(sum(b[i] and not a[i] for i in a), sum(a[i] and not b[i] for i in a), len(a))
    return f"{100 * found.mean:+.1f} points [{100 * found.low:+.1f}, {100 * found.high:+.1f}] n={len(a):,}"


def show(card: dict[str, Any], folder: Path) -> None:
    """Print a card as a table."""
    table = Table(title=Text(printable(f"teacher card: {card['instructor']}")))
    for head in ("", "", "value", "95 % interval", "n", ""):
        table.add_column(head, justify="right" if head in ("value", "n") else "left", overflow="fold")
    group = ""
    for x in numbers_of(card):
        if x.group != group:
            table.add_section()
        row = (x.group if x.group != group else "", x.title, x.shown, x.interval, f"{x.n:,}" if x.n else "", x.why)
        table.add_row(*(Text(printable(c)) for c in row))
        group = x.group
    console = Console(width=None if Console().is_terminal else 190)
    console.print(table)
    console.print(Text(printable(_about(card))), soft_wrap=True)
    console.print(Text(printable(f"card: {folder / _PAGE} (numbers: {FILE} beside it)")), soft_wrap=True)


def show_side_by_side(cards: Sequence[dict[str, Any]]) -> None:
    """Print several cards as one table."""
    heads, rows = side_by_side(cards)
    table = Table(title="teacher cards, 95 % intervals")
    for head in heads:
        table.add_column(Text(printable(head)), overflow="fold")
    group = ""
    for row in rows:
        if row[0] != group:
            table.add_section()
        table.add_row(*(Text(printable(c)) for c in ("" if row[0] == group else row[0], *row[1:])))
        group = row[0]
    Console(width=None if Console().is_terminal else 60 + 60 * len(cards)).print(table)


def show_sweep(folder: Path) -> None:
    """Print the cards of a sweep's jobs side by side, in the order of the jobs, and save the table as Markdown."""
    jobs = sorted((p for p in folder.glob("*") if p.name.isdecimal()), key=lambda p: int(p.name))
    cards = cards_below(p for p in jobs if (p / FILE).exists())
    if cards:
        show_side_by_side(cards)
        write_atomic(folder / "teacher_cards.md", (markdown(*side_by_side(cards)) + "\n").encode())
        print(printable(f"cards side by side: {folder / 'teacher_cards.md'}"))


def page(card: dict[str, Any]) -> str:
    """Return a card as Markdown."""
    rows = [[x.group, x.title, x.shown, x.interval, f"{x.n:,}" if x.n else "", x.why] for x in numbers_of(card)]
    parts = [f"# Teacher card: {_escaped(card['instructor'])}", _escaped(_about(card))]
    parts.append(markdown(["part", "what", "value", "95 % interval", "n", "note"], rows))
    parts += [f"- {_escaped(note)}" for note in card["notes"]]
    return "\n\n".join(parts) + "\n"


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(_escaped(c) for c in line) + " |" for line in lines)


def _about(card: dict[str, Any]) -> str:
    rows = card["rows"]
    left_out = ", ".join(f"{n} left out: {reason}" for reason, n in rows["left_out"].items())
    marked = "steps marked by people" if rows["human"] else "steps known by construction, not marked by people"
    return (
        f"cases: {rows['n']} of {rows['source']} ({marked}{'; ' + left_out if left_out else ''}); seed {card['seed']}; "
        "shares with Wilson's interval, means with Student's, ARI and AMI with the jackknife's"
    )


def _escaped(text: str) -> str:
    return printable(" ".join(text.split())).replace("|", "\\|").replace("<", "&lt;")
