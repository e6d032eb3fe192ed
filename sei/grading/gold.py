r"""Reads gold answers from files: a number, a text, or a whole solution that ends in ``#### 12`` or in a box.

Whatever cannot be read with certainty is refused by ``LayoutError``; nothing is guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal, DecimalException
from typing import Any, NamedTuple

from sei.grading.damage import damage
from sei.grading.extract import ANSWER_TAG, boxes
from sei.grading.printed import MISSING, NAN, are_bytes, is_no_answer, printed
from sei.grading.said import mark_in, without_marks, without_thoughts

_MOST_DIGITS = 60  # a longer number keeps its exponent
_SAID_AGAIN = re.compile(r"([^\n]+)\n+The answer is:? ?([^\n]+?)\.?")
_PROSE = 8  # words of three letters or more
_NEXT_SENTENCE = re.compile(r"[a-z0-9)][.!?]\s+[A-Z][a-z]")
_SAYS_ANSWER = re.compile(r"\banswer\s+is\b", re.IGNORECASE)
_ONE_LINE = re.compile(
    r"(?:(?:so|thus|therefore|hence),?\s+)?(?:the\s+)?(?:final\s+|correct\s+)?answer\s*(?:is\b(?:\s*:)?|:|=)\s*(\S.*?)\.?",
    re.IGNORECASE,
)
_VALUE = re.compile(r"\(?[A-J]\)?|[-+$€£\\(\[{.\d][^.!?]{0,60}(?:\.\d+[^.!?]{0,20})?")  # and not a sentence
_GROUPED = re.compile(r"[-+]?\$?\s*\d{1,3}(?:,\d{3})+(?:\.\d+)?%?")


class LayoutError(Exception):
    """A field of a row cannot be read with certainty. Says value, rule and remedy; the caller adds file and line."""


class Gold(NamedTuple):
    """A final answer, and the worked solution if the same field holds it (otherwise empty)."""

    answer: str
    solution: str = ""


def missing(value: Any) -> bool:
    """Say whether a field is empty: absent, null, NaN, or a blank text."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and not value.strip())


def is_finished(row: Mapping[str, Any]) -> bool:
    """Say whether a row's output is complete: ``finished`` is not false, 0, or one of their words in a table of texts.

    Raises:
        LayoutError: if ``finished`` is anything but a truth value.
    """
    said = row.get("finished", True)
    word = said.strip().casefold() if isinstance(said, str) else said
    if missing(said) or word in MISSING:
        return True
    if word in ("false", "f", "no", "n", "0", "0.0", 0):
        return False
    if word in ("true", "t", "yes", "y", "1", "1.0", 1):
        return True
    raise LayoutError(
        f"finished={said!r} is no truth value. Rule: an output is finished or cut. Remedy: true or false."
    )


def number_text(value: float) -> str:
    r"""Return a number with the digits of its file: ``12`` for 12.0, ``100000`` for 1e5, ``1e-07``, ``0.1``.

    A number of more than 60 digits becomes ``1.5 \times 10^{80}``.

    Raises:
        LayoutError: for NaN and infinity, which JSON does not have.
    """
    if isinstance(value, int):
        return str(value)
    written = getattr(value, "written", None) or repr(float(value))
    try:
        number = Decimal(written)
    except DecimalException:  # an absurdly large exponent
        number = Decimal("NaN")
    if not number.is_finite():
        raise LayoutError(
            f"{written} is not a number. Rule: a missing answer is not an answer. Remedy: drop the row, or write its "
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
    """Return a text without surrounding white space, or a number as decimal digits.

    Raises:
        LayoutError: for anything else (null, NaN, infinity, true and false, lists, objects), for bytes as text, and for
            characters that no text holds.
    """
    if isinstance(value, str):
        require_sound(value)
        text = value.strip()
        if are_bytes(text):
            raise LayoutError(
                f"{text[:60]} is bytes as Python prints them. Rule: the value is text. Remedy: write the file from "
                "decoded texts (value.decode() of each)."
            )
        return text
    if isinstance(value, bool):
        raise LayoutError(f"{value!r} is not text. Rule: a truth value is ambiguous. Remedy: write the word.")
    if isinstance(value, (int, float)):
        return number_text(value)
    raise LayoutError(f"{value!r} is not text. Rule: the value is text or a number. Remedy: repair or drop the row.")


def require_sound(text: str) -> None:
    """Refuse characters that no text holds, such as those of LaTeX with one backslash in JSON.

    Raises:
        LayoutError: showing the place in the text.
    """
    if said := damage(text):
        raise LayoutError(said)


def is_nan(text: str) -> bool:
    """Say whether a text is a word that programs write for a missing value."""
    return text.strip().casefold() in NAN


def require_stated(answer: str) -> None:
    """Refuse the words that programs write for a missing value, and values as programs print them.

    Raises:
        LayoutError: naming the word or the value.
    """
    if is_no_answer(answer):
        raise LayoutError(
            f"{answer!r} is not an answer. Rule: programs write it for a missing value. Remedy: drop such rows (by a "
            "filter before the file is saved), or use another word (no solution, infinity)."
        )
    if kind := printed(answer):
        raise LayoutError(
            f"{answer[:60]!r} is {kind} as a program prints it. Rule: an answer is a text or a number. Remedy: write "
            "the value itself (value.item() of an array, str(value) of a number, each text of a list)."
        )


def last_box(text: str) -> str | None:
    r"""Return the content of the last non-empty ``\boxed{}``, or ``None``."""
    found = [content for _, content in boxes(text) if content and content.strip()]
    return found[-1].strip() if found else None


def after_hashes(text: str) -> str | None:
    """Return the text after a solution's last ``####`` (as in GSM8K), without digit grouping, or ``None``.

    MetaMathQA repeats the answer: ``#### 12`` and below it ``The answer is: 12``.

    Raises:
        LayoutError: if no line or more than one follows the mark, since it may then be a heading.
    """
    _, mark, tail = text.rpartition("####")
    if not mark:
        return None
    stated = tail.strip()
    if (again := _SAID_AGAIN.fullmatch(stated)) and again[1].strip() == again[2].strip():
        stated = again[1].strip()
    if not stated or "\n" in stated:
        raise LayoutError(
            f"{'#### ' + stated[:60]!r} does not state one answer. Rule: the line of the last #### is the answer, and "
            "only 'The answer is: ' with the same answer may follow. Remedy: repair the row."
        )
    return stated.replace(",", "") if _GROUPED.fullmatch(stated) else stated


def is_worked(text: str) -> bool:
    """Say whether a text reads as a worked solution: prose of several sentences or lines, or it says its answer."""
    lines = [line for line in text.split("\n") if line.strip()]
    prose = len(re.findall(r"[A-Za-z]{3,}", text)) >= _PROSE
    several = len(lines) > 1 or _NEXT_SENTENCE.search(text) is not None
    return ((prose and several) or _SAYS_ANSWER.search(text) is not None) and "\\begin{" not in text


def gold_of(text: str) -> Gold:
    r"""Return the final answer that a text is or ends in, and the text as solution if it contains one.

    ``#### 12`` gives the text after the mark, ``\boxed{}`` the content of the last box, ``<answer>`` that of the last
    tag, and one line ``The answer is 12.`` the number. Any other text is the answer. Thoughts (``<think>``) and marks
    of the end of a turn are left out.

    Raises:
        LayoutError: if an answer is marked but not stated, or if nothing but a thought is there.
    """
    found = _marked(text)
    if found is None:
        visible = _visible(text)
        m = _ONE_LINE.fullmatch(visible)
        found = Gold(m[1] if m and _VALUE.fullmatch(m[1]) else visible)
    if mark := mark_in(found.answer):
        raise LayoutError(
            f"{found.answer[-60:]!r} has the mark {mark} of a chat's turn. Rule: an answer is one turn. Remedy: cut "
            "the text at the mark."
        )
    return found


def _visible(text: str) -> str:
    whole = without_marks(text)
    visible = without_thoughts(whole)
    cut = whole[len(visible) :] if visible and whole.startswith(visible) else ""
    if re.search(r"####|\\boxed", cut) and "</" not in cut:
        return whole  # a tag of the text itself, such as <reason>, that nothing closes
    if text.strip() and not visible.strip():
        raise LayoutError(
            f"{text[-60:]!r} is only a thought. Rule: the answer stands after the thought. Remedy: drop the row, or "
            "write its answer."
        )
    return visible


def _marked(text: str) -> Gold | None:
    visible = _visible(text)
    found, tags, hashes = boxes(visible), list(ANSWER_TAG.finditer(visible)), visible.rfind("####")
    if tags and tags[-1].end() > max(hashes, found[-1][0] if found else -1):
        inner, bare = tags[-1][1].strip(), ANSWER_TAG.sub("", visible)
        stated: str | None = gold_of(inner).answer if inner else None
        what = "tag"
    elif found and found[-1][0] > hashes:
        stated, bare, what = last_box(visible), _around_boxes(visible), "or open box"
    elif hashes >= 0:
        stated, bare, what = after_hashes(visible), visible.split("####")[0], "mark"
        stated = last_box(stated or "") or stated
    else:
        return None
    if stated is None:
        raise LayoutError(
            f"{text[-60:]!r} ends in an empty {what}. Rule: the last one has the answer. Remedy: drop the row."
        )
    return Gold(stated, without_marks(text) if re.search(r"\w", bare) or visible != without_marks(text) else "")


def _around_boxes(text: str) -> str:
    contents = [content or "" for _, content in boxes(text)]
    for content in contents:
        text = text.replace(content, "")
    return re.sub(r"\\(?:f?boxed|displaystyle|[()\[\]])", "", text)


def text_of(value: Any, name: str) -> str:
    """Return a text column: empty if it has no value, the texts of a list joined by line breaks.

    Raises:
        LayoutError: naming the column if its value is not text, or is a word for a missing value.
    """
    if missing(value):
        return ""
    if isinstance(value, (list, tuple)):
        return "\n".join(x for x in (text_of(x, name) for x in value) if x)
    try:
        text = scalar_text(value)
        if text.casefold() in MISSING:
            require_stated(text)
        return text
    except LayoutError as e:
        raise LayoutError(f"{name}={e}") from e


def stated_in(solution: str, name: str) -> str:
    """Return the final answer after ``####`` or in a box at the end of a worked solution.

    Raises:
        LayoutError: if there is none.
    """
    try:
        gold = _marked(solution)
    except LayoutError as e:
        raise LayoutError(f"{name}={e}") from e
    if gold is None:
        raise LayoutError(
            f"{name}={solution[-60:]!r} ends without an answer, and there is no answer column. Rule: the answer stands "
            "after #### or in a box. Remedy: repair or drop the row, or name its column with data.columns.answer=NAME."
        )
    return gold.answer
