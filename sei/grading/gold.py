r"""Gold answers as files give them: a number, a text, a whole solution that ends in ``#### 12`` or in a box.

Whatever cannot be read for certain is refused by ``LayoutError``; nothing is guessed.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal, DecimalException
from typing import Any, NamedTuple

from sei.grading.extract import boxes

_MOST_DIGITS = 60  # of a number that is written out; a longer one keeps its exponent
_NAN = frozenset({"nan", "-nan", "<na>", "<nan>", "nat"})
_MISSING = _NAN | {"none", "null", "n/a", "#n/a", "inf", "+inf", "-inf"}
_SAID_AGAIN = re.compile(r"([^\n]+)\n+The answer is:? ?([^\n]+?)\.?")
_GROUPED = re.compile(r"[-+]?\$?\s*\d{1,3}(?:,\d{3})+(?:\.\d+)?%?")


class LayoutError(Exception):
    """A field of a row cannot be read for certain; says value, rule and remedy, and the caller adds file and line."""


class Gold(NamedTuple):
    """A final answer, and the worked solution where the same field holds it (else empty)."""

    answer: str
    solution: str = ""


def missing(value: Any) -> bool:
    """Say whether a field says nothing: absent, null, NaN, or no text."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and not value.strip())


def number_text(value: float) -> str:
    r"""Return a number in the digits that its file wrote: ``12`` for 12.0, ``100000`` for 1e5, ``1e-07``, ``0.1``.

    One of more than 60 places becomes ``1.5 \times 10^{80}``.

    Raises:
        LayoutError: for NaN and infinity, which JSON does not have.
    """
    if isinstance(value, int):
        return str(value)
    written = getattr(value, "written", None) or repr(float(value))
    try:
        number = Decimal(written)
    except DecimalException:  # an exponent beyond any sense
        number = Decimal("NaN")
    if not number.is_finite():
        raise LayoutError(
            f"{written} is no number. Rule: an answer that is missing is no answer. Remedy: drop the row, or write its "
            "answer."
        )
    if number == 0:
        return "0"
    if abs(number.adjusted()) > _MOST_DIGITS:
        sign, digits, _ = number.as_tuple()
        tail = "".join(map(str, digits[1:])).rstrip("0")
        lead = f"{'-' if sign else ''}{digits[0]}{'.' if tail else ''}{tail}"
        return rf"{lead} \times 10^{{{number.adjusted()}}}"
    whole = number == number.to_integral_value()
    if not whole and number == Decimal(repr(float(value))):
        return repr(float(value))
    plain = format(number, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def scalar_text(value: Any) -> str:
    """Return a text without the white space around it, or a number as decimal digits.

    Raises:
        LayoutError: for anything else: null, NaN, infinity, true and false, lists, objects.
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        raise LayoutError(
            f"{value!r} is no text. Rule: a truth value can be meant in many ways. Remedy: write the word."
        )
    if isinstance(value, (int, float)):
        return number_text(value)
    raise LayoutError(f"{value!r} is no text. Rule: text or a number is read. Remedy: repair or drop the row.")


def is_nan(text: str) -> bool:
    """Say whether a text is a word that only programs write, for a missing value."""
    return text.strip().casefold() in _NAN


def require_stated(answer: str) -> None:
    """Refuse the words that programs write for a missing value.

    Raises:
        LayoutError: naming the word.
    """
    if answer.casefold() in _MISSING or not answer:
        raise LayoutError(
            f"{answer!r} is no answer. Rule: programs write it for a missing value. Remedy: drop the row, or write its "
            "answer in another word (no solution, infinity)."
        )


def last_box(text: str) -> str | None:
    r"""Return what the last ``\boxed{}`` with a content holds, or ``None``."""
    found = [content for _, content in boxes(text) if content and content.strip()]
    return found[-1].strip() if found else None


def after_hashes(text: str) -> str | None:
    """Return what a solution states after its last ``####`` (as in GSM8K), digits ungrouped, or ``None``.

    MetaMathQA says it again: ``#### 12`` and below it ``The answer is: 12``.

    Raises:
        LayoutError: where no line, or more than one, follows the mark: it may be a heading.
    """
    _, mark, tail = text.rpartition("####")
    if not mark:
        return None
    stated = tail.strip()
    if (again := _SAID_AGAIN.fullmatch(stated)) and again[1].strip() == again[2].strip():
        stated = again[1].strip()
    if not stated or "\n" in stated:
        raise LayoutError(
            f"{'#### ' + stated[:60]!r} states no one answer. Rule: the line of the last #### is the answer, with "
            "nothing behind it but 'The answer is: ' and the same. Remedy: repair the row."
        )
    return stated.replace(",", "") if _GROUPED.fullmatch(stated) else stated


def gold_of(text: str) -> Gold:
    r"""Return the final answer that a text is or ends in, with the text as solution where it holds one.

    ``#### 12`` gives what follows the mark, ``\boxed{}`` the content of the last box; any other text stays.

    Raises:
        LayoutError: where an answer is marked but not stated.
    """
    found = boxes(text)
    if found and found[-1][0] > text.rfind("####"):
        stated, bare = last_box(text), _around_boxes(text)
        if stated is None:
            raise LayoutError(
                f"{text[-60:]!r} ends in an empty or open box. Rule: the last box has the answer. Remedy: drop the row."
            )
    elif "####" in text:
        stated, bare = after_hashes(text), text.split("####")[0]
        stated = last_box(stated or "") or stated
    else:
        return Gold(text)
    return Gold(stated or "", text if re.search(r"\w", bare) else "")


def _around_boxes(text: str) -> str:
    contents = [content or "" for _, content in boxes(text)]
    for content in contents:
        text = text.replace(content, "")
    return re.sub(r"\\(?:f?boxed|displaystyle|[()\[\]])", "", text)


def text_of(value: Any, name: str) -> str:
    """Return a text column: empty where it says nothing, the texts of a list below each other.

    Raises:
        LayoutError: naming the column whose value is no text, or a word for a missing one.
    """
    if missing(value):
        return ""
    if isinstance(value, (list, tuple)):
        return "\n".join(x for x in (text_of(x, name) for x in value) if x)
    try:
        text = scalar_text(value)
        if text.casefold() in _MISSING:
            require_stated(text)
        return text
    except LayoutError as e:
        raise LayoutError(f"{name}={e}") from e


def stated_in(solution: str, name: str) -> str:
    """Return the final answer that a worked solution ends in, after ``####`` or in a box.

    Raises:
        LayoutError: where there is none.
    """
    try:
        gold = gold_of(solution)
    except LayoutError as e:
        raise LayoutError(f"{name}={e}") from e
    if not solution or gold == Gold(solution):
        raise LayoutError(
            f"{name}={solution[-60:]!r} ends in no answer, and there is no column with one. Rule: the answer stands "
            "after #### or in a box. Remedy: repair or drop the row, or name its column with data.columns.answer=NAME."
        )
    return gold.answer
