r"""Exact grading of numeric answers.

Two extractions are reported side by side, as lm-evaluation-harness does for GSM8K: *strict* is the
format asked for (``#### answer``), *flexible* the last stated answer (``####``, then ``\boxed{}``,
then an "answer is" sentence, then the last number of a finished output).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from sei.errors import DataError
from sei.parts import part
from sei.records import Problem, Verdict

# sign, optional currency, digits with optional thousands commas, decimals; then an optional /denominator
_UNSIGNED = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_NUMBER = re.compile(
    rf"(?P<sign>[-+\u2212]\s?)?[$€£]?\s?(?P<sign2>-)?"
    rf"(?:(?P<whole>\d+)\s+(?P<mn>\d+)\s*/\s*(?P<md>\d+)|(?P<num>{_UNSIGNED})(?:\s*/\s*(?P<den>{_UNSIGNED}))?)"
)
_STRICT = re.compile(r"####[ \t]*(.+)")
_STATED = re.compile(r"(?:final answer|answer|result)\s*(?:is|are|=|:)\s*([^\n]+)", re.IGNORECASE)
_MAX_CHARS = 20_000  # the end of an output holds its answer; longer texts only cost time
_MAX_DIGITS = 1_000  # Fractions of longer digit strings cost quadratic time


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Verdicts of one output: flexible, strict, and what the flexible extraction found."""

    verdict: Verdict
    strict_verdict: Verdict
    extracted: str


def parse_number(text: str) -> Fraction | None:
    """Return the exact value of the first number in a text, or ``None``.

    Units, currency signs and thousands separators do not matter; ``60%`` is read as 60; ``1 1/2`` as 3/2.
    """
    m = _NUMBER.search(text[:_MAX_DIGITS])
    if m is None:
        return None
    if m["whole"]:
        bottom = int(m["md"])
        value = Fraction(int(m["whole"])) + Fraction(int(m["mn"]), bottom) if bottom else None
    else:
        value = Fraction(m["num"].replace(",", ""))
        if m["den"]:
            bottom_value = Fraction(m["den"].replace(",", ""))
            value = value / bottom_value if bottom_value else None
    if value is None:
        return None
    negative = bool(m["sign"] and m["sign"].strip() != "+") or bool(m["sign2"])
    return -value if negative and not _is_minus_operator(text, m.start()) else value


def _is_minus_operator(text: str, start: int) -> bool:
    """Say whether a minus sign at ``start`` subtracts (``12-5``) rather than negates."""
    before = text[:start].rstrip()
    return bool(before) and (before[-1].isalnum() or before[-1] in ")%")


def extract_strict(output: str) -> str | None:
    """Return what follows the last ``####`` on its line, or ``None``."""
    found = _STRICT.findall(output[-_MAX_CHARS:])
    return found[-1].strip() if found else None


def extract_flexible(output: str, *, finished: bool = True) -> str | None:
    """Return the last stated answer, or ``None``.

    An output cut at the length cap has no "last number" that could count as its answer.
    """
    tail = output[-_MAX_CHARS:]
    for candidate in (extract_strict(tail), _last_boxed(tail), *reversed(_STATED.findall(tail))):
        if candidate is not None and (number := _number_text(candidate, last=False)):
            return number
    return _number_text(tail, last=True) if finished else None


def _last_boxed(text: str) -> str | None:
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth, i = 1, start + len("\\boxed{")
    while i < len(text) and depth:
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        i += 1
    return text[start + len("\\boxed{") : i - 1] if depth == 0 else None


def _number_text(text: str, *, last: bool) -> str | None:
    found = list(_NUMBER.finditer(text))
    if not found:
        return None
    m = found[-1] if last else found[0]
    raw = m.group().strip()
    return raw.lstrip("-+\u2212 ") if _is_minus_operator(text, m.start()) else raw


@part
class NumericGrader:
    """Grades numeric answers by exact value; the version stands in the store's key of the grade stage."""

    version: ClassVar[int] = 1

    def grade(self, gold: str, output: str, *, finished: bool = True) -> Outcome:
        """Grade one output against a gold answer.

        Raises:
            DataError: when the gold answer itself is no number (a fault of the data, never the student's).
        """
        truth = parse_number(gold)
        if truth is None:
            raise DataError(f"gold answer {gold!r} is not a number; this grader reads numeric answers only")
        flexible = extract_flexible(output, finished=finished)
        return Outcome(
            verdict=_verdict(truth, flexible),
            strict_verdict=_verdict(truth, extract_strict(output)),
            extracted=flexible or "",
        )

    def check_gold(self, problems: tuple[Problem, ...]) -> list[str]:
        """Return the ids of problems whose own gold answer or reference solution this grader refuses."""
        failures = []
        for p in problems:
            shown = p.solution if p.solution else f"#### {p.answer}"
            try:
                if self.grade(p.answer, shown).verdict != "right":
                    failures.append(p.id)
            except DataError:
                failures.append(p.id)
        return failures


def _verdict(truth: Fraction, stated: str | None) -> Verdict:
    value = parse_number(stated) if stated is not None else None
    if value is None:
        return "unreadable"
    return "right" if value == truth else "wrong"
