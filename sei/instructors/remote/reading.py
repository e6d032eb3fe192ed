"""Reads the value of a reply: the last complete value in its text that fits the request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import pydantic

from sei.instructors.remote.json_text import NoJsonError, Number, candidates, complete_values, spans
from sei.instructors.remote.latex import Undecided, UndecidedError
from sei.instructors.remote.terms import Read
from sei.instructors.remote.thinking import has_tag, without_thinking

Reply = TypeVar("Reply", bound=pydantic.BaseModel)
Value = TypeVar("Value")
_PARTS = ("question", "solution", "answer")
_MAX_REPLY = 400_000  # characters; a longer reply is refused


def parsed(text: str) -> Any:
    """Return the last complete JSON object of a reply, ignoring words, fences and thoughts around it.

    Raises:
        ValueError: with an explanation that can be sent back to the model.
    """

    def an_object(value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("the reply holds no JSON object")
        _refuse_undecided(value)
        return _native(value)

    return read(text, an_object).value


def read_as(model: type[Reply], text: str, *, idle: Sequence[str] = ()) -> Read:
    """Return a reply in the format of ``model``. ``idle`` fields may be undecided, because they are not used.

    Raises:
        UndecidedError: if a text of another field cannot be decided.
        ValueError: names the field and the rule.
    """
    return read(text, lambda value: checked(model, value, idle=idle))


def read(text: str, fit: Callable[[Any], Value]) -> Read:
    """Return the result of ``fit`` for the last value of a reply that it accepts, with the counts of repairs.

    Raises:
        UndecidedError: if that value cannot be decided.
        ValueError: from ``fit``, or if there is no complete value.
    """
    best: Read | UndecidedError | None = None
    refused: ValueError = NoJsonError("the reply holds no complete JSON object")
    for top in _values(text):
        first: ValueError | None = None
        for value, restored in candidates(top):
            try:
                best = Read(value=fit(value), restored=restored)
                break
            except UndecidedError as e:
                best = e
                break
            except ValueError as e:
                first = first or e
        else:
            refused = first or refused
    if isinstance(best, Read):
        return best
    raise best or refused


def read_problems(text: str) -> Read:
    """Return the problems of a reply, unchecked. Each is checked separately later.

    They are taken from the last list of problems, bare or under a name. Without a list they are single objects.

    Raises:
        ValueError: if there is no problem.
    """
    listed: Read | None = None
    single: list[Any] = []
    restored: Counter[str] = Counter()
    refused: ValueError = NoJsonError("the reply holds no complete JSON object")
    for top in _values(text):
        found = list(candidates(top))
        lists = [(v, r) for v, r in ((_problem_list(v), r) for v, r in found) if v is not None]
        if lists:
            listed = Read(value=lists[0][0], restored=lists[0][1])
            continue
        refused = ValueError("problems: there is no list of problems, each with question, solution and answer")
        for value, mended in found:
            if _is_problem(value):
                single.append(value)
                restored = restored + mended
    if listed is None and not single:
        raise refused
    if listed is not None and not listed.value:
        raise ValueError("problems: it is empty")
    return listed or Read(value=single, restored=restored)


def _problem_list(value: Any) -> list[Any] | None:
    if isinstance(value, dict) and isinstance(value.get("problems"), list):
        return list(value["problems"])
    return value if isinstance(value, list) and any(_is_problem(v) for v in value) else None


def _is_problem(value: Any) -> bool:
    return isinstance(value, dict) and set(_PARTS) <= set(_named(value, _PARTS))


def _named(found: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return an object with keys renamed to ``names`` if they differ only in case, spaces, hyphens or underscores."""
    wanted = {_letters(name): name for name in names if name not in found}
    out: dict[str, Any] = {}
    for key, value in found.items():
        out.setdefault(wanted.get(_letters(key), key), value)
    return out


def _letters(key: str) -> str:
    return re.sub(r"[\s_-]", "", key).casefold()


def _values(text: str) -> Iterator[Any]:
    """Yield the complete values of a reply outside its thinking, or those of the thinking if there are no others."""
    if len(text) > _MAX_REPLY:
        raise ValueError(f"the reply has {len(text)} characters, at most {_MAX_REPLY} are read")
    said = without_thinking(text, spans(text)) if has_tag(text) else text
    found = False
    for value in complete_values(said):
        found = True
        yield value
    if not found and said != text and (not said.strip() or text.lstrip().startswith(("{", "[", "```"))):
        yield from complete_values(text)


def checked(model: type[Reply], found: Any, *, idle: Sequence[str] = ()) -> Reply:
    """Return a value in the format of ``model``.

    Raises:
        UndecidedError: if a text of a field that is not ``idle`` cannot be decided.
        ValueError: names the field and the rule.
    """
    if isinstance(found, dict):
        named = _named(found, model.model_fields)
        found = {k: _native(v, answer=k == "answer") for k, v in named.items()}
        stripped = {k: v.strip() if type(v) is str else v for k, v in found.items()}
    try:
        made = model.model_validate(stripped if isinstance(found, dict) else found)
    except pydantic.ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(x) for x in first["loc"]) or "the object"
        raise ValueError(f"{where}: {first['msg']}") from None
    if isinstance(found, dict):
        _refuse_undecided({k: v for k, v in found.items() if k in model.model_fields and k not in idle})
    return made


def _refuse_undecided(value: Any) -> None:
    if isinstance(value, Undecided):
        raise UndecidedError(f"{value.why}. Escape every backslash of LaTeX in JSON by a second one")
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _refuse_undecided(one)


def _native(value: Any, *, answer: bool = False) -> Any:
    """Return plain values. A number as answer becomes text as written, without binary rounding."""
    if isinstance(value, Number):
        if answer:
            return value.shown()
        return int(value.text) if value.text.lstrip("-").isdigit() else float(value.text)
    if isinstance(value, dict):
        return {k: _native(v, answer=k == "answer") for k, v in value.items()}
    return [_native(v) for v in value] if isinstance(value, list) else value
