"""Turns one problem of a reply into a draft: checked, with lettered options and the taught ending of the solution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sei.exchange import Draft
from sei.grading import MathGrader
from sei.instructors.remote.choices import letter_of, lettered
from sei.instructors.remote.latex import UndecidedError
from sei.instructors.remote.reading import checked
from sei.instructors.remote.replies import Problem
from sei.instructors.remote.terms import UNDECIDED
from sei.instructors.remote.written import ends_one, says_nothing
from sei.records import Problem as Posed
from sei.records import Rejection

_ENDINGS = {"hash": "#### {}", "boxed": "\\boxed{{{}}}"}


def draft_of(
    found: Any,
    subject: str,
    sources: tuple[str, ...],
    like: Sequence[str],
    *,
    verify: bool,
    ending: str,
    shown: Sequence[str] = (),
) -> Draft | Rejection:
    """Return a draft with a solution that ends in the taught format, or a rejection.

    ``like``: options of a problem that was shown; with them the draft must have options, without them none. ``verify``
    refuses a solution that ends in another answer than the stated one. ``ending``: ``hash`` or ``boxed``. ``shown``:
    solutions or answers of the problems that were shown. Words such as ``unknown`` are an answer only if one of these
    ends in them, or if an option is named by them.
    """
    try:
        p = checked(Problem, found)
        if not like and says_nothing(p.answer) and not ends_one(p.answer, shown):
            raise ValueError(f"answer: {p.answer!r} is a word for no answer")
        draft = _drafted(p, sources, like)
    except ValueError as e:
        reason = UNDECIDED if isinstance(e, UndecidedError) else "off_contract"
        return Rejection(stage="synthesize", reason=reason, subject=subject, detail=f"{e}: {found!r}"[:500])
    outcome = MathGrader().grade(posed_as(draft), p.solution)
    if verify and outcome.verdict == "wrong":
        detail = f"{draft.answer} | {p.solution[-200:]}"
        return Rejection(stage="synthesize", reason="answer_mismatch", subject=subject, detail=detail)
    end = _ENDINGS[ending].format(draft.answer)
    return draft if end in p.solution else replace(draft, solution=f"{p.solution}\n{end}")


def posed_as(draft: Draft) -> Posed:
    """Return a draft as a problem for the grader."""
    return Posed(id="draft", question=draft.question, answer=draft.answer, options=draft.options)


def _drafted(p: Problem, sources: tuple[str, ...], like: Sequence[str]) -> Draft:
    """Return a checked problem as a draft. A multiple-choice draft has lettered options and a letter as answer.

    Raises:
        ValueError: if options are missing, unwanted or unusable, or if the answer names none of them.
    """
    if bool(p.options) is not bool(like):
        raise ValueError("options: multiple choice was asked for" if like else "options: none was asked for")
    options = lettered(p.options, like) if like else ()
    answer = letter_of(p.answer, options) if like else p.answer
    return Draft(question=p.question, solution=p.solution, answer=answer, sources=sources, options=options)
