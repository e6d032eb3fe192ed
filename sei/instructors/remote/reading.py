"""Reads the value of a reply: the last complete value in its text that fits the request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import pydantic

from sei.instructors.remote.json_text import NoJsonError, Number, Twice, candidates, complete_values, spans
from sei.instructors.remote.latex import Undecided, UndecidedError
from sei.instructors.remote.terms import Read
from sei.instructors.remote.thinking import has_tag, without_thinking
from sei.instructors.remote.written import LOST, is_dots

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


class Unended(str):
    """The beginning of a problem in a reply that begins but does not end, or is no JSON."""


def read_problems(text: str) -> Read:
    """Return the problems of a reply, unchecked. Each is checked separately later.

    They are the problems of all its lists, bare or under a name, and single objects after the first list. Beside a list
    named ``problems``, an object's other lists do not count. A later problem replaces an earlier one with the same
    question. Lists and objects that only repeat the requested form do not count beside
    others. A problem that begins but does not end is ``Unended``.

    Raises:
        ValueError: if there is no problem.
    """
    groups: list[list[Any]] = []
    unended: list[Unended] = []
    restored: Counter[str] = Counter()
    listed = False
    refused: ValueError = NoJsonError("the reply holds no complete JSON object")
    for top in _values(text, unended):
        found = list(candidates(top))
        lists = _problem_lists([v for v, _ in found])
        if not lists:
            refused = ValueError("problems: there is no list of problems, each with question, solution and answer")
        more = lists or [[v] for v, _ in found if _is_problem(v)]
        if lists and not listed:
            groups.clear()  # objects before the first list repeat the problems that were shown
        listed = listed or bool(lists)
        if more:
            groups += more
            for mended in {id(r): r for _, r in found}.values():
                restored += mended
    if not groups:
        raise refused
    if not any(groups):
        raise ValueError("problems: it is empty")
    return Read(value=[*_joined(groups), *unended], restored=restored)


def _joined(groups: Sequence[list[Any]]) -> list[Any]:
    """Return the problems of several groups. Within a group nothing is replaced."""
    out: dict[Any, list[Any]] = {}  # by question; a problem without one stands alone
    for i, group in enumerate([g for g in groups if not all(map(_is_form, g))] or groups):
        own: dict[Any, list[Any]] = {}
        for j, problem in enumerate(group):
            own.setdefault(_question(problem) or (i, j), []).append(problem)
        for question, problems in own.items():
            out.pop(question, None)
            out[question] = problems
    return [x for problems in out.values() for x in problems]


def _question(problem: Any) -> str:
    """Return the question of a problem for comparisons, or an empty text."""
    text = _named(problem, _PARTS).get("question") if isinstance(problem, dict) else ""
    return " ".join(text.split()) if isinstance(text, str) else ""


def _is_form(problem: Any) -> bool:
    """Tell whether a problem only repeats the requested form."""
    return is_dots(_question(problem))


def _problem_lists(values: Sequence[Any]) -> list[list[Any]]:
    """Return the lists of problems among values, outer values first, without those inside the problems of others."""
    out: list[list[Any]] = []
    inside: set[int] = set()
    for value in values:
        listed = _problem_list(value)
        if listed is not None and id(listed) not in inside:
            out.append(listed)
            inside |= _ids(value)
    return out


def _ids(value: Any) -> set[int]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {id(value), *(i for one in inner for i in _ids(one))}


def _problem_list(value: Any) -> list[Any] | None:
    if isinstance(value, dict) and isinstance(value.get("problems"), list):
        return value["problems"]  # type: ignore[no-any-return]  # its identity is compared
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


_BEGUN = re.compile(  # the first key of a problem, with a text that is not the dots of the form
    r"""\{\s*["'](?:question|solution|answer|options)["']\s*:\s*(?:["'](?!\s*(?:[.…<]|["']))|[\[\d])""", re.IGNORECASE
)


def _values(text: str, unended: list[Unended] | None = None) -> Iterator[Any]:
    """Yield the complete values of a reply outside its thinking, or those of the thinking if there are no others.

    Problems that begin but do not end are added to ``unended``.
    """
    if len(text) > _MAX_REPLY:
        raise ValueError(f"the reply has {len(text)} characters, at most {_MAX_REPLY} are read")
    said = without_thinking(text, spans(text)) if has_tag(text) else text
    found = False
    failed: list[int] = []
    for value in complete_values(said, failed):
        found = True
        yield value
    if unended is not None:
        unended += [Unended(said[at : at + 200]) for at in failed if _BEGUN.match(said, at)]
    if not found and said != text and (not said.strip() or text.lstrip().startswith(("{", "[", "```"))):
        yield from complete_values(text)


def checked(model: type[Reply], found: Any, *, idle: Sequence[str] = ()) -> Reply:
    """Return a value in the format of ``model``.

    Raises:
        UndecidedError: if a text of a field that is not ``idle`` cannot be decided.
        ValueError: names the field and the rule.
    """
    if isinstance(found, Unended):
        raise ValueError("a problem begins, but it is cut or no JSON")
    if isinstance(found, dict):
        named = _named(found, model.model_fields)
        for name, value in named.items():
            if isinstance(value, Twice) and name in model.model_fields and name not in idle:
                raise ValueError(f"{name}: it stands there twice, with different values")
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
    """Refuse values with a text that cannot be decided, that lost a character, or whose key stands there twice."""
    if isinstance(value, Undecided):
        raise UndecidedError(f"{value.why}. Escape every backslash of LaTeX in JSON by a second one")
    if isinstance(value, Twice):
        raise ValueError(f"{value.key}: it stands there twice, with different values")
    if isinstance(value, str) and LOST in value:
        raise ValueError(f"a text has lost a character (U+FFFD in {value[:60]!a})")
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
