"""``clusterer=llm``: the instructor groups the keyphrases in batches, as in the paper (section 3.2)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
import pydantic
from numpy.typing import NDArray
from pydantic import Field

from sei.errors import ConfigError, TooManyBadRecordsError
from sei.exchange import Grouping
from sei.instructors.remote.instructor import OpenAICompatible
from sei.instructors.remote.reading import checked, read
from sei.instructors.remote.terms import Read, Request, Result
from sei.instructors.remote.written import written
from sei.outlook import Asks, Estimate, Outlook
from sei.parts import part
from sei.progress import progress
from sei.prompts import prompt_digest, render
from sei.records import Rejection, Usage, refusals

_SCHEMA = {
    "type": "object",
    "properties": {
        "error_types": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "ids": {"type": "array", "items": {"type": "integer"}}},
                "required": ["name", "ids"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["error_types"],
    "additionalProperties": False,
}


_FORM = re.compile(r"\W*(?:the )?name\W*")  # the words for a name in the requested form
_MANY = 20  # a reply that puts this many phrases or names into one type is refused


class Named(pydantic.BaseModel):
    """One error type with the instructor's name and the numbers of its phrases."""

    name: Annotated[str, Field(min_length=3, max_length=120), pydantic.AfterValidator(lambda v: written(v, _FORM))]
    ids: list[int]


class Types(pydantic.BaseModel):
    """The reply to any of the three requests."""

    error_types: list[Named]


def _remote(found: object) -> object:
    if not isinstance(found, OpenAICompatible):
        raise ConfigError(
            f"clusterer=llm needs a remote instructor, but instructor is {type(found).__name__}. Remedy: "
            "instructor=gpt4o, instructor=openai_compatible, or clusterer=ward."
        )
    return found


@part
class LLMClusterer:
    """Asks the instructor to group phrases. The first batch makes types; later batches join them or add new ones.

    Equal phrases are asked for once. ``merge`` asks at the end which names mean the same. A phrase missing from a reply
    has no type and is counted. A reply with more than a share ``max_left_out`` of its phrases missing is asked for once
    more, and so is a reply with a number that no phrase has. The run stops if more than ``max_left_out`` of all phrases
    have no type. A reply that puts 20 or more phrases into a single type is also asked for once more: small models
    write such replies, and they would silently amount to ``clusterer=none``.
    """

    identity: ClassVar[str] = "clusterer/llm"
    version: ClassVar[int] = 4
    instructor: Annotated[OpenAICompatible, pydantic.BeforeValidator(_remote)]
    batch: Annotated[int, Field(ge=2, le=1000)] = 100
    merge: bool = True
    max_left_out: Annotated[float, Field(ge=0, le=1)] = 0.2

    def reads(self) -> dict[str, str]:
        """Return digests of the prompt templates."""
        return {n: prompt_digest(n) for n in ("cluster.v1", "assign.v1", "merge.v1")}

    def group(self, phrases: Sequence[str], vectors: NDArray[np.float32], seed: int) -> Grouping:
        """Return a label per phrase and the instructor's type names.

        Raises:
            TooManyBadRecordsError: if more than a share ``max_left_out`` of the phrases have no type.
        """
        distinct = list(dict.fromkeys(phrases))
        type_of: dict[str, str] = {}
        names: list[str] = []
        usage, rejections = Usage(), []
        batches = [distinct[i : i + self.batch] for i in range(0, len(distinct), self.batch)]
        with progress("error types", len(batches)) as advance:
            for batch in batches:
                answer = self._ask(group_request(batch, names, self.max_left_out, self.instructor))
                usage += self.instructor.usage(answer)
                if answer.value is None:
                    rejections.append(_rejected(answer, f"{len(batch)} phrases from {batch[0]!r}"))
                for name, members in answer.value or ():
                    name = next((n for n in names if n.casefold() == name.casefold()), name)
                    names += [] if name in names else [name]
                    type_of.update({batch[i]: name for i in members})
                advance(1)
        if self.merge and len(names) > 1:
            answer = self._ask(merge_request(names, self.instructor))
            usage += self.instructor.usage(answer)
            if answer.value is None:
                rejections.append(_rejected(answer, f"merging {len(names)} types"))
            into = {names[i]: name for name, members in answer.value or () for i in members}
            type_of = {phrase: into.get(name, name) for phrase, name in type_of.items()}
        left_out = sum(p not in type_of for p in phrases)
        if left_out > self.max_left_out * len(phrases):
            raise TooManyBadRecordsError(
                f"clusterer=llm left {left_out} of {len(phrases)} keyphrases without a type, more than "
                f"clusterer.max_left_out={self.max_left_out}; refused replies: {refusals(rejections)}. "
                "Remedy: a stronger instructor, a smaller clusterer.batch, or clusterer=ward."
            )
        final = sorted(set(type_of.values()))
        at = {name: i for i, name in enumerate(final)}
        labels = tuple(at[type_of[p]] if p in type_of else -1 for p in phrases)
        return Grouping(labels=labels, names=tuple(final), rejections=tuple(rejections), usage=usage)

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return one request per batch of phrases and one to merge. All batches but the first show known types."""
        i = self.instructor
        batch = [outlook.phrase] * max(1, min(self.batch, round(outlook.bad)))
        names = [outlook.phrase] * round(outlook.error_types)
        grouping = [i.configured(group_request(batch, known, self.max_left_out, i)) for known in ((), names)]
        batches = max(1.0, outlook.bad * outlook.distinct / self.batch)
        asks = [Asks(kind="error types", requests=batches, samples=grouping, instructor=i, items=self.batch)]
        if self.merge:
            merging = [i.configured(merge_request(names, i))]
            asks.append(Asks(kind="merge", requests=1.0, samples=merging, instructor=i, items=outlook.types))
        return Estimate(asks=tuple(asks))

    def _ask(self, request: Request) -> Result:
        return next(iter(self.instructor.ask([request])))


def group_request(
    batch: Sequence[str], names: Sequence[str], max_left_out: float, instructor: OpenAICompatible
) -> Request:
    """Ask for the types of a batch of phrases. ``names`` are the existing types."""
    data = json.dumps([{"id": i, "phrase": p} for i, p in enumerate(batch, 1)], ensure_ascii=False, indent=1)
    known = json.dumps(list(names), ensure_ascii=False, indent=1)
    prompt, more = (instructor.prompt("assign"), {"known": known}) if names else (instructor.prompt("cluster"), {})
    text, heat = render(prompt, data=data, **more), instructor.temperature
    return _request(text, len(batch), max_left_out, heat, "error types", known=bool(names))


def merge_request(names: Sequence[str], instructor: OpenAICompatible) -> Request:
    """Ask which names mean the same type."""
    data = json.dumps([{"id": i, "name": n} for i, n in enumerate(names, 1)], ensure_ascii=False, indent=1)
    text = render(instructor.prompt("merge"), data=data)
    return _request(text, len(names), 1.0, instructor.temperature, "merge")


def _request(
    text: str, n: int, max_left_out: float, temperature: float | None, kind: str, *, known: bool = False
) -> Request:
    """Return a request. Its check returns (name, indices from 0) pairs and assigns each index to its first type.

    ``known``: types exist already, so all phrases may belong to one of them.
    """

    def check(reply: str) -> Read:
        return read(reply, lambda value: placed(checked(Types, _as_object(value))))

    def placed(types: Types) -> list[tuple[str, list[int]]]:
        taken: set[int] = set()
        out: list[tuple[str, list[int]]] = []
        ids = {i for t in types.error_types for i in t.ids}
        if (other := sorted(ids - set(range(1, n + 1)))) and not ids >= set(range(1, n + 1)):
            raise ValueError(f"error_types: there is no id {other[0]}; the ids are 1 to {n}")  # they may all be shifted
        for t in types.error_types:
            members = [i - 1 for i in dict.fromkeys(t.ids) if 1 <= i <= n and i not in taken]
            taken.update(i + 1 for i in members)
            if members:
                out.append((" ".join(t.name.split()), members))
        missing = [i for i in range(1, n + 1) if i not in taken]
        if len(missing) > max_left_out * n:
            raise ValueError(f"error_types: {len(missing)} of {n} ids stand in no type: {missing[:20]}")
        if n >= _MANY and len(out) == 1 and not known and len(taken) > n / 2:
            raise ValueError(f"error_types: {len(taken)} of {n} ids stand in one type and none in another")
        return out

    return Request(
        messages=(("user", text),),
        schema=_SCHEMA,
        check=check,
        max_tokens=300 + 20 * n,
        temperature=temperature,
        kind=kind,
        items=n,
    )


def _as_object(value: object) -> object:
    """Wrap a bare list of types in the object that the schema requires."""
    named = isinstance(value, list) and value and all(isinstance(v, dict) and {"name", "ids"} <= set(v) for v in value)
    return {"error_types": value} if named else value


def _rejected(answer: Result, subject: str) -> Rejection:
    return Rejection(stage="cluster", reason=answer.reason, subject=subject[:300], detail=answer.detail[:500])
