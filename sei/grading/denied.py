r"""Numbers of a sentence that are no statement: denied (``not 42``), rejected (``42 is no solution``), or a label."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NEAR = 40  # characters before a number to search for a denial
_NEGATED = re.compile(
    r"(?:\b(?:can)?not|n't|\bnever|\bno longer|\bnicht|不是|不等于|≠|\\neq?)\s*(?:equal(?:\s+to)?|be)?\s*[$\\(*]*\s*$"
    r"|\b(?:more|less|fewer|greater|larger|smaller|higher|lower) than\s*[$\\(*]*$",
    re.IGNORECASE,
)
_TURNED_DOWN = re.compile(  # after a number and at most one word, such as its unit
    r"[\s$\\)*]*(?:[a-z]+\s+)?(?:"
    r"(?:is|are)(?:\s+not|n't)\s+(?:an?\s+|the\s+)?(?:(?:valid|possible|real|correct|right)\b\s*)?"
    r"(?:solutions?|roots?|answers?|valid|possible|correct|allowed|acceptable)\b"
    r"|(?:do|does|did)(?:\s+not|n't)\s+(?:work|satisfy|fit)\b"
    r"|(?:is|are)\s+(?:an?\s+|the\s+)?(?:wrong|incorrect|impossible|invalid|extraneous)\b)",
    re.IGNORECASE,
)
_WITH_IT = re.compile(r"[\s$\\)*]*(?:,|,?\s*(?:and|or|nor)\b)[\s$\\(*]*(?:[a-zA-Z]\w?\s*=\s*)?", re.IGNORECASE)
_STEP = re.compile(
    r"[\s#*_>-]*(?:step|part|case|stage|phase)\s+\d{1,2}[*_]{0,2}(?:\s*[:.)\u2013\u2014]|\s*$)[*_]{0,2}", re.IGNORECASE
)
_ITEM = re.compile(r"[\s#*_>-]*(\d{1,2})[.)][*_]{0,2}\s+(?=[A-Za-z])")


def negated(text: str, number: re.Match[str]) -> bool:
    """Say whether the words before a number deny it."""
    return _NEGATED.search(text[max(0, number.start() - _NEAR) : number.start()]) is not None


def turned_down(text: str, numbers: Sequence[re.Match[str]]) -> set[int]:
    """Return the positions of a text's numbers that the words after them reject.

    Numbers joined to a rejected one (``x = 3 and y = 4 is not a solution``) are rejected as well.
    """
    found: set[int] = set()
    after = -1  # start of the rejected number
    for m in reversed(numbers):
        joined = after >= 0 and _WITH_IT.fullmatch(text[m.end() : after])
        after = m.start() if joined or _TURNED_DOWN.match(text, m.end()) else -1
        found |= {after} - {-1}
    return found


def unlabelled(lines: Sequence[str]) -> str:
    """Return the last line without its label: ``Step 5:``, or ``5.`` if a line above begins with ``4.``."""
    line = lines[-1]
    if label := _STEP.match(line):
        return line[label.end() :].lstrip()
    item = _ITEM.match(line)
    before = next((m for m in map(_ITEM.match, reversed(lines[:-1])) if m), None) if item else None
    if item and before and int(before[1]) == int(item[1]) - 1:
        return line[item.end() :]
    return line
