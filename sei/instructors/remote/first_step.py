"""Requests of the teacher card: the first wrong step of a numbered attempt, and the answer to a question."""

from __future__ import annotations

import json
from typing import Annotated

import pydantic
from pydantic import BeforeValidator, Field

from sei.exchange import Located, Stepped, Worked
from sei.instructors.remote.reading import read_as
from sei.instructors.remote.terms import Read, Request, Result
from sei.prompts import render
from sei.records import Rejection, Usage

FIRST_STEP = "first step"
"""The kind of these requests, in the ledger and in ``instructor.max_tokens``. Its default is that of keyphrases."""

_SCHEMA = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "step": {"type": "integer"}},
    "required": ["reason", "step"],
    "additionalProperties": False,
}


def _number(value: object) -> object:
    """Convert a number given as text (``"3"``, ``"step 3"``) to a number."""
    digits = value.casefold().replace("step", "").strip(" .:#") if isinstance(value, str) else ""
    return int(digits) if digits.isdecimal() else value


class FirstStep(pydantic.BaseModel):
    """The first wrong step, counted from 1. ``reason`` is not used."""

    reason: Annotated[str, BeforeValidator(lambda v: v[:2_000] if isinstance(v, str) else "")] = ""
    step: Annotated[int, Field(ge=1, strict=True), BeforeValidator(_number)]


def first_step_request(case: Stepped, *, temperature: float | None) -> Request:
    """Ask for the first wrong step, from question, reference solution and the numbered steps."""
    problem = case.bad_case.problem
    shown = {
        "question": problem.question,
        "reference_solution": problem.solution or problem.answer,
        "steps": [{"step": i, "text": text} for i, text in enumerate(case.steps, 1)],
    }

    def check(text: str) -> Read:
        found = read_as(FirstStep, text, idle=("reason",))
        if found.value.step > len(case.steps):
            raise ValueError(f"step: there is no step {found.value.step}, the last one is {len(case.steps)}")
        return found

    return Request(
        messages=(("user", render("first_wrong_step.v1", data=json.dumps(shown, ensure_ascii=False, indent=1))),),
        schema=_SCHEMA,
        check=check,
        max_tokens=300,
        temperature=temperature,
        kind=FIRST_STEP,
    )


def as_located(answer: Result, usage: Usage, subject: str) -> Located:
    """Return the step that a reply names, or a rejection."""
    if answer.value is None:
        return Located(rejection=_refused("first step", answer, subject), usage=usage)
    return Located(step=answer.value.step, usage=usage)


def as_worked(answer: Result, usage: Usage, question: str) -> Worked:
    """Return the final answer that a reply gives, or a rejection."""
    if answer.value is None:
        return Worked(rejection=_refused("solve", answer, question[:300]), usage=usage)
    return Worked(answer=answer.value.answer, usage=usage)


def _refused(stage: str, answer: Result, subject: str) -> Rejection:
    return Rejection(stage=stage, reason=answer.reason, subject=subject, detail=answer.detail[:500])
