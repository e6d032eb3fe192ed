r"""The fast path, for a bare number as gold answer and an output that plainly states a number at its end.

Such an output has ``#### number``, ``\boxed{number}``, a last line "The answer is number." or a last line of prose with
a number. The fast path decides only if the general path cannot decide otherwise: there must be no possible later
statement and no thinking tag. Everything else is left to the general path.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

_NUMBER = re.compile(
    r"\s*(?:\\?\$)?\s*(-?)(?:\\?\$)?(\d{1,3}(?:,\d{3}){1,100}|\d{1,300})(\.\d{1,300})?\.?\s*", re.ASCII
)
_ANGLE = re.compile(r"<(?:[|/]?[a-z]|｜)", re.IGNORECASE)  # not <<3*4=12>> of GSM8K
_SQUARE = re.compile(r"\[/?(?:inst|think|thought|reason|eos)", re.IGNORECASE)
_JOINS = (" and ", ", ", " out of ", "ln ", "log ", "sin ", "cos ", "tan ", " remainder ", " R ")
ASIDES = ("Note", "Feel free", "Let me know", "If you ", "Hope ", "I hope", "P.S.", "Check:", "Verification:")
_LATER = re.compile(r"box|####|final|<")
NEXT_TURN = re.compile(  # base models go on with the next problem of their prompt
    r"\n[ \t]*(?:#{1,4}[ \t]*(?:Instruction|Question|Problem|Input|User|Human)\b|"
    r"(?:\*\*)?(?:Q|Question|Problem|User|Human|Input|Instruction)(?:[ \t]*\d{1,3})?(?:\*\*)?[ \t]*:)"
)
_MARKS = (  # parts of words in several languages that mark a statement: "sult" is in result, resultado, risultato
    "box", "####", "final", "answer", "solution", "sult", "option", "choice", "a:", "a :", "ntwort", "rgebnis",
    "puesta", "posta",
)  # fmt: skip
_DENIES = (
    "not ",
    "n't",
    "negative ",
    "minus ",
    " longer ",
    " than ",
    " never ",
    " or ",
    "mod",
    "hundred",
    "thousand",
    "illion",
    "dozen",
    "lambda",
    " base",
    " and a ",
    " and one ",
    "step ",
    "part ",
    "case ",
    "stage ",
    "phase ",
    "wrong",
    "incorrect",
    "impossible",
    "invalid",
    "extraneous",
)  # left to the general path
_SENTENCE = re.compile(r"(?:(?:So|Thus|Therefore),? )?[Tt]he answer is:? (\$?-?[\d,]*\.?\d+)\.?", re.ASCII)
_PROSE = re.compile(
    r"[^$\\]*[A-Za-z,:=>] \$?((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)(?![\d,/%])\.?(?: ?[A-Za-z '.]*)", re.ASCII
)


_NEAR = 25
_COMPOUND = re.compile(  # "2 hours 30 minutes"
    r"\d ?[a-z]{2,7},?(?: and)? \$?\d[\d.]* ?(?:day|hour|hr|min|sec|inch|in\b|ounce|oz|month|cent)"
)


@lru_cache(maxsize=65_536)
def plain_number(text: str) -> Fraction | None:
    """Return the value of a bare number (digits, thousands commas, decimals, a dollar sign), or ``None``."""
    m = _NUMBER.fullmatch(text)
    if m is None:
        return None
    value = Fraction(m[2].replace(",", "") + (m[3] or ""))
    return -value if m[1] else value


def may_hold_tags(text: str) -> bool:
    """Say whether a text may contain tags or marks of thinking, answers or turns."""
    return (
        ("<" in text and _ANGLE.search(text) is not None)
        or ("[" in text and _SQUARE.search(text) is not None)
        or "◁" in text
        or "analysis" in text[:20]
    )


def goes_on(text: str) -> bool:
    """Say whether a text may continue after its answer with another problem or another speaker's turn."""
    return "\n" in text and (":" in text or "#" in text) and NEXT_TURN.search(text) is not None


def stated_plainly(output: str, *, finished: bool = True) -> tuple[str, bool] | None:
    """Return the number at the end of an output and whether it is in the requested format.

    ``None`` if the number is not stated plainly.
    """
    mark = output.rfind("####")
    if mark >= 0:
        tail = output[mark + 4 :]
        fine = "\n" not in tail.strip() and plain_number(tail) is not None and not may_hold_tags(output)
        if fine and output.find("####", 0, mark) >= 0 and goes_on(output):
            return None
        return (tail.strip(), True) if fine else None
    mark = output.rfind("\\boxed{")
    if mark < 0:
        return _stated_in_words(output) if finished else None
    end = output.find("}", mark)
    if end < 0:
        return None
    inside = output[mark + 7 : end]
    fine = plain_number(inside) is not None and _LATER.search(output, end) is None and not may_hold_tags(output)
    if fine and (output.find("\\boxed{", 0, mark) >= 0 or output.find("nswer", 0, mark) >= 0) and goes_on(output):
        return None
    return (inside.strip(), True) if fine else None


def _stated_in_words(output: str) -> tuple[str, bool] | None:
    """Return the number of a last line of prose, if nothing else in the output can be a statement."""
    text = output.rstrip()
    start = text.rfind("\n") + 1
    line = text[start:]
    if len(line) > 300 or not line.isascii() or line.startswith(ASIDES) or may_hold_tags(text):
        return None
    m = _SENTENCE.fullmatch(line)
    if m is not None:
        found = None if _may_state(text[:start].lower()) else m[1]
    else:
        m = _PROSE.fullmatch(line)
        low = text.lower() if m is not None else ""
        plain = m is not None and not _may_state(low) and not _denies(low[start:])
        plain = plain and m is not None and not line[: m.start(1)].rstrip("$").endswith(_JOINS)  # the last in a list
        plain = plain and m is not None and _COMPOUND.search(line, max(0, m.start(1) - _NEAR)) is None
        found = m[1] if m is not None and plain else None
    return (found, False) if found is not None and plain_number(found) is not None else None


def _may_state(low: str) -> bool:
    for mark in _MARKS:  # noqa: SIM110  # half the time of any(), and this is the fast path
        if mark in low:
            return True
    return False


def _denies(low: str) -> bool:
    for word in _DENIES:  # noqa: SIM110
        if word in low:
            return True
    return False
