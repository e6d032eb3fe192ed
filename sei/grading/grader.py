"""The grader: extraction plus equality. Its own faults are kept apart from wrong answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from typing import Annotated, ClassVar

from pydantic import Field

from sei.exchange import Outcome, ToGrade
from sei.grading import choices
from sei.grading.colons import asks_ratio, is_colon
from sei.grading.equality import equal, same_numbers, speaks, words
from sei.grading.extract import Stated, boxes, extract_flexible, extract_strict
from sei.grading.last import Expected, last_stated, right_side
from sei.grading.plain import plain_number, stated_plainly
from sei.grading.quantity import quantity
from sei.grading.readings import SHORT, assigns_several, joined_boxes, only_number, residue, said_in_words
from sei.grading.said import doubted, visible
from sei.grading.sandbox import LimitError, UnreadableError
from sei.grading.several import in_order
from sei.grading.structure import parse
from sei.grading.text import tidy
from sei.parts import IMMATERIAL, part
from sei.records import Problem, Verdict

_NO_OPTION = frozenset(["none"])  # the choice if a statement says that no option is right
_IT = re.compile(r"^\W*(?:so |thus |therefore,? )?(?:it|this) ", re.IGNORECASE)
_NO_GOLD = frozenset(("nan", "null", ""))  # what tables contain for a missing value


@part
class MathGrader:
    """Grades numbers, formulas, sets, intervals, words and choices; for the rules see docs/grading.md.

    ``seconds``: time limit of computer algebra, for reading and again for comparing. A killed comparison is a fault of
    the grader; a stated answer that cannot be read in time is unreadable. ``skip_bad_gold``: leave out problems whose
    own gold answer is refused, instead of refusing the data set. ``workers``: processes of computer algebra at the same
    time; ``None`` means one per core, at most 8.
    """

    identity: ClassVar[str] = "grader/math"
    version: ClassVar[int] = 6
    seconds: Annotated[float, Field(gt=0, le=60)] = 0.6
    skip_bad_gold: Annotated[bool, IMMATERIAL] = False
    workers: Annotated[int | None, Field(ge=1, le=64), IMMATERIAL] = None

    def grade(self, problem: Problem, output: str, *, finished: bool = True) -> Outcome:
        """Grade one output against a problem's gold answer, options and question."""
        gold = None if problem.options else plain_number(problem.answer)
        sure = gold is not None and (finished or not doubted(output))
        plainly = stated_plainly(output, finished=finished) if sure else None
        if plainly is not None:
            number, as_asked = plainly
            fine = plain_number(number) == gold or (
                "." in number + problem.answer and same_numbers(problem.answer, number)
            )
            same: Verdict = "right" if fine else "wrong"
            return Outcome(verdict=same, strict_verdict=same if as_asked else "unreadable", extracted=number)
        if problem.answer.strip().lower() in _NO_GOLD:
            why = f"gold answer {problem.answer!r} is no answer"
            return Outcome(verdict="unreadable", strict_verdict="unreadable", extracted="", fault=f"grader: {why}")
        options = choices.options_of(problem.options, problem.question) if self._wants_choice(problem) else {}
        letter = self._gold_letter(problem, options)
        if not letter and not problem.options and _letters(problem.answer):
            letter, options = _letters(problem.answer), {}  # the question has no real options
        expected: Expected = "choice" if letter else expected_of(problem.answer)
        flexible = extract_flexible(output, expected, finished=finished)
        if expected == "words" and finished and (flexible is None or flexible.source == "last"):
            flexible = said_in_words(output, words(tidy(problem.answer))) or flexible
        strict = extract_strict(output, finished=finished)
        fault = ""
        verdicts: list[Verdict] = []
        for text, asked in ((flexible.text if flexible else None, False), (strict, True)):
            if asked and text is None:
                verdicts.append("unreadable")  # not in the requested format; other statements do not count
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

    def grade_all(self, rows: Iterable[ToGrade]) -> Iterator[Outcome]:
        """Yield the outcome of ``grade`` for every row, in order; several rows are graded at a time."""
        return in_order((partial(self.grade, p, o, finished=f) for p, o, f in rows), most=self.workers)

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
                return self._choice(output, stated, options, letter, source, finished=finished), ""
            if not stated or not stated.strip():
                return "unreadable", ""
            return self._value(problem, output, stated, options, source), ""
        except UnreadableError:
            return "unreadable", ""
        except LimitError as e:
            return "unreadable", f"grader: {e}"

    def _choice(
        self,
        output: str,
        stated: str | None,
        options: dict[str, str],
        gold: frozenset[str],
        source: Stated | None,
        *,
        finished: bool,
    ) -> Verdict:
        letters = sorted(options) or list("ABCDEFGHIJ")
        states = source is not None and source.source != "last"
        found = self._chosen(stated, options, letters, run=len(gold) > 1) if stated and states else frozenset()
        if source is not None and source.source == "box" and not choices.names_letter(stated or "", letters):
            found = choices.answered_after(visible(output), letters) or found
        if not found and finished and not boxes(said := visible(output)):
            found = self._chosen_last(said.strip(), options, letters)
        if not found:
            marked = source is not None and source.source in ("box", "hash", "tag")
            return "wrong" if stated and _names_something(stated, options, marked=marked) else "unreadable"
        return "right" if found == gold else "wrong"

    def _chosen(self, stated: str, options: dict[str, str], letters: list[str], *, run: bool) -> frozenset[str]:
        """Return the letters of the options that a statement names."""
        if " " in stated.strip() and (exact := choices.verbatim(stated, options)):
            return frozenset([exact])  # "A and B" may be an option
        found = choices.letters_of(stated, run=run)
        if found and found <= set(letters):
            return found
        one = choices.letter_of(stated)
        if one is None or one not in letters:
            one = choices.by_value(stated, options, self._equal_or_not)
        if one is not None:
            return frozenset([one])
        if choices.names_none(stated):
            return _NO_OPTION
        several = choices.several_of(stated, options, self._equal_or_not)
        if several:
            return several
        one = choices.last_letter(stated, letters)
        return frozenset([one] if one else [])

    def _chosen_last(self, said: str, options: dict[str, str], letters: list[str]) -> frozenset[str]:
        """Return the option at the end of an output without a statement: a letter, or the value of its last line."""
        line = said.rsplit("\n", 1)[-1]
        if len(line) <= SHORT and (exact := choices.verbatim(line, options)):
            return frozenset([exact])  # "Both A and B" may be an option
        one = choices.letter_of(line) if len(line) <= SHORT else None
        if one is None or one not in letters:
            one = choices.last_letter(said, letters)
        if one is None and len(line) <= SHORT and (several := choices.several_of(line, options, self._equal_or_not)):
            return several
        kinds: tuple[Expected, ...] = ("words", "formula", "number")
        for value in (line, _IT.sub("", line), *(last_stated(line, kind) for kind in kinds)) if one is None else ():
            one = one or (choices.by_value(value, options, self._equal_or_not) if value else None)
        if one is None and choices.names_none(line) and len(line) <= SHORT:
            return _NO_OPTION
        return frozenset([one] if one else [])

    def _value(
        self, problem: Problem, output: str, stated: str, options: dict[str, str], source: Stated | None
    ) -> Verdict:
        gold = problem.answer
        ratio = (":" in gold or ":" in stated) and asks_ratio(problem.question)

        def same(x: str) -> bool:
            return equal(gold, x, seconds=self.seconds, ratio=ratio)

        one = choices.letter_of(stated) if options else None
        if one in options and same(options[one]):
            return "right"
        more = [only_number(gold, stated), residue(gold, stated)]
        if stated.endswith("!") and "!" not in gold and visible(output).rstrip().endswith("!"):
            more.append(stated.rstrip("!"))  # of the sentence, not of a formula in "$n!$"
        where = source.source if source is not None else "last"
        if where == "box":
            more.append(joined_boxes(gold, output))
        elif where in ("answer", "final", "last") and "=" not in gold and not assigns_several(stated):
            more.append(right_side(stated))  # in prose, a chain of equations ends in its result
        try:
            if same(stated):
                return "right"
        except UnreadableError:
            if not any(x and x != stated for x in more):
                raise
        return "right" if any(x and x != stated and self._same_or_not(same, x) for x in more) else "wrong"

    def _same_or_not(self, same: Callable[[str], bool], text: str) -> bool:
        try:
            return same(text)
        except UnreadableError:
            return False

    def _wants_choice(self, problem: Problem) -> bool:
        return bool(problem.options) or "(A)" in problem.question or bool(_letters(problem.answer))

    def _equal_or_not(self, a: str, b: str) -> bool:
        if speaks(a) != speaks(b):
            return False  # a sentence is not a formula, and algebra is slow to find out
        try:
            return equal(a, b, seconds=self.seconds)
        except (UnreadableError, LimitError):
            return False

    def _gold_letter(self, problem: Problem, options: dict[str, str]) -> frozenset[str]:
        """Return the letters that the gold answer names, by letter or by value, if the problem is a choice."""
        found = _letters(problem.answer)
        if not found and problem.options:
            found = _small_letters(problem.answer)
        if found and (not options or found <= options.keys()):
            return found
        if not problem.options and not options:
            return frozenset()
        one = choices.by_value(problem.answer, options, self._equal_or_not)
        return frozenset([one] if one else [])

    def check_gold(self, problems: tuple[Problem, ...]) -> list[str]:
        """Return the ids of problems whose own gold answer or reference solution this grader refuses.

        A worked solution without a marked answer (``####``, a box) does not count against the gold answer.
        """
        accepted = in_order((partial(self._accepts, p) for p in problems), most=self.workers)
        return [p.id for p, fine in zip(problems, accepted, strict=True) if not fine]

    def _accepts(self, p: Problem) -> bool:
        alone = f"\\boxed{{{p.answer}}}"
        if self.grade(p, p.solution or alone).verdict == "right":
            return True
        return bool(p.solution) and extract_strict(p.solution) is None and self.grade(p, alone).verdict == "right"


@lru_cache(maxsize=65_536)
def expected_of(gold: str) -> Expected:
    """Return the kind of a gold answer; it decides how the last stated answer is searched."""
    text = tidy(gold)
    if is_colon(text):
        return "colon"
    if quantity(text) is not None:
        return "number"
    if parse(text).kind in ("list", "set"):
        return "list"
    return "words" if words(text) else "formula"


def _letters(gold: str) -> frozenset[str]:
    text = tidy(gold).strip()
    if re.fullmatch(r"\(?\s*[A-J]\s*\)?[.:]?", text):
        return frozenset(re.findall(r"[A-J]", text))
    return choices.letters_of(text)


def _small_letters(gold: str) -> frozenset[str]:
    """Return the letters of a gold answer as some files write them: ``a``, ``(c)``, ``ABD``."""
    text = tidy(gold).strip(" ().:")
    return frozenset(text.upper()) if re.fullmatch(r"[a-j]", text) else choices.letters_of(text, run=True)


def _names_something(stated: str, options: dict[str, str], *, marked: bool) -> bool:
    """Say whether a statement without an option states something else: a number, or any content of a box."""
    text = tidy(stated)
    if marked and re.search(r"\w\s*[*/+^=]\s*\w", text):
        return True  # a formula such as E*2
    return bool(options) and (quantity(text) is not None or (marked and bool(re.search(r"\w", text))))
