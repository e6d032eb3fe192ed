"""Rows of dictionaries as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def show(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print a table with every column that any row has; lists and missing values are shown as text."""
    columns = list(dict.fromkeys(k for row in rows for k in row))
    print(f"\n### {title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    for row in rows:
        print("| " + " | ".join(_text(row.get(c, "")) for c in columns) + " |", flush=True)
    print(flush=True)


def _text(value: Any) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else str(value).replace("|", "/")
