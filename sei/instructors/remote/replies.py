"""Requests to the instructor and checks of its replies: templates, schemas and validation.

Some servers ignore a response format and still return 200, so every reply is checked here. Texts of problems and models
are sent as JSON data inside the request, never as part of its instructions. Nothing in a reply is evaluated.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Annotated, Any

import pydantic
from pydantic import BeforeValidator, Field

from sei.exchange import Exemplar, SynthesisRequest
from sei.instructors.remote.choices import listed
from sei.instructors.remote.reading import checked as checked
from sei.instructors.remote.reading import parsed as parsed
from sei.instructors.remote.reading import read_as, read_problems
from sei.instructors.remote.terms import Request
from sei.instructors.remote.written import says_no_mistake, written
from sei.prompts import render

_ECHO = re.compile(  # placeholder words of keyphrase.v1
    r"\W*((the )?(key)?phrase( is)?|what goes wrong,? in one sentence"
    r"|(the )?(operation|idea|operation or idea)( that fails)?)\W*"
)
_REPEATED = 3  # blanks in a phrase that repeats a part of the request; a shorter one may occur in it by chance


@lru_cache(maxsize=1)
def _asked_for() -> str:
    """Return the words of the packaged request for a keyphrase, without its data."""
    return " ".join(render("keyphrase.v1", data="").casefold().split())


def _lines(value: Any) -> Any:
    """Return a solution given as a list of steps as text, one step per line."""
    return "\n".join(value) if isinstance(value, list) and all(isinstance(v, str) for v in value) else value


def _texts(value: Any) -> Any:
    """Return options as a list of texts. Numbers become text, and missing options an empty list."""
    found = listed(value)
    return [str(v) if isinstance(v, (int, float)) else v for v in found] if isinstance(found, list) else found or []


def _one(value: Any) -> Any:
    """Return a text given as the only one of a list."""
    return value[0].strip() if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) else value


_SENTENCE = re.compile(r"(?:so |thus |therefore )?,?(?:the )?(?:final )?answer(?: is:?|:)\s+(.+?)\.?", re.IGNORECASE)


def _bare(value: Any) -> Any:
    r"""Return an answer without its wrapping: ``####``, ``$...$``, ``\boxed{...}``, quotes, ``The answer is ...``."""
    while isinstance(value, str):
        text = value.strip()
        inner = text.removeprefix("####").strip() or text
        if (told := _SENTENCE.fullmatch(text)) is not None:
            inner = told[1]
        for left, right in _AROUND:
            if len(text) > len(left) + len(right) and text.startswith(left) and text.endswith(right):
                between = text[len(left) : -len(right)]
                if _is_one(between, left):
                    inner = between
                    break
        if inner == value:
            return inner
        value = inner
    return value


_AROUND = (
    *(("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")),
    *(("\\boxed{", "}"), ("\\fbox{", "}"), ("**", "**"), ("`", "`"), ('"', '"'), ("\u201c", "\u201d")),
)


def _is_one(between: str, left: str) -> bool:
    """Tell whether the inner text is one text, not the middle of several wrapped ones."""
    if left.endswith("{"):
        depth = 0
        for c in between:
            depth += {"{": 1, "}": -1}.get(c, 0)
            if depth < 0:
                return False
        return depth == 0
    return left not in between


Text = Annotated[str, Field(min_length=1, max_length=8_000), pydantic.AfterValidator(written)]
Solution = Annotated[Text, BeforeValidator(_lines)]
FinalAnswer = Annotated[str, Field(min_length=1, max_length=500), pydantic.AfterValidator(written),
                        BeforeValidator(_bare)]  # fmt: skip

Option = Annotated[str, Field(max_length=2_000), pydantic.AfterValidator(written)]


class Keyphrase(pydantic.BaseModel):
    """The cause of one wrong attempt (section 3.2). ``first_wrong_step`` is not used."""

    first_wrong_step: Annotated[str, BeforeValidator(lambda v: v[:2_000] if isinstance(v, str) else "")] = ""
    keyphrase: Annotated[str, Field(min_length=2, max_length=160), BeforeValidator(_one)]

    @pydantic.field_validator("keyphrase")
    @classmethod
    def _is_a_cause(cls, phrase: str) -> str:
        """Refuse dots and words of the request, because small models repeat them, and words for no mistake."""
        written(phrase)
        words = " ".join(phrase.casefold().split()).strip(" .\"'")
        if _ECHO.fullmatch(phrase.casefold()) or (words.count(" ") >= _REPEATED and words in _asked_for()):
            raise ValueError("it repeats the example instead of naming the cause of the mistake")
        if says_no_mistake(phrase):
            raise ValueError(f"{phrase[:60]!r} names no mistake, but the attempt is wrong")
        if len(phrase) < 3 and phrase.isascii():  # two characters are a word in Chinese
            raise ValueError("it has fewer than 3 characters")
        return phrase


class Problem(pydantic.BaseModel):
    """One new problem with its worked solution and final answer. A multiple-choice problem also has options."""

    question: Text
    solution: Solution
    answer: FinalAnswer
    options: Annotated[list[Option], BeforeValidator(_texts)] = Field(default_factory=list)


class Correction(pydantic.BaseModel):
    """A right solution of a given question."""

    solution: Solution
    answer: FinalAnswer


def keyphrase_request(
    question: str, solution: str, attempt: str, *, temperature: float | None, prompt: str = "keyphrase.v1"
) -> Request:
    """Ask for the keyphrase of one bad case. As in the paper, show question, gold solution and wrong output."""
    data = {"question": question, "reference_solution": solution, "wrong_attempt": attempt}
    return _request(
        render(prompt, data=_data(data)),
        Keyphrase,
        lambda text: read_as(Keyphrase, text, idle=("first_wrong_step",)),
        max_tokens=300,
        temperature=temperature,
        kind="keyphrase",
    )


def problems_request(r: SynthesisRequest, prompt: str, *, temperature: float | None) -> Request:
    """Ask for new problems with the template ``prompt``. Multiple-choice exemplars ask for multiple-choice problems."""
    fields = {"data": _data(shown_for(r)), "n": str(r.n)}
    if (r.task, r.claim) == ("error_type", "named") or r.task == "combine":
        fields["error_type"] = json.dumps(r.error_type if r.claim == "named" else _ALL_KINDS)
    text = render(prompt, **fields)
    text = render("choices.v1", request=text) if r.like else text
    items = _schema(Problem, *([] if r.like else ["options"]))
    schema = {
        "type": "object",
        "properties": {"problems": {"type": "array", "items": items}},
        "required": ["problems"],
        "additionalProperties": False,
    }

    return Request(
        messages=(("user", text),),
        schema=schema,
        check=read_problems,
        max_tokens=400 * r.n + 200,
        temperature=temperature,
        sample=r.index,
        kind="problems",
        items=r.n,
    )


_ALL_KINDS = "any of those that are likely in the first problems below"  # in place of an unnamed type's name


def shown_for(r: SynthesisRequest) -> Any:
    """Return the data that a request for problems shows: never the expected answer, and no more than its paper.

    The method shows exemplars with their solutions. Analysis of errors shows question and wrong attempt, but no
    reference solution. Rewriting shows only the details. Writing similar problems and evolving show the problem with
    its solution.
    """
    if r.task == "error_type":
        return [_shown(e) for e in r.exemplars]
    if r.task == "combine":
        groups = {"problems_with_the_mistake": r.exemplars, "other_settings": r.contexts}
        return {name: [_shown(e) for e in group] for name, group in groups.items()}
    (one,) = r.exemplars
    details = dict(r.details)
    if r.task in ("similar", "evolve_upward", "evolve_downward"):
        return _shown(one)
    if r.task not in ("error", "contrast"):
        return details
    found: dict[str, Any] = {"question": one.question, "wrong_attempt": details["wrong_attempt"]}
    if one.options:
        found["options"] = list(one.options)
    solved = [text for name, text in r.details if name.startswith("solved_question_")]
    return {**found, "solved_questions": solved} if r.task == "contrast" else found


def _shown(e: Exemplar) -> dict[str, Any]:
    more = {"options": list(e.options), "answer": e.answer} if e.options else {}
    return {"question": e.question, "solution": e.solution, **more}


def correction_request(
    question: str, attempt: str, *, temperature: float | None, prompt: str = "correct.v1"
) -> Request:
    """Ask for a right solution of a question that was answered wrongly."""
    data = {"question": question, "wrong_attempt": attempt}
    return _request(
        render(prompt, data=_data(data)),
        Correction,
        lambda text: read_as(Correction, text),
        max_tokens=1_000,
        temperature=temperature,
        kind="correction",
    )


def solve_request(question: str, *, temperature: float | None, prompt: str = "solve.v1") -> Request:
    """Ask for an answer to a new problem, without showing the answer that was written with it."""
    return _request(
        render(prompt, data=_data({"problem": question})),
        Correction,
        lambda text: read_as(Correction, text),
        max_tokens=1_500,
        temperature=temperature,
        kind="agreement",
    )


def _request(text: str, model: type[pydantic.BaseModel], check: Any, **more: Any) -> Request:
    return Request(messages=(("user", text),), schema=_schema(model), check=check, **more)


def _schema(model: type[pydantic.BaseModel], *without: str) -> dict[str, Any]:
    """Return a schema in the form that servers enforce: no titles, no extra keys, every key required."""
    full = model.model_json_schema()["properties"]
    text: dict[str, Any] = {"type": "string"}
    properties = {
        k: {"type": "array", "items": text} if v.get("type") == "array" else text
        for k, v in full.items()
        if k not in without
    }
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _data(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
