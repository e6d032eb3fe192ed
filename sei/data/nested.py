"""Says what to do with files whose questions and answers are inside lists or objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sei.rows import ONE_A_LINE

_SAID = ("content", "value", "text")  # the text of a chat's turn
_ROLE = ("role", "from")
_LIKELY = ("ground_truth", "answer", "value", "content", "text", "stem", "number", "question")


def layout_remedy(row: Mapping[str, Any], *, alone: bool, column: str = "") -> str:
    """Return how to rewrite a file with an unusual layout; empty if its row is plain.

    Layouts: one object with a list of rows, with a column each (``to_json`` of pandas) or with a row each; chat turns;
    other nested objects. ``alone``: the file has no other row. ``column``: the one whose value is looked at; any, if
    empty.
    """
    if alone and (found := _of_one_object(row)):
        return f"{found}; {ONE_A_LINE}"
    for name, value in row.items():
        if (not column or name == column) and (place := _place(value)):
            return (
                f"values inside {name!r} cannot be named, so write them into columns of their own, such as "
                f"row['COLUMN'] = row[{name!r}]{place}"
            )
    return ""


def _of_one_object(row: Mapping[str, Any]) -> str:
    """Say how one object holds the rows of a whole file, if it does."""
    for name, value in row.items():
        if isinstance(value, list) and value and all(isinstance(x, dict) for x in value) and not _place(value):
            return f"the rows seem to be in a list under {name!r}"
    values = list(row.values())
    lists = all(isinstance(x, list) for x in values) and len({len(x) for x in values if isinstance(x, list)}) == 1
    if len(values) > 1 and (lists or all(isinstance(x, dict) and x.keys() == values[0].keys() for x in values)):
        by_row = all(isinstance(x, dict) and not any(k.isdigit() for k in x) for x in values)
        return "each name seems to hold a row" if by_row else "each name seems to hold a whole column"
    return ""


def _place(value: Any) -> str:
    """Return the place of a text in a chat's turns or in an object, as Python writes it; empty for anything else."""
    if isinstance(value, list) and value and all(isinstance(x, dict) and any(r in x for r in _ROLE) for x in value):
        said = next((x for x in _SAID if x in value[0]), "")
        return f"[0][{said!r}]" if said else ""
    if isinstance(value, dict):
        return next((f"[{x!r}]" for x in _LIKELY if isinstance(value.get(x), (str, int, float))), "")
    return ""
