"""Other readings of a statement, tried if the whole statement does not equal the gold answer.

They are: the only number of a phrase, a number without its modulus, several boxes together, an answer in words.
"""

from __future__ import annotations

import re

from sei.grading.equality import words
from sei.grading.extract import Stated, boxes
from sei.grading.last import NUMBER
from sei.grading.quantity import quantity
from sei.grading.said import visible
from sei.grading.structure import split
from sei.grading.text import tidy

SHORT = 120  # characters; a last line up to this length may be the whole answer
_STRONG = re.compile(r"\*\*([^*]+)\*\*")
_COMPARED = frozenset("than after before beats unlike versus vs from without".split())
_YES_NO = re.compile(r"\W*(yes|no)(?:[,.;:!*]|$)", re.IGNORECASE)


def only_number(gold: str, stated: str) -> str | None:
    """Return the only number in a stated phrase such as ``She has 5 apples``, if the gold answer is a number."""
    if (
        quantity(tidy(gold)) is None
        or not re.search(r"(?<![\\A-Za-z])[A-Za-z]{3,}(?:\s|$)", stated)
        or re.search(r"\\(?:sqrt|pi|frac)|\^|\d\s*:\s*\d|\blambda\b|\\ne|!=|≠", stated)
        or re.search(
            r"(?<![-\w])(?:minus|negative)[\s}]+[$\\]*\.?\d|\b(?:not|or|hundred|thousand|[mbtr]+illion|dozen)\b",
            stated,
            re.IGNORECASE,
        )
    ):
        return None
    found = {m.group().strip() for m in NUMBER.finditer(stated)}
    return found.pop() if len(found) == 1 else None


def said_in_words(output: str, gold: tuple[str, ...]) -> Stated | None:
    """Return the yes or no at the beginning of an output, or the gold words at the end of its last line."""
    said = visible(output).strip()
    line = said.rsplit("\n", 1)[-1]
    if gold in (("yes",), ("no",)):
        m = _YES_NO.match(line) or _YES_NO.match(said)
        return Stated(text=m[1], source="last") if m else None
    found = words(line.replace("**", "")) if len(line) <= SHORT else ()
    if gold == ("neither",) and re.search(r"\bneither \w+ nor \w+\W*$", line):
        return Stated(text="neither", source="last")
    if not gold or "n't" in line or {"not", "never", "or", "nor", "neither"} & set(found):
        return None
    strong = _STRONG.findall(line)
    ends = found[-len(gold) :] == gold and not _COMPARED & set(found[: -len(gold)][-1:])
    return Stated(text=" ".join(gold), source="last") if ends or [words(s) for s in strong] == [gold] else None


def residue(gold: str, stated: str) -> str | None:
    """Return a number without its modulus: ``5 (mod 7)``; ``17 mod 7`` is a calculation and stays."""
    if "mod" not in stated or "mod" in gold or quantity(tidy(gold)) is None:
        return None
    return re.sub(r"\s*(?:\\pmod\s*\{?\s*\w+\s*\}?|\(\s*\\?mod\s*\{?\s*\w+\s*\}?\s*\))\s*\.?\$?$", "", stated)


def assigns_several(stated: str) -> bool:
    """Say whether a statement assigns values to several names, so that no single one is its result."""
    pieces = split(stated, (",", ";", " and ", " or "))
    return len(pieces) > 1 and all(re.match(r"\$?\\?[a-zA-Z]\w?(?:_\{?\w+\}?)?\s*=", p) for p in pieces)


def joined_boxes(gold: str, output: str) -> str | None:
    """Return the contents of the last boxes that one sentence joins, if the gold answer has several parts."""
    if not re.search(r",|;|\\pm|\band\b|\bor\b|\\cup|\\text", gold):
        return None
    text = visible(output)
    found = boxes(text)
    parts: list[str] = []
    start = len(text)
    for at, content in reversed(found):
        end = at + len("\\boxed{}") + len(content or "")
        if content is None or (
            parts
            and not re.fullmatch(
                r"[\s$\\)(\]*]*(?:,|;|and|or|,\s*and)?(?:[^.\n]{0,25}|\s*[-*•]?\s*(?:\d{1,2}[.)])?[\s$\\(\[*]*)",
                text[end:start],
            )
        ):
            break
        parts.insert(0, content)
        start = at
    return ", ".join(parts) if len(parts) > 1 else None
