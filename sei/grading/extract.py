r"""Finding the stated answer in a whole output.

*Strict* is the format asked for: the last ``#### answer`` line or ``\boxed{answer}``. *Flexible* is the
last stated answer: of the strong statements (box, ``####``, ``<answer>``, "final answer is") the last one,
else the last "answer is" sentence, else, in a finished output, its last number or formula. What stands
inside thinking tags is not the answer. Of several boxes the last counts, even if it is empty or broken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from sei.grading.plain import may_hold_tags, plain_number
from sei.grading.quantity import quantity
from sei.grading.text import clean, tidy

Expected = Literal["number", "formula", "words", "choice"]
Source = Literal["box", "hash", "tag", "final", "answer", "last"]

_MAX_BOXES = 50  # of the last ones; more are no answers
_MAX_STATEMENTS = 20
_MAX_CHARS = 20_000  # the end of an output holds its answer; longer texts only cost time
_TAGS = r"(?:think|thinking|thought|thoughts|reasoning|reason|scratchpad|reflection|analysis)"
_THOUGHT = re.compile(
    rf"<{_TAGS}>.*?</{_TAGS}>|<\|begin_of_thought\|>.*?<\|end_of_thought\|>", re.DOTALL | re.IGNORECASE
)
_OPENED = re.compile(rf"<{_TAGS}>|<\|begin_of_thought\|>|◁think▷", re.IGNORECASE)
_CLOSED = re.compile(rf"</{_TAGS}>|<\|end_of_thought\|>|◁/think▷", re.IGNORECASE)

_BOX = re.compile(r"(?:\\{1,4}|\x08)?(?<![a-zA-Z])(?:[fb]?oxed|f(?:rame)?box)\s*(?=\{|\d|\\)")
_HASH = re.compile(r"####[ \t]*([^\n]*)")
_HEADING = re.compile(
    r"^(?:\*\*)?(?:step|part|case|solution|conclusion|explanation|question|answer|final|method"
    r"|[\d.]+[.)]?\s+[A-Za-z\\(])",
    re.IGNORECASE,
)
_TAG = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE)
_LINK = (
    r"\s*(?:\*\*|__)?\s*(?:is|are|was|equals|would be|will be|should be|must be|=|:|→|->)(?![a-z])\s*(?:\*\*|__)?\s*:?"
)
_ABOUT = r"(?:\s+(?:to|for|of|in)\s+(?:the|this|your|our)\s+[^.\n:]{1,60}?)?"
_FINAL = re.compile(rf"final\s+(?:answer|result|solution){_ABOUT}(?:{_LINK}|\s*(?:\*\*)?\s*\n)", re.IGNORECASE)
_ANSWER = re.compile(
    rf"(?:\b(?:answer|solution|result)(?:\s+choice)?{_ABOUT}{_LINK}|\bcorrect\s+(?:answer|option|choice){_ABOUT}{_LINK}"
    r"|(?:^|\n)\s*(?:\*\*)?A\s?:(?:\*\*)?|(?:^|\n)\s*(?:#+\s*|\*\*)answer(?:\*\*)?\s*:?\s*\n)",
    re.IGNORECASE,
)
_SEGMENT = re.compile(
    r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)"
    r"|(?<![\\$])\$(?!\s*\d[\d,.]*\s[^$\n]*[a-z]{3})([^$\n]+?)(?<!\\)\$",  # not "$5 and the other $7"
    re.DOTALL,
)
_STATES = re.compile(r"(?:\b(?:is|are|equals|be)|=)\s*(?:\*\*)?(?:exactly |equal to |about )?(?=\\?[$(\[]|-?\$?\d)")
_SENTENCE_END = re.compile(
    r"(?<=[^\d\s])(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bMrs)(?<!\b[ap])(?<!\b[ap]\.m)[.!?](?:\s|$)"
    r"|(?<=\d)\.(?:\s|$)|(?<!\\);\s(?=[a-z])|\*\*"
)
_UNSIGNED = r"(?:\d{1,3}(?:(?:,\s?\\!\s?|\\!,|\{,\}|\\,|,)\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
NUMBER = re.compile(
    rf"(?P<sign>[-+\u2212]\s?)?(?:\\?\$|[€£])?\s?-?(?:\\d?frac\s*\{{-?[\d.]+\}}\s*\{{-?[\d.]+\}}"
    rf"|\d+\s+\d+\s*/\s*\d+|\d*\\d?frac\s*\{{\d+\}}\s*\{{\d+\}}|(?:{_UNSIGNED})(?:\s?/\s?(?:{_UNSIGNED}))?)(?:\s?\\?%)?"
)


@dataclass(frozen=True, kw_only=True)
class Stated:
    """A stated answer as written, and what kind of statement it came from; empty where a box holds nothing usable."""

    text: str
    source: Source


def visible(output: str) -> str:
    """Return the end of an output without what stands in thinking tags."""
    text = output[-_MAX_CHARS:]
    if not may_hold_tags(text):
        return text
    text = _THOUGHT.sub(" ", text)
    closed = list(_CLOSED.finditer(text))
    if closed:  # its opening tag was cut off or belongs to the prompt
        text = text[closed[-1].end() :]
    opened = _OPENED.search(text)
    return text[: opened.start()] if opened else text


def boxes(text: str) -> list[tuple[int, str | None]]:
    r"""Return (position, content) of every ``\boxed``; ``None`` where its braces are never closed."""
    found: list[tuple[int, str | None]] = []
    if "box" not in text and "oxed" not in text:
        return found
    for m in list(_BOX.finditer(text))[-_MAX_BOXES:]:
        at = m.end()
        if text[at] != "{":
            bare = re.match(r"\d[\d,.]*|\\[a-zA-Z]+(?:\{[^{}]*\})*", text[at:])
            found.append((m.start(), bare.group().rstrip(".,") if bare else None))
            continue
        depth, i = 1, at + 1
        while i < len(text) and depth:
            if text[i] == "\\":
                i += 1
            elif text[i] in "{}":
                depth += 1 if text[i] == "{" else -1
            i += 1
        found.append((m.start(), text[at + 1 : i - 1] if depth == 0 else None))
    return found


def extract_strict(output: str) -> str | None:
    r"""Return what the last ``####`` line or ``\boxed{}`` of the visible output holds, or ``None``."""
    text = visible(output)
    found = [(m.start(), m[1].strip()) for m in _HASH.finditer(text) if m[1].strip()]
    found += [(at, content or "") for at, content in boxes(text)]
    return max(found)[1] or None if found else None


def extract_flexible(output: str, expected: Expected = "number", *, finished: bool = True) -> Stated | None:
    """Return the last stated answer, or ``None``.

    An output cut at the length cap has no "last number" that could count as its answer.
    """
    text = visible(output)
    strong = _strong(text, expected)
    if strong is not None:
        return strong
    for m in reversed(list(_ANSWER.finditer(text))[-_MAX_STATEMENTS:]):
        stated = _head(text[m.end() :], expected)
        if stated:
            return Stated(text=stated, source="answer")
    last = _last(text, expected) if finished else None
    return Stated(text=last, source="last") if last else None


def _strong(text: str, expected: Expected) -> Stated | None:
    found: list[tuple[int, str, Source]] = [(at, content or "", "box") for at, content in boxes(text)]
    for m in _TAG.finditer(text) if may_hold_tags(text) else ():
        if not boxes(m[1]):
            found.append((m.start(), m[1], "tag"))
    for m in _HASH.finditer(text):
        if m[1].strip() and not boxes(m[1]) and not _HEADING.match(m[1].strip()):
            found.append((m.start(), m[1], "hash"))
    for m in list(_FINAL.finditer(text))[-_MAX_STATEMENTS:] if "final" in text.lower() else ():
        tail = text[m.end() :]
        if not _BOX.search(tail) and not (_HASH.search(tail) or _TAG.search(tail)):
            stated = _head(tail, expected)
            if stated:
                found.append((m.start(), stated, "final"))
    if not found:
        return None
    _, content, source = max(found, key=lambda x: x[0])
    return Stated(text=content.strip(), source=source)


def _head(tail: str, expected: Expected) -> str:
    """Return the answer that a statement's tail begins with, or an empty string."""
    tail = re.sub(
        r"^[\s:*#_]*(?:the\s+|simply\s+|just\s+|therefore,?\s+|equal to\s+)*", "", tail[:2_000], flags=re.IGNORECASE
    )
    display = re.match(r"(?:\$\$|\\\[)(.+?)(?:\$\$|\\\])", tail, re.DOTALL)
    if display:
        return display[1].strip()
    line = tail.split("\n", 1)[0]
    stated = list(_STATES.finditer(line))
    if stated and not re.match(r"[$\\(*\d-]", line):
        line = line[stated[-1].end() :]
    pieces = list(_SEGMENT.finditer(line))
    before = line[: pieces[0].start()] if pieces else line
    if pieces and not (expected == "number" and NUMBER.search(before)):
        end = pieces[0].end()
        for p in pieces[1:]:
            if re.fullmatch(r"\s*(?:,|;|,?\s*and|,?\s*or)\s*", line[end : p.start()]):
                end = p.end()
        inside = re.sub(r"\$|\\[()]", "", line[pieces[0].start() : end])
        sign = re.match(r"\s*(?:%|\\%|percent)", line[end:])
        return inside.strip() + (" %" if sign else "")
    sentence = _SENTENCE_END.split(before if pieces else line, maxsplit=1)[0].strip()
    if expected == "number":
        return _number_of(sentence)
    return sentence if len(sentence) <= 300 else ""


def _number_of(sentence: str) -> str:
    """Return the number that a phrase states: all of it, what follows its last equals sign, or its first number."""
    if plain_number(sentence) is not None or quantity(tidy(sentence)) is not None:
        return sentence
    part = sentence.rsplit("=", 1)[1] if "=" in sentence else sentence
    m = NUMBER.search(part)
    return _signed(part, m) if m else ""


def _signed(text: str, m: re.Match[str]) -> str:
    """Return a number as written, without a minus sign that subtracts (``12-5``) or joins words (``day-5``)."""
    raw = m.group().strip()
    before = text[: m.start()].rstrip() if m["sign"] and m["sign"].strip() else ""
    operator = bool(before) and (before[-1].isalnum() or before[-1] in ")%}>")
    return raw.lstrip("-+\u2212 ") if operator else raw


def _last(text: str, expected: Expected) -> str | None:
    """Return the last number or formula of a finished output, which must stand in its last line.

    A short last line without one (``Hope this helps!``, a code fence) is passed over.
    """
    lines = [line for line in clean(text).split("\n") if line.strip()]
    while len(lines) > 1 and len(lines[-1]) <= 60 and not re.search(r"\d|\$|\\", lines[-1]) and expected != "words":
        lines.pop()
    text = lines[-1].rstrip() if lines else ""
    segments = list(_SEGMENT.finditer(text))
    if expected == "number":
        numbers = list(NUMBER.finditer(text))
        if not numbers:
            return None
        last = numbers[-1]
        around = next((s for s in segments if s.start() <= last.start() < s.end()), None)
        if around is not None:
            inside = next(g for g in around.groups() if g is not None)
            whole = inside.rsplit("=", 1)[-1].strip()
            if quantity(tidy(whole)) is not None or re.search(r"\\(?:sqrt|pi|sin|cos|log|ln)|\^", whole):
                return whole
        return _signed(text, last)
    if segments:
        inside = next(g for g in segments[-1].groups() if g is not None)
        return inside.strip()
    if expected == "words":
        line = text.rsplit("\n", 1)[-1]
        m = re.search(r"\b(?:is|are|=|:)\s+([^.]{1,80})\.?$", line)
        return m[1].strip() if m else (line.strip() if len(line.split()) <= 4 else None) or None
    line = text.rsplit("\n", 1)[-1]
    if "=" in line:
        return line.rsplit("=", 1)[1].strip(" .") or None
    numbers = list(NUMBER.finditer(text))
    return _signed(text, numbers[-1]) if numbers else None
