r"""Finding the stated answer in a whole output.

*Strict* is the requested format: the last ``#### answer`` line or ``\boxed{answer}``. *Flexible* is the last stated
answer. The last strong statement (box, ``####``, ``<answer>``, "final answer is") has precedence, then the last "answer
is" sentence, then, in a finished output, the last number or formula (``last``). Text inside thinking tags is not an
answer. Of several boxes the last counts, even if it is empty or broken, but ``\boxed{}`` in words that repeat the
request does not. In a cut output, a statement that is doubted afterwards does not count either.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from sei.grading.around import two_values
from sei.grading.last import SEGMENT, Expected, last_stated, listed, number_of
from sei.grading.plain import may_hold_tags
from sei.grading.said import cut_while_thinking, doubted, visible

Source = Literal["box", "hash", "tag", "final", "answer", "last"]

_MAX_BOXES = 50  # only the last ones; more are not answers
_MAX_STATEMENTS = 20

_BOX = re.compile(r"(?:\\{1,4}|\x08)?(?<![a-zA-Z])(?:[fb]?oxed|f(?:rame)?box)\s*(?=\{|\d|\\)")
_REQUEST = re.compile(  # an output that repeats the request: "put the answer within \boxed{}"
    r"\b(?:with|within|in|inside|into|using|use|via|a|the|of|by)\s+(?:a |an |the )?[`'\"$\\(]*$", re.IGNORECASE
)
_PLACEHOLDER = re.compile(
    r"\s*(?:\\text\s*\{)?\s*(?:(?:the |your )?(?:final )?(?:answer|number|result|letter)|\.{2,}|…)?\s*\}?\s*"
)
_HASH = re.compile(r"####[ \t]*([^\n]*)")
_HEADING = re.compile(
    r"^(?:\*\*)?(?:step|part|case|solution|conclusion|explanation|question|answer|final|method"
    r"|\d[\d.]*[.)]\s+[A-Za-z\\(]|\d+\s+[A-Z][a-z])",
    re.IGNORECASE,
)
ANSWER_TAG = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE)
_LINK = (
    r"\s*(?:\*\*|__)?\s*(?:(?:is|are|was|were|equals|would be|will be|should be|must be)(?![a-z])|=|:|→|->)"
    r"\s*(?:\*\*|__)?\s*:?"
)
_ABOUT = r"(?:\s+(?:to|for|of|in)\s+(?:the|this|your|our)\s+[^.\n:]{1,60}?)?"
_FINAL = re.compile(rf"final\s+(?:answers?|results?|solutions?){_ABOUT}(?:{_LINK}|\s*(?:\*\*)?\s*\n)", re.IGNORECASE)
_IS = r"(?:(?:ist|lautet|lauten|sind|beträgt|also|es|son|est|sont|donc|è|sono|é|são)(?![a-zà-ÿ])|[:=])"
_ELSEWHERE = re.compile(  # the same statements in other languages
    r"\b(?:antwort(?:en)?|lösung(?:en)?|ergebnis(?:se)?|respuestas?|soluci[oó]n(?:es)?|resultados?|réponses?|résultats?|"
    r"rispost[ae]|soluzion[ei]|risultat[oi]|respostas?|soluç(?:ão|ões)|resultados?|ответ|opción|opzione|opção|option)"
    r"(?:\s+(?:correct[aeo]?s?|correctes?|final(?:es|e)?|finali?|richtige|corretta|corret[ao]s?|certa))?"
    rf"(?:\s*(?:\*\*)?{_IS}\s*(?:\*\*)?)+(?:a\s+(?=[(*]*[A-J](?![a-zA-Z])))?"
    r"|【答案】|(?:正确)?(?:答案|选项)(?:应(?:该)?)?\s*(?:是|为|為|选|選|[:=])+\s*:?"
    r"|故?(?:本题)?(?:应|應|故|所以|因此|综上)选(?:择|項)?\s*:?"
    r"|故?答\s*:|答え\s*[はが:]+|(?:정답|답)\s*[은는:]+",
    re.IGNORECASE,
)
_FOREIGN = (  # the words above that have ASCII letters only
    "antwort", "ergebnis", "respuesta", "solucion", "resultado", "reponse", "rispost", "soluzion", "risultat",
    "resposta", "opcion", "opzione", "option",
)  # fmt: skip
_IN_ANSWER = ("ans", "solution", "result", "correct", "a:", "a :")  # each of the following contains one of these
_AN_A = r"(?:^|\n)\s*(?:\*\*)?A\s?:(?:\*\*)?(?![^\n]*\n\s*(?:\*\*)?B\s?:)"  # an "A:" before "B:" is an option
_ANSWER = re.compile(
    rf"(?:\b(?:answers?|solution|result)(?:\s+choice)?{_ABOUT}{_LINK}"
    rf"|\bcorrect\s+(?:answer|option|choice|statement){_ABOUT}{_LINK}"
    rf"|\bans(?:wer)?\s*[:.–—-]\s*(?=\S)|{_AN_A}|(?:^|\n)\s*(?:#+\s*|\*\*)answer(?:\*\*)?\s*:?\s*\n)",
    re.IGNORECASE,
)
_JSON = re.compile(  # {"answer": "12"}
    r"[\"'](?:(?:final|correct)[_ ]?)?(?:answer|option|choice)[\"']\s*:\s*"
    r"(\"(?:[^\"\\\n]|\\.){1,400}\"|'[^'\n]{1,400}'|\[[^\[\]\n]{1,200}\]|[^\s,{}\[\]\"']{1,200})(?=\s*(?:[,}\n]|$))",
    re.IGNORECASE,
)
_LATIN = re.compile(r"[a-z]{4}", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"(?<![\d.,])(\d+),(\d{1,2})(?![\d,.]*\d)")
_PLURAL = re.compile(
    r"\b(?:solutions|results|values|roots|numbers|answers)\b(?:[^.\n]{0,60}?\bare(?![a-z])\s*:?|\s*:)", re.IGNORECASE
)  # of several
_STATES = re.compile(r"(?:\b(?:is|are|equals|be)|=)\s*(?:\*\*)?(?:exactly |equal to |about )?(?=\\?[$(\[]|-?\$?\d)")
_SENTENCE_END = re.compile(
    r"(?<=[^\d\s])(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bMrs)(?<!\b[ap])(?<!\b[ap]\.m)[.!?](?:\s|$)"
    r"|(?<=\d)\.(?:\s|$)|(?<!\\);\s(?=[a-z])|\*\*|,?\s+i\.e\."
)
_REASON = re.compile(r",?\s+(?:because|since)\b|,\s+(?:as|which|who|so|for)\b", re.IGNORECASE)
_BULLETS = re.compile(r"[ \t:*_]*(?:\n+[ \t]*(?:[-*•+]|\d{1,2}[.)])[ \t]+[^\n]{1,80}(?=\n|$)){2,20}")
_NOT = re.compile(r"\s*(?:not|definitely not|certainly not|nicht|no es|pas|不是)\s+(?=\S)", re.IGNORECASE)
_RATHER = re.compile(r"\b(?:but(?: rather)?|it is|it's|it equals|rather|instead)\s+(?=\S)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Stated:
    """A stated answer as written, and the kind of its statement; empty if a box holds nothing usable."""

    text: str
    source: Source


@lru_cache(maxsize=4)  # strict and flexible extraction read the same text
def boxes(text: str) -> tuple[tuple[int, str | None], ...]:
    r"""Return (position, content) of every ``\boxed``; ``None`` if its braces are never closed."""
    found: list[tuple[int, str | None]] = []
    if "box" not in text and "oxed" not in text:
        return ()
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
        content = text[at + 1 : i - 1] if depth == 0 else None
        if content is None or not _PLACEHOLDER.fullmatch(content) or not _REQUEST.search(text[: m.start()][-40:]):
            found.append((m.start(), content))
    return tuple(found)


def extract_strict(output: str, *, finished: bool = True) -> str | None:
    r"""Return the content of the last ``####`` line or ``\boxed{}`` of the visible output, or ``None``."""
    text = visible(output)
    found = [(m.start(), m.end(), m[1].strip()) for m in _HASH.finditer(text) if m[1].strip()]
    found += [(at, at + len(content or ""), content or "") for at, content in boxes(text)]
    if not found or (not finished and (cut_while_thinking(text) or doubted(text[max(found)[1] :]))):
        return None
    return max(found)[2] or None


def extract_flexible(output: str, expected: Expected = "number", *, finished: bool = True) -> Stated | None:
    """Return the last stated answer, or ``None``.

    In an output cut at the length cap, the last number is not an answer.
    """
    text = visible(output)
    if not finished and cut_while_thinking(text):
        return None
    found = _strong(text, expected)
    if found is None:
        low = text.lower()
        statements = list(_ANSWER.finditer(text)) if any(word in low for word in _IN_ANSWER) else []
        statements += _PLURAL.finditer(text) if expected == "list" else ()
        statements += _ELSEWHERE.finditer(text) if not text.isascii() or any(word in low for word in _FOREIGN) else ()
        statements += _JSON.finditer(text) if '"' in text or "{'" in text else ()
        for m in sorted(statements, key=lambda m: m.start(), reverse=True)[:_MAX_STATEMENTS]:
            if m.re is _JSON:
                stated = _from_json(m[1])
            else:
                tail = text[m.end() :]
                comma = m.re is _ELSEWHERE and m.group().isascii() | bool(_LATIN.search(m.group()))
                stated = _head(_decimal_point(tail) if comma and expected == "number" else tail, expected)
            if stated:
                found = (m.start(), m.end() + len(stated), Stated(text=stated, source="answer"))
                break
    if found is not None:
        return found[2] if finished or not doubted(text[found[1] :]) else None
    last = last_stated(text, expected) if finished else None
    return Stated(text=last, source="last") if last else None


def _from_json(value: str) -> str:
    """Return the text of a JSON value as written. Broken JSON strings (one backslash) keep their characters."""
    try:
        found = json.loads(value)
    except ValueError:
        return value.strip().strip("\"'").strip()
    if not isinstance(found, str):
        return value.strip()
    return found.strip() if found.isprintable() else value.strip().strip('"').strip()


def _decimal_point(tail: str) -> str:
    """Write ``3,5`` as ``3.5``, for a sentence in a language with decimal commas."""
    line, newline, rest = tail[:2_000].partition("\n")
    return _DECIMAL_COMMA.sub(r"\1.\2", line) + newline + rest


def _strong(text: str, expected: Expected) -> tuple[int, int, Stated] | None:
    """Return start, end and text of the last strong statement."""
    found: list[tuple[int, int, str, Source]] = [
        (at, at + len(content or ""), content or "", "box") for at, content in boxes(text)
    ]
    for m in ANSWER_TAG.finditer(text) if may_hold_tags(text) else ():
        if not boxes(m[1]):
            found.append((m.start(), m.end(), m[1], "tag"))
    for m in _HASH.finditer(text):
        if m[1].strip() and not boxes(m[1]) and not _HEADING.match(m[1].strip()):
            found.append((m.start(), m.end(), m[1], "hash"))
    for m in list(_FINAL.finditer(text))[-_MAX_STATEMENTS:] if "final" in text.lower() else ():
        tail = text[m.end() :]
        if not _BOX.search(tail) and not (_HASH.search(tail) or ANSWER_TAG.search(tail)):
            stated = _head(tail, expected)
            if stated:
                found.append((m.start(), m.end() + len(stated), stated, "final"))
    if not found:
        return None
    start, end, content, source = max(found, key=lambda x: x[0])
    return start, end, Stated(text=content.strip(), source=source)


def _head(tail: str, expected: Expected) -> str:
    """Return the answer at the beginning of a statement's tail, or an empty string."""
    bullets = _BULLETS.match(tail[:2_000]) if expected == "list" else None
    tail = re.sub(
        r"^[\s:*#_]*(?:the\s+|simply\s+|just\s+|therefore,?\s+|equal to\s+|indeed\s+|clearly\s+)*",
        "",
        tail[:2_000],
        flags=re.IGNORECASE,
    )
    if m := _NOT.match(tail):
        line = tail.split("\n", 1)[0]
        if expected == "choice":
            return line.strip()
        rather = _RATHER.search(line)
        return _head(line[rather.end() :], expected) if rather else f"not {_head(line[m.end() :], expected)}"
    display = re.match(r"(?:\$\$|\\\[)(.+?)(?:\$\$|\\\])", tail, re.DOTALL)
    if display:
        return display[1].strip()
    line = tail.split("\n", 1)[0]
    if expected == "list":
        items = re.split(r"\n[ \t]*(?:[-*•+]|\d{1,2}[.)])[ \t]+", bullets.group())[1:] if bullets else []
        line = ", ".join(i.strip(" \t.,;*") for i in items) if len(items) > 1 else line.replace("**", "")
        if several := listed(line):
            return several
    if expected == "number" and (both := two_values(_SENTENCE_END.split(line, maxsplit=1)[0])):
        return both
    stated = list(_STATES.finditer(line))
    if stated and not re.match(r"[$\\(*\d-]", line):
        line = line[stated[-1].end() :]
    pieces = list(SEGMENT.finditer(line))
    before = line[: pieces[0].start()] if pieces else line
    if pieces and not (expected == "number" and number_of(before, expected)):
        end = pieces[0].end()
        for p in pieces[1:]:
            if re.fullmatch(r"\s*(?:,|;|,?\s*and|,?\s*or)\s*", line[end : p.start()]):
                end = p.end()
        inside = re.sub(r"\$|\\[()]", "", line[pieces[0].start() : end])
        sign = re.match(r"\s*(%|\\%|percent|hundred|thousand|million|billion|trillion)\b", line[end:])
        return inside.strip() + (f" {'%' if sign[1] in ('%', 'percent') else sign[1]}" if sign else "")
    sentence = _SENTENCE_END.split(before if pieces else line, maxsplit=1)[0].strip()
    if expected in ("number", "colon"):
        if not number_of(sentence, expected) and not pieces and "**" in line:
            sentence = _SENTENCE_END.split(line.replace("**", ""), maxsplit=1)[0].strip()
        return number_of(sentence, expected)
    if expected == "words" and len(sentence) <= 600:
        sentence = _REASON.split(sentence, maxsplit=1)[0]
    return sentence if len(sentence) <= 300 else ""
