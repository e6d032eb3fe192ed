"""Refuses files in which one question has different answers, since at most one of them is right."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from sei.data.source import Row
from sei.errors import DataError
from sei.grading.equality import equal
from sei.grading.sandbox import LimitError, UnreadableError

_MOST_COMPARED = 300  # pairs that algebra compares, each in up to a second; further ones count as equal
_MOST_FOUND = 1_000
_SHOWN = 5
_NUMBER = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?")


def require_consistent(path: Path, unit: str, numbers: Sequence[int], rows: Sequence[Row]) -> None:
    """Refuse a file in which rows with the same question and options have answers of different value.

    ``numbers``: the place of each row, counted in ``unit``.

    Raises:
        DataError: naming the places, the question and two of its answers.
    """
    found = list(itertools.islice(_contradictions(rows), _MOST_FOUND))
    if not found:
        return
    first, other = found[0]
    more = "; ".join(f"{numbers[a]} and {numbers[b]}" for a, b in found[1:_SHOWN])
    rest = f" (in all {len(found)} such rows: {more}{', ...' if len(found) > _SHOWN else ''})" if more else ""
    raise DataError(
        f"{path} {unit}s {numbers[first]} and {numbers[other]}: the same question {rows[first].question[:60]!r} has "
        f"the answers {rows[first].answer[:60]!r} and {rows[other].answer[:60]!r}{rest}. Rule: a problem has one "
        "answer. Remedy: correct one of the two rows, or drop both."
    )


def reads_otherwise(a: str, b: str) -> bool:
    """Say whether two answers are different texts and different numbers; algebra is not asked."""
    return not _same(a, b)


def _contradictions(rows: Sequence[Row]) -> Iterator[tuple[int, int]]:
    """Yield the positions of two rows that contradict each other; 1/2 and 0.5 do not."""
    first: dict[tuple[str, tuple[str, ...]], int] = {}
    left = _MOST_COMPARED
    for i, row in enumerate(rows):
        at = first.setdefault((" ".join(row.question.split()), row.options), i)
        same = _same(rows[at].answer, row.answer)
        if same is None and left:
            left -= 1
            same = _equal(rows[at].answer, row.answer)
        if same is False:
            yield at, i


def _same(a: str, b: str) -> bool | None:
    """Say whether two answers are the same text or number; ``None`` if that is not certain."""
    a, b = _bare(a), _bare(b)
    if a == b:
        return True
    return Fraction(a) == Fraction(b) if _NUMBER.fullmatch(a) and _NUMBER.fullmatch(b) else None


def _bare(text: str) -> str:
    text = re.sub(r"[\s$]|(?<=\d),(?=\d{3}(?!\d))", "", text).rstrip(".").casefold()
    return text[1:-1] if re.fullmatch(r"\([a-j]\)", text) else text


def _equal(a: str, b: str) -> bool:
    try:
        return equal(a, b, seconds=0.6)
    except (UnreadableError, LimitError):
        return False
