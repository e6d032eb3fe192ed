"""Leaves out or refuses questions that one file answers in different ways, since at most one answer is right."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from sei.data.source import Row
from sei.errors import DataError
from sei.grading.equality import equal
from sei.grading.sandbox import LimitError, UnreadableError

log = logging.getLogger(__name__)
_MOST_COMPARED = 100  # pairs that algebra compares, each in up to a second; further ones count as equal
_FEW = 0.02  # share of the rows
_MOST_FOUND = 1_000
_SHOWN = 5
_NUMBER = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?")


def consistent(path: Path, unit: str, numbers: Sequence[int], rows: list[Row]) -> list[Row]:
    """Return the rows whose question and options have answers of one value; a warning counts the others.

    ``numbers``: the place of each row, counted in ``unit``. A few contradictions are usual in large data sets.

    Raises:
        DataError: if more than 2 % of the rows contradict an earlier one, naming their places, a question and its
            answers.
    """
    found = list(itertools.islice(_contradictions(rows), _MOST_FOUND))
    if not found:
        return rows
    first, other = found[0]
    if len(found) <= _FEW * len(rows):
        out = {_asked(rows[a]) for a, _ in found}
        left = [r for r in rows if _asked(r) not in out]
        log.warning(
            "%s: %d rows are left out: %d questions have answers of different value, such as %ss %d and %d: %.60s",
            *(path, len(rows) - len(left), len(out), unit, numbers[first], numbers[other], rows[first].question),
        )
        return left
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
        at = first.setdefault(_asked(row), i)
        same = _same(rows[at].answer, row.answer)
        if same is None and left:
            left -= 1
            same = _equal(rows[at].answer, row.answer)
        if same is False:
            yield at, i


def _asked(row: Row) -> tuple[str, tuple[str, ...]]:
    lines = (re.sub(r"(?<=\S)\s+", " ", line.rstrip()) for line in row.question.strip().splitlines())
    return "\n".join(lines), row.options  # a program's lines keep their beginnings


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
        return True  # not shown to be different
