"""``grader=names``: grades answers that name one of the persons in a question. It knows no numbers.

*Strict* is the requested format: the text after the last ``####``. *Flexible* is the same, or otherwise, in a finished
output, the last name of the question in the last line. Spelling counts, case does not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, ClassVar

from sei.exchange import Outcome
from sei.parts import IMMATERIAL, part
from sei.records import Problem, Verdict

_MAX_CHARS = 20_000  # the end of an output holds its answer
_MARKED = re.compile(r"####[ \t]*([^\n]*)")
_WORD = re.compile(r"[^\W\d_]+(?:[-'’](?!s\b)[^\W\d_]+)*")
# words that begin sentences but are not names
_OPENERS = frozenset(
    "a all an and are as at both but by each either every everybody everyone find for from give given how if in is it "
    "name neither no nobody none not now of on one or say she so some tell than that the then there these they this "
    "those to two three four five we what when where which while who whom whose with".split()
)


@part
class NameGrader:
    """The gold name is right; any other name of the question, or several names, are wrong.

    An output that states no name of the question is unreadable.
    """

    identity: ClassVar[str] = "grader/names"
    version: ClassVar[int] = 1
    skip_bad_gold: Annotated[bool, IMMATERIAL] = False

    def grade(self, problem: Problem, output: str, *, finished: bool = True) -> Outcome:
        """Grade one output. If it was cut at the length cap, only a marked answer counts."""
        names = names_of(problem.question)
        text = output[-_MAX_CHARS:]
        marked = _MARKED.findall(text)
        strict = mentioned(marked[-1], names) if marked else []
        found = strict
        if not strict and finished and text.strip():
            found = mentioned(text.strip().splitlines()[-1], names)[-1:]
        return Outcome(
            verdict=_verdict(found, problem.answer),
            strict_verdict=_verdict(strict, problem.answer),
            extracted=", ".join(found),
        )

    def check_gold(self, problems: tuple[Problem, ...]) -> list[str]:
        """Return the ids of problems whose own gold answer or reference solution this grader refuses."""
        return [p.id for p in problems if self.grade(p, p.solution or f"#### {p.answer}").verdict != "right"]


def names_of(question: str) -> list[str]:
    """Return the names in a question: its capitalised words, except common sentence openers."""
    found, end = [""], -2
    for m in _WORD.finditer(question):
        if m[0][0].isupper() and m[0].lower() not in _OPENERS:
            joined = m.start() == end + 1 and question[end] == " "  # "Mary Ann" is one name
            found = [*found[:-1], f"{found[-1]} {m[0]}"] if joined else [*found, m[0]]
            end = m.end()
    return list(dict.fromkeys(found[1:]))


def mentioned(text: str, names: Sequence[str]) -> list[str]:
    """Return the names in a text, each once, ordered by last mention; "not Ann" does not state Ann."""
    if not names:
        return []
    longest_first = sorted(names, key=len, reverse=True)
    spelled = {n.casefold(): n for n in names}
    pattern = rf"(?<!\bnot )\b(?:{'|'.join(map(re.escape, longest_first))})\b"
    backwards = [spelled[m.casefold()] for m in re.findall(pattern, text, re.IGNORECASE)][::-1]
    return list(dict.fromkeys(backwards))[::-1]


def _verdict(found: Sequence[str], gold: str) -> Verdict:
    if not found:
        return "unreadable"
    return "right" if len(found) == 1 and found[0].casefold() == gold.strip().casefold() else "wrong"
