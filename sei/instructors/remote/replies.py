"""What the instructor is asked and what may come back: templates, schemas, and checks on our side, always.

Some servers ignore a response format and still say 200, so every reply is checked here. Texts of problems and
models travel as JSON inside the request: data, never part of it. Nothing in a reply is evaluated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import pydantic
from pydantic import Field

from sei.instructors.remote.terms import Request
from sei.ports import Exemplar
from sei.prompts import render

Text = Annotated[str, Field(min_length=1, max_length=8_000)]
Reply = TypeVar("Reply", bound=pydantic.BaseModel)
_MAX_REPLY = 400_000  # characters; a longer reply is none
_MAX_DEPTH = 40
_ECHO = re.compile(  # the words of keyphrase.v1 that stand for the phrase
    r"\W*((the )?(key)?phrase( is)?|what goes wrong,? in one sentence"
    r"|(the )?(operation|idea|operation or idea)( that fails)?)\W*"
)
_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Keyphrase(pydantic.BaseModel):
    """The cause of one wrong attempt (section 3.2)."""

    first_wrong_step: Annotated[str, Field(max_length=2_000)] = ""
    keyphrase: Annotated[str, Field(min_length=3, max_length=160)]

    @pydantic.field_validator("keyphrase")
    @classmethod
    def _is_no_echo(cls, phrase: str) -> str:
        """Refuse the words that stand for the phrase in the request; small models repeat them."""
        if _ECHO.fullmatch(phrase.casefold()):
            raise ValueError("it repeats the example instead of naming the cause of the mistake")
        return phrase


class Problem(pydantic.BaseModel):
    """One new problem with its worked solution and final answer."""

    question: Text
    solution: Text
    answer: Annotated[str, Field(min_length=1, max_length=500)]


class Problems(pydantic.BaseModel):
    """New problems of one request; each is judged for itself, so that one bad one does not cost the others."""

    problems: list[Any]


class Correction(pydantic.BaseModel):
    """A right solution of a given question."""

    solution: Text
    answer: Annotated[str, Field(min_length=1, max_length=500)]


def parsed(text: str) -> Any:
    """Return the JSON object of a reply; a code fence or words around it do not matter.

    Raises:
        ValueError: saying what is wrong, in words that can be sent back.
    """
    if len(text) > _MAX_REPLY:
        raise ValueError(f"the reply has {len(text)} characters, at most {_MAX_REPLY} are read")
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise ValueError("the reply holds no JSON object")
    body = text[start : end + 1]
    depth = deepest = 0
    for c in body:
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(c, 0)
        deepest = max(deepest, depth)
    if deepest > _MAX_DEPTH:
        raise ValueError(f"the JSON is nested {deepest} deep")
    try:
        return json.loads(body, strict=False)
    except (ValueError, RecursionError) as e:
        raise ValueError(f"the reply is no valid JSON ({e})") from None


def checked(model: type[Reply], found: Any) -> Reply:
    """Return a reply of the wanted shape, its texts fit for files and tokenizers.

    Raises:
        ValueError: naming the field and the rule.
    """
    if isinstance(found, dict):
        found = {k: _UNFIT.sub("", v).strip() if isinstance(v, str) else v for k, v in found.items()}
    try:
        return model.model_validate(found)
    except pydantic.ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(x) for x in first["loc"]) or "the object"
        raise ValueError(f"{where}: {first['msg']}") from None


def keyphrase_request(question: str, solution: str, attempt: str, *, temperature: float | None) -> Request:
    """Ask for the keyphrase of one bad case, from what the paper shows: question, gold solution, wrong output."""
    data = {"question": question, "reference_solution": solution, "wrong_attempt": attempt}
    return _request(
        render("keyphrase.v1", data=_data(data)),
        Keyphrase,
        lambda text: checked(Keyphrase, parsed(text)),
        max_tokens=300,
        temperature=temperature,
        kind="keyphrase",
    )


def synthesis_request(
    error_type: str, exemplars: Sequence[tuple[str, str]], n: int, *, sample: int, temperature: float | None
) -> Request:
    """Ask for ``n`` new problems of an error type."""
    shown = [{"question": q, "solution": s} for q, s in exemplars]
    text = render("synthesize.v1", error_type=json.dumps(error_type), data=_data(shown), n=str(n))
    return _problems_request(text, n, sample=sample, temperature=temperature)


def combine_request(
    error_type: str,
    exemplars: Sequence[Exemplar],
    contexts: Sequence[Exemplar],
    n: int,
    sample: int,
    *,
    temperature: float | None,
) -> Request:
    """Ask for ``n`` new problems that carry the mistake of an error type into the settings of other problems."""
    names = ("problems_with_the_mistake", "other_settings")
    groups = (exemplars, contexts)
    shown = {
        name: [{"question": e.question, "solution": e.solution} for e in group]
        for name, group in zip(names, groups, strict=True)
    }
    text = render("combine.v1", error_type=json.dumps(error_type), data=_data(shown), n=str(n))
    return _problems_request(text, n, sample=sample, temperature=temperature)


def task_request(task: str, shown: Mapping[str, Any], n: int, *, sample: int, temperature: float | None) -> Request:
    """Ask for ``n`` new problems as a baseline does; ``shown`` is all that its template is given."""
    return _problems_request(
        render(f"{task}.v1", data=_data(shown), n=str(n)), n, sample=sample, temperature=temperature
    )


def _problems_request(text: str, n: int, *, sample: int, temperature: float | None) -> Request:
    schema = {
        "type": "object",
        "properties": {"problems": {"type": "array", "items": _schema(Problem)}},
        "required": ["problems"],
        "additionalProperties": False,
    }

    def check(reply: str) -> list[Any]:
        problems = checked(Problems, parsed(reply)).problems
        if not problems:
            raise ValueError("problems: it is empty")
        return problems

    return Request(
        messages=(("user", text),),
        schema=schema,
        check=check,
        max_tokens=400 * n + 200,
        temperature=temperature,
        sample=sample,
        kind="problems",
        items=n,
    )


def correction_request(question: str, attempt: str, *, temperature: float | None) -> Request:
    """Ask for a right solution of a question that was answered wrongly."""
    data = {"question": question, "wrong_attempt": attempt}
    return _request(
        render("correct.v1", data=_data(data)),
        Correction,
        lambda text: checked(Correction, parsed(text)),
        max_tokens=1_000,
        temperature=temperature,
        kind="correction",
    )


def solve_request(question: str, *, temperature: float | None) -> Request:
    """Ask for an answer to a new problem, without showing the one that was written with it."""
    return _request(
        render("solve.v1", data=_data({"problem": question})),
        Correction,
        lambda text: checked(Correction, parsed(text)),
        max_tokens=1_500,
        temperature=temperature,
        kind="agreement",
    )


def _request(text: str, model: type[pydantic.BaseModel], check: Any, **more: Any) -> Request:
    return Request(messages=(("user", text),), schema=_schema(model), check=check, **more)


def _schema(model: type[pydantic.BaseModel]) -> dict[str, Any]:
    """Return a schema as servers enforce it: no titles, no extra keys, every key required."""
    full = model.model_json_schema()
    properties = {k: {"type": "string"} for k in full["properties"]}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _data(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
