"""Checks what parts return. An error names the user's part and the rule that it broke."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from numbers import Integral
from typing import Any, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from sei.errors import ConfigError
from sei.exchange import Grouping, Outcome, ToGrade
from sei.opened import Answer, Engine, OpenModel, Sampling
from sei.ports import Clusterer, Embedder, Grader, GradingMany, Instructor
from sei.records import BadCase, Diagnosis, Problem, Verdict

Row = TypeVar("Row")
_ANSWER: tuple[Any, ...] = (Integral, str, (bool, np.bool_), str)
_UNIT = 1e-2  # tolerance of a unit vector's length, enough for half precision


def refused(part: Any, method: str, gave: str, rule: str) -> ConfigError:
    """Return the error for a part whose return value breaks its contract."""
    cls = type(part)
    return ConfigError(
        f"{cls.__module__}.{cls.__qualname__}.{method} returned {gave}. Rule: {rule}. Remedy: fix that method."
    )


def one_each(found: Iterable[Any], asked: int, kind: type[Row], part: Any, method: str) -> Iterator[Row]:
    """Yield what a part returns for each of ``asked`` items, in order, as it arrives.

    Raises:
        ConfigError: if a row is not a ``kind``, or if there are too few or too many.
    """
    rule = f"one {kind.__name__} for each item that it was given, in their order"
    if not isinstance(found, Iterable):
        raise refused(part, method, f"a {type(found).__name__}", rule)
    number = 0
    for row in found:
        number += 1
        if number > asked:
            raise refused(part, method, f"more than {asked} answers to {asked} items", rule)
        if not isinstance(row, kind):
            raise refused(part, method, f"a {type(row).__name__} ({_short(row)}) as answer {number}", rule)
        yield row
    if number < asked:
        raise refused(part, method, f"{number} answers to {asked} items", rule)


def diagnosed(instructor: Instructor, cases: Sequence[BadCase]) -> Iterator[Diagnosis]:
    """Yield an instructor's diagnosis of every bad case, in order.

    Raises:
            ConfigError: if there are too few or too many, or if one belongs to another case or has not exactly one of
            keyphrase and refusal.
    """
    given = instructor.diagnose(cases)
    for d, case in zip(one_each(given, len(cases), Diagnosis, instructor, "diagnose"), cases, strict=True):
        if d.bad_case != case:
            where = f"a diagnosis of {_of(d)} where that of {case.problem.id!r} was expected"
            raise refused(instructor, "diagnose", where, "one Diagnosis for each bad case, in their order")
        if (d.keyphrase is None) == (d.rejection is None):
            gave = f"a diagnosis of {case.problem.id!r} with {'neither' if d.keyphrase is None else 'both'}"
            raise refused(instructor, "diagnose", gave, "a Diagnosis has a keyphrase or a rejection")
        if d.keyphrase is not None and not (isinstance(d.keyphrase.phrase, str) and d.keyphrase.phrase.strip()):
            gave = f"the phrase {_short(d.keyphrase.phrase)} for {case.problem.id!r}"
            raise refused(instructor, "diagnose", gave, "a phrase is a non-empty text")
        yield d


def embedded(embedder: Embedder, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the unit vectors (len(texts), d) of texts.

    Raises:
        ConfigError: if the array has another shape, or rows that are not unit vectors.
    """
    found = embedder.embed(texts)
    if not len(texts):
        return found
    rule = f"an array of numbers of shape ({len(texts)}, dimensions), a unit vector for each text"
    if not isinstance(found, np.ndarray) or found.dtype.kind != "f":
        kind = f" of {found.dtype}" if isinstance(found, np.ndarray) else ""
        raise refused(embedder, "embed", f"a {type(found).__name__}{kind}", rule)
    if found.ndim != 2 or len(found) != len(texts):
        raise refused(embedder, "embed", f"an array of shape {found.shape}", rule)
    lengths = np.linalg.norm(found.astype(np.float32), axis=1)
    off = np.flatnonzero(~(np.abs(lengths - 1) <= _UNIT))  # NaN is off, too
    if len(off):
        where = f"a vector of length {lengths[off[0]]:.3g} for {_short(texts[off[0]])}"
        raise refused(embedder, "embed", where, rule)
    return found


def grouped(clusterer: Clusterer, phrases: Sequence[str], vectors: NDArray[np.float32], seed: int) -> Grouping:
    """Return a clusterer's grouping of the phrases.

    Raises:
            ConfigError: if the number of labels differs from that of the phrases, a label is not a whole number from -1
            on, or the names do not fit the labels.
    """
    found = clusterer.group(phrases, vectors, seed)
    if not isinstance(found, Grouping):
        raise refused(clusterer, "group", f"a {type(found).__name__}", "a sei.ports.Grouping of labels")
    labels: list[Any] = list(found.labels)
    names: list[Any] = list(found.names)
    if len(labels) != len(phrases):
        rule = "one label for each phrase, in their order"
        raise refused(clusterer, "group", f"{len(labels)} labels for {len(phrases)} phrases", rule)
    for i, label in enumerate(labels):
        if not isinstance(label, Integral) or int(label) < -1:
            rule = "a label is a whole number from 0 on, or -1 for a phrase that fits no type"
            raise refused(clusterer, "group", f"the label {label!r} for {_short(phrases[i])}", rule)
    most = max(map(int, labels), default=-1)
    if names and (most >= len(names) or not all(isinstance(n, str) and n.strip() for n in names)):
        rule = "no names at all, or a non-empty name for each label from 0 on"
        raise refused(clusterer, "group", f"the names {_short(names)} for labels up to {most}", rule)
    return found


def graded(grader: Grader, problem: Problem, output: str, *, finished: bool) -> Outcome:
    """Return a grader's verdicts on one output.

    Raises:
        ConfigError: if it returns anything else, or an unknown verdict.
    """
    return _outcome(grader, problem, grader.grade(problem, output, finished=finished))


def graded_all(grader: Grader, rows: Sequence[ToGrade]) -> Iterator[Outcome]:
    """Yield a grader's verdicts on outputs, in order, several at a time if the grader can do that.

    Raises:
        ConfigError: if it returns anything else, an unknown verdict, or too few or too many.
    """
    if not isinstance(grader, GradingMany):
        for problem, output, finished in rows:
            yield graded(grader, problem, output, finished=finished)
        return
    given = one_each(grader.grade_all(rows), len(rows), Outcome, grader, "grade_all")
    for (problem, _, _), found in zip(rows, given, strict=True):
        yield _outcome(grader, problem, found)


def _outcome(grader: Grader, problem: Problem, found: Outcome) -> Outcome:
    """Return an outcome whose fields have been checked."""
    if not isinstance(found, Outcome):
        raise refused(grader, "grade", f"a {type(found).__name__}", "a sei.ports.Outcome")
    for verdict in (found.verdict, found.strict_verdict):
        if verdict not in get_args(Verdict):
            gave = f"the verdict {_short(verdict)} on problem {problem.id!r}"
            raise refused(grader, "grade", gave, f"verdicts are {', '.join(get_args(Verdict))}")
    texts: tuple[Any, ...] = (found.extracted, found.fault)
    if not all(isinstance(x, str) for x in texts):
        gave = f"extracted={_short(found.extracted)}, fault={_short(found.fault)} on problem {problem.id!r}"
        raise refused(grader, "grade", gave, "both are texts, empty if there is nothing to report")
    return found


def refused_gold(grader: Grader, problems: tuple[Problem, ...]) -> tuple[str, ...]:
    """Return the ids of problems whose own gold answers the grader refuses.

    Raises:
        ConfigError: if it returns anything but ids of these problems.
    """
    found = tuple(grader.check_gold(problems))
    known = {p.id for p in problems}
    for x in found:
        if x not in known:
            raise refused(grader, "check_gold", _short(x), "ids of the problems that it was given")
    return found


def answered(
    engine: Engine,
    opened: OpenModel,
    texts: Sequence[str],
    done: frozenset[int],
    what: str,
    sampling: Sampling | None = None,
) -> Iterator[Answer]:
    """Yield an engine's answers (index, output, finished, fault) to the prompts not in ``done``, in the engine's order.

    An engine may run whole batches and answer finished prompts again; such answers are ignored.

    Raises:
        ConfigError: if a prompt has no answer, or if an answer has no prompt or a wrong form.
    """
    rule = "(index, output, finished, fault) once for each prompt that is not done"
    open_ones = set(range(len(texts))) - done
    for found in engine.answer(opened, texts, done, what, *([] if sampling is None else [sampling])):
        fits = isinstance(found, tuple) and len(found) == len(_ANSWER)
        if not fits or not all(isinstance(x, kind) for x, kind in zip(found, _ANSWER, strict=True)):
            raise refused(engine, "answer", _short(found), rule)
        if found[0] in done:
            continue
        if found[0] not in open_ones:
            where = "a second time" if 0 <= found[0] < len(texts) else "unasked"
            raise refused(engine, "answer", f"prompt {found[0]} of {len(texts)} {where}", rule)
        open_ones.remove(found[0])
        yield found
    if open_ones:
        raise refused(engine, "answer", f"nothing for {len(open_ones)} of {len(texts) - len(done)} prompts", rule)


def _of(d: Diagnosis) -> str:
    problem = getattr(d.bad_case, "problem", None)
    return repr(getattr(problem, "id", None))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
