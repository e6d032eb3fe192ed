"""Refuses files in which a problem is more than its question column: a first part in another column, or a picture."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sei.errors import DataError
from sei.grading.gold import missing
from sei.grading.printed import is_no_answer

FIRST_PARTS = (
    *("Body", "body", "context", "Context", "contexts", "passage", "Passage", "instruction", "background", "story"),
    *("input", "premise", "article", "Article", "paragraph", "pre_text", "question_stem", "stem", "ctx", "scenario"),
)
"""Columns that hold the first part of a problem in known data sets (SVAMP, ASDiv, Alpaca, RACE, FinQA)."""
OFTEN_NOTES = ("description", "support", "table", "tables", "table_text")
"""Columns that hold it in some data sets (SciQ, TabMWP) and notes in others: refused if most rows have a text there."""
_PICTURE = re.compile(
    r"(?:decoded_|question_)?(?:image|images|picture|pictures|img|imgs|diagram)(?:_(?:path|url|file|bytes|\d+))?",
    re.IGNORECASE,
)
_KNOWN = frozenset(FIRST_PARTS[:9])  # hold a part in every data set that has them
_SHORT_PARTS = frozenset(("input", "premise", "pre_text", "contexts", "ctx", "question_stem"))
_LEAST = 4  # words of other parts, which are notes or headings if shorter
_NO_PICTURE = frozenset(("false", "no", "0", "[]", "{}", "no image", "no picture", "true", "yes", "1"))
_NO_TEXT = frozenset(("no input", "<noinput>", "no context"))
_SEVERAL = re.compile(r"\S\s+\S")  # words

Placed = Sequence[tuple[str, Mapping[str, Any]]]
"""Rows with the place of each, such as ``line 3``."""


def require_whole_questions(path: Path, rows: Placed, columns: Mapping[str, Any]) -> None:
    """Refuse a file in which another column usually holds the first part of each problem, or pictures.

    With a ``context`` in ``columns`` only pictures are refused; with an empty one, nothing.

    Raises:
        DataError: naming the column, with the settings that use it or leave it out.
    """
    context = columns.get("context")
    if context == "":
        return
    if context is not None and not any(context in row for _, row in rows):
        raise DataError(
            f"{path}: no row has the column {context!r}. Rule: data.columns.context names the column whose text comes "
            "before the question. Remedy: another name, or null."
        )
    used = {name for name in columns.values() if name}
    if context is None:
        for name in (*FIRST_PARTS, *OFTEN_NOTES):
            if name not in used:
                _require_no_first_part(path, rows, name, columns["question"])
    _require_no_pictures(path, rows, used)


def _require_no_first_part(path: Path, rows: Placed, name: str, asked: str) -> None:
    found = [row[name] for _, row in rows if _is_part(row.get(name), str(row.get(asked)))]
    if not found or (name in OFTEN_NOTES and 2 * len(found) <= len(rows)):
        return
    said = [next(_texts(x)) for x in found]
    long = [x for x in said if len(x.split()) >= _LEAST or name in _SHORT_PARTS]
    if name not in _KNOWN and (2 * len(set(said)) <= len(said) or 2 * len(long) <= len(said)):
        return  # a label or a note
    remedy = f"data.columns.context={name} puts it before the question, data.columns.context='' leaves it out."
    if not all(_is_flat(x) for x in found):
        remedy = (
            "write its text into a column of its own and name that with data.columns.context=NAME; "
            "data.columns.context='' leaves it out."
        )
    raise DataError(
        f"{path}: the question is in {asked!r}, and {name!r} may be its first part, such as "
        f"{next(_texts(found[0])).strip()[:60]!r}. Rule: half a problem is not asked. Remedy: {remedy}"
    )


def _require_no_pictures(path: Path, rows: Placed, used: set[str]) -> None:
    for name in {key: None for _, row in rows for key in row}:
        if name in used or not _PICTURE.fullmatch(name):
            continue
        held = [place for place, row in rows if _holds_something(row.get(name))]
        if held:
            raise DataError(
                f"{path} {held[0]}: {len(held)} of {len(rows)} rows have a picture in {name!r}. Rule: a model reads "
                "text alone, and half a problem is not asked. Remedy: leave these rows out; or data.columns.context='' "
                "(or a file without this column) if no problem needs its picture."
            )


def _is_part(value: Any, question: str) -> bool:
    """Say whether a value is a text of several words that is not in the question; a word alone is a label or an id."""
    asked = question.strip()
    texts = [x.strip() for x in _texts(value)]
    return any(_SEVERAL.search(x) and x not in asked and asked not in x and not _says_nothing(x) for x in texts)


def _says_nothing(text: str) -> bool:
    return is_no_answer(text) or text.casefold() in _NO_TEXT


def _texts(value: Any) -> Any:
    """Yield the texts in a value, those with several words first."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        inner = [t for x in (value.values() if isinstance(value, dict) else value) for t in _texts(x)]
        yield from sorted(inner, key=lambda t: _SEVERAL.search(t.strip()) is None)


def _is_flat(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, (list, tuple)) and all(isinstance(x, str) for x in value))


def _holds_something(value: Any) -> bool:
    if isinstance(value, (list, tuple, dict)):
        return any(_holds_something(x) for x in (value.values() if isinstance(value, dict) else value))
    if isinstance(value, (bool, int, float)) or missing(value):
        return False
    return not isinstance(value, str) or not (is_no_answer(value.strip()) or value.strip().casefold() in _NO_PICTURE)
