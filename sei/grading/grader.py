"""The grader: extraction and equality put together, with the kind of fault kept apart from wrong answers."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import Field

from sei.grading import choices
from sei.grading.equality import equal, words
from sei.grading.extract import NUMBER, Expected, Stated, boxes, extract_flexible, extract_strict, visible
from sei.grading.plain import plain_number, stated_plainly
from sei.grading.quantity import quantity
from sei.grading.sandbox import LimitError, UnreadableError
from sei.grading.text import tidy
from sei.parts import part
from sei.ports import Outcome
from sei.records import Problem, Verdict


@part
class MathGrader:
    """Grades numbers, formulas, sets, intervals, words and choices; conventions: docs/grading.md.

    ``seconds``: limit for reading, and again for comparing, in computer algebra; a killed comparison is a
    fault of the grader, a stated answer that cannot be read within it is unreadable.
    """

    version: ClassVar[int] = 1
    seconds: Annotated[float, Field(gt=0, le=60)] = 0.6

    def grade(self, problem: Problem, output: str, *, finished: bool = True) -> Outcome:
        """Grade one output against a problem's gold answer, options and question."""
        gold = None if problem.options else plain_number(problem.answer)
        plainly = stated_plainly(output, finished=finished) if gold is not None else None
        if plainly is not None:
            number, as_asked = plainly
            same: Verdict = "right" if plain_number(number) == gold else "wrong"
            return Outcome(verdict=same, strict_verdict=same if as_asked else "unreadable", extracted=number)
        options = choices.options_of(problem.options, problem.question) if self._wants_choice(problem) else {}
        letter = _gold_letter(problem.answer, options)
        if not letter and not problem.options and _letters(problem.answer):
            letter, options = _letters(problem.answer), {}  # what looked like options in the question were none
        expected: Expected = "choice" if letter else expected_of(problem.answer)
        flexible = extract_flexible(output, expected, finished=finished)
        strict = extract_strict(output)
        fault = ""
        verdicts: list[Verdict] = []
        for text, asked in ((flexible.text if flexible else None, False), (strict, True)):
            if asked and text is None:
                verdicts.append("unreadable")  # not in the format: what stands elsewhere does not count
                continue
            verdict, why = self._judge(problem, output, text, options, letter, flexible, finished=finished)
            verdicts.append(verdict)
            fault = fault or why
        return Outcome(
            verdict=verdicts[0],
            strict_verdict=verdicts[1],
            extracted=flexible.text if flexible else "",
            fault=fault,
        )

    def _judge(
        self,
        problem: Problem,
        output: str,
        stated: str | None,
        options: dict[str, str],
        letter: frozenset[str],
        source: Stated | None,
        *,
        finished: bool,
    ) -> tuple[Verdict, str]:
        try:
            if letter:
                return self._choice(output, stated, options, letter, finished=finished), ""
            if not stated or not stated.strip():
                return "unreadable", ""
            return self._value(problem, output, stated, options, source), ""
        except UnreadableError:
            return "unreadable", ""
        except LimitError as e:
            return "unreadable", f"grader: {e}"

    def _choice(
        self, output: str, stated: str | None, options: dict[str, str], gold: frozenset[str], *, finished: bool
    ) -> Verdict:
        letters = sorted(options) or list("ABCDEFGHIJ")
        found = choices.letters_of(stated) if stated else frozenset()
        if not found and stated:
            one = choices.letter_of(stated)
            if one is None or one not in letters:
                one = choices.by_value(stated, options, self._equal_or_not)
            if one is None:
                one = choices.last_letter(stated, letters)
            found = frozenset([one] if one else [])
        if not found and finished and not boxes(visible(output)):
            one = choices.last_letter(visible(output), letters)
            found = frozenset([one] if one else [])
        if not found:
            return "wrong" if stated and stated.strip() and options and quantity(tidy(stated)) else "unreadable"
        return "right" if found == gold else "wrong"

    def _value(
        self, problem: Problem, output: str, stated: str, options: dict[str, str], source: Stated | None
    ) -> Verdict:
        gold = problem.answer
        one = choices.letter_of(stated) if options else None
        if one in options and equal(gold, options[one], seconds=self.seconds):
            return "right"
        try:
            if equal(gold, stated, seconds=self.seconds):
                return "right"
        except UnreadableError:
            number = _only_number(gold, stated)
            if number is None:
                raise
            return "right" if equal(gold, number, seconds=self.seconds) else "wrong"
        number = _only_number(gold, stated)
        if number is not None and equal(gold, number, seconds=self.seconds):
            return "right"
        joined = _joined_boxes(gold, output) if source is not None and source.source == "box" else None
        if joined is not None and joined != stated and equal(gold, joined, seconds=self.seconds):
            return "right"
        return "wrong"

    def _wants_choice(self, problem: Problem) -> bool:
        return bool(problem.options) or bool(_letters(problem.answer))

    def _equal_or_not(self, a: str, b: str) -> bool:
        try:
            return equal(a, b, seconds=self.seconds)
        except (UnreadableError, LimitError):
            return False

    def check_gold(self, problems: tuple[Problem, ...]) -> list[str]:
        """Return the ids of problems whose own gold answer or reference solution this grader refuses."""
        failures = []
        for p in problems:
            shown = p.solution if p.solution else f"\\boxed{{{p.answer}}}"
            if self.grade(p, shown).verdict != "right":
                failures.append(p.id)
        return failures


def expected_of(gold: str) -> Expected:
    """Return what kind of answer a gold answer is: it steers how the last stated answer is looked for."""
    text = tidy(gold)
    if quantity(text) is not None:
        return "number"
    return "words" if words(text) else "formula"


def _letters(gold: str) -> frozenset[str]:
    text = tidy(gold).strip()
    if re.fullmatch(r"\(?\s*[A-J]\s*\)?[.:]?", text):
        return frozenset(re.findall(r"[A-J]", text))
    return choices.letters_of(text)


def _gold_letter(gold: str, options: dict[str, str]) -> frozenset[str]:
    """Return the letters that the gold answer names, where the problem is a choice; else nothing."""
    found = _letters(gold)
    if found and (not options or found <= options.keys()):
        return found
    return frozenset()


def _only_number(gold: str, stated: str) -> str | None:
    """Return the one number in a stated phrase such as ``She has 5 apples``, where a number is wanted."""
    if (
        quantity(tidy(gold)) is None
        or not re.search(r"[A-Za-z]{3,}\s", stated)
        or re.search(r"\\(?:sqrt|pi|frac)|\^", stated)
    ):
        return None
    found = {m.group().strip() for m in NUMBER.finditer(stated)}
    return found.pop() if len(found) == 1 else None


def _joined_boxes(gold: str, output: str) -> str | None:
    """Return the contents of the last boxes that one sentence joins, where the gold answer has several parts."""
    if not re.search(r",|;|\\pm|\band\b|\bor\b|\\cup|\\text", gold):
        return None
    text = visible(output)
    found = boxes(text)
    parts: list[str] = []
    start = len(text)
    for at, content in reversed(found):
        end = at + len("\\boxed{}") + len(content or "")
        if content is None or (
            parts and not re.fullmatch(r"[\s$\\)(\]]*(?:,|;|and|or|,\s*and)?[^.\n]{0,25}", text[end:start])
        ):
            break
        parts.insert(0, content)
        start = at
    return ", ".join(parts) if len(parts) > 1 else None
