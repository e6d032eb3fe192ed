"""Finds the first diverging line of a wrong attempt at an ordering puzzle, and puts the mistake into words.

The wording depends only on the finding and a number drawn from the attempt. No word here comes from the names of hidden
skills.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sei.instructors.ordering.puzzle import Ask, Clue, Puzzle, RefusedError, read
from sei.records import Finding

Line = tuple[str, ...]
"""The persons of one worked line, highest first. The answer is a line with one person."""

_LINE = re.compile(r"[^\W\d_][\w'’ -]*(?:\s*>\s*[^\W\d_][\w'’ -]*)+")
_ANSWER = re.compile(r"####\s*([^\n]+)")
_ENDS = ("most", "least")


def read_working(text: str) -> list[Line]:
    """Return the worked lines of a solution in order. Lines without an order or an answer are skipped."""
    lines: list[Line] = []
    for line in text[:20_000].split("\n"):
        answer, row = _ANSWER.search(line), _LINE.fullmatch(line.strip())
        if answer:
            lines.append((answer[1].strip(),))
        elif row:
            lines.append(tuple(p.strip() for p in row[0].split(">")))
    return lines


def find_divergence(question: str, reference: str, attempt: str) -> Finding | str:
    """Compare an attempt with the reference line by line.

    Returns a ``Finding`` for the first diverging line, or the reason (one word) why there is none:
    ``no_reference_steps``, ``no_attempt_steps``, ``no_divergence``, or the reason why the question cannot be read.
    """
    expected, written = read_working(reference), read_working(attempt)
    if not expected:
        return "no_reference_steps"
    if not written:
        return "no_attempt_steps"
    try:
        puzzle = read(question)
    except RefusedError as error:
        return str(error.args[0])
    for i, (e, w) in enumerate(zip(expected, written, strict=False)):
        if e != w:
            return _compare(puzzle, expected, written, i)
    if len(written) < len(expected):
        missing = " > ".join(expected[len(written)])
        return Finding(step=len(written) + 1, relation="stopped_early", expected=missing)
    if len(written) > len(expected):
        extra = " > ".join(written[len(expected)])
        return Finding(step=len(expected) + 1, relation="extra_line", written=extra)
    return "no_divergence"


def _compare(puzzle: Puzzle, expected: Sequence[Line], written: Sequence[Line], i: int) -> Finding:
    e, w = expected[i], written[i]
    told = [(c, k) for c in puzzle.clues for k in range(len(c.poles))]
    relation, operation, done, word = "other_persons", "none", "none", ""
    if len(e) == 2 and w == e[::-1] and i < len(told):
        relation, operation, done, word = _turned(puzzle, *told[i])
    elif len(e) == len(w) == 1:
        relation, operation = "other_place", _asked(puzzle.ask)
        done = _place(puzzle.ask, w[0], max(expected, key=len))
    elif len(e) != len(w):
        relation = "left_out" if len(w) < len(e) or len(e) == 2 else "extra_line"
    elif sorted(e) == sorted(w) and len(e) > 2:
        as_told = list(dict.fromkeys(p for row in expected[:i] for p in row))
        relation = "as_told" if list(w) == as_told else "wrong_order"
    return Finding(
        step=i + 1,
        relation=relation,
        operation=operation,
        written_operation=done,
        expected=" > ".join(e),
        written=" > ".join(w),
        unit=word,
    )


def _turned(puzzle: Puzzle, clue: Clue, part: int) -> tuple[str, str, str, str]:
    """Return (relation, expected reading, actual reading, the clue's word) for a reversed pair.

    An ignored negation or second half is the same mistake with any relation word. A misread word depends on the word.
    """
    pole = clue.poles[part]
    word = puzzle.words.more if pole == "more" else puzzle.words.less
    if clue.negated:
        return "negation_ignored", "not", "none", word
    if part:
        return "second_half_turned", "but", "none", word
    return "word_misread", word, puzzle.words.opposite(word), word


def _asked(ask: Ask) -> str:
    if ask.kind != "rank":
        return ask.kind
    end = _ENDS[ask.pole == "less"]
    return (end, "second", "third")[ask.rank]


def _place(ask: Ask, person: str, chain: Line) -> str:
    """Return the place of the answered person, counted from the end that the question asks about."""
    if person in ask.persons:
        return "named"
    if person not in chain:
        return "none"
    at = chain.index(person)
    if at in (0, len(chain) - 1):
        return _ENDS[at > 0]
    at = at if ask.pole == "more" else len(chain) - 1 - at
    return ("first", "second", "third")[at] if at < 3 else "other"


_WORDINGS: dict[str, tuple[str, ...]] = {
    "word_misread": (
        "read {said} as {done}",
        "took {said} to mean {done}",
        "confused {said} with {done} for {first} and {second}",
    ),
    "negation_ignored": (
        "ignored the negation",
        "overlooked the word not before {word}",
        "read not {word} as {word}",
    ),
    "second_half_turned": (
        "overlooked the turn after but",
        "read both halves of a sentence in one direction",
        "took {word} after but the wrong way round",
    ),
    "as_told": (
        "strung the pairs together as they were told",
        "ignored the sentence that links both pairs",
        "put {head} first because that pair came first",
    ),
    "wrong_order": (
        "put the people in the wrong order",
        "joined the pairs into a wrong row",
        "wrote {wrong} where {right} belongs in the row",
    ),
    "other_place": (
        "answered the {done} instead of the {said}",
        "gave the {done} where the {said} was asked",
        "right order but named the {done}, not the {said}",
    ),
    "other_persons": (
        "compared the wrong people",
        "wrote {wrong} in place of {right}",
        "mixed up who is compared with whom",
    ),
    "left_out": (
        "left out a comparison",
        "a sentence was never written down",
        "went on without comparing {first} and {second}",
    ),
    "stopped_early": (
        "stopped before giving an answer",
        "unfinished: the row or the answer is missing",
        "broke off before {first}",
    ),
    "extra_line": (
        "went on after the answer",
        "wrote a comparison that nobody stated",
        "added a line about {wrong}",
    ),
}
_PLACES = {
    "between": "one in between",
    "middle": "one in the middle",
    "named": "neighbour",
    "most": "top one",
    "least": "last one",
    "none": "wrong person",
    "other": "wrong person",
}
VAGUE = ("incorrect reasoning", "wrong final answer", "logic error in the solution", "wrong conclusion")


def word_finding(finding: Finding, draw: int) -> str:
    """Return the keyphrase for a finding. ``draw`` picks the wording."""
    options = _WORDINGS[finding.relation]
    expected, written = finding.expected.split(" > "), finding.written.split(" > ")
    differ = [(w, e) for w, e in zip(written, expected, strict=False) if w != e]
    wrong, right = differ[0] if differ else (written[-1], expected[-1])
    said, done = finding.operation, finding.written_operation
    return options[draw % len(options)].format(
        said=_PLACES.get(said, said),
        done=_PLACES.get(done, done),
        word=finding.unit,
        first=expected[0] or "the end",
        second=expected[-1] or "the other",
        wrong=wrong or "nobody",
        right=right or "nobody",
        head=written[0],
    )


def template_words() -> set[str]:
    """Return every word in the instructor's own wordings, without the words filled into slots."""
    texts = [w for ways in _WORDINGS.values() for w in ways] + [*VAGUE, *_PLACES.values()]
    return {w for t in texts for w in re.findall(r"[a-z]+", re.sub(r"\{\w+\}", " ", t.lower()))}
