r"""The last number, formula or list of an output or of a sentence, if nothing marks an answer.

A number is read together with its context: ``2:3:5`` is a ratio and not 5, ``$18 million`` is not 18, ``it is not 42``
states only "not 42", and ``5 or 6`` are two values.
"""

from __future__ import annotations

import re
from typing import Literal

from sei.grading.around import is_base, is_power_of_unit, two_values, whole_of
from sei.grading.colons import SAID, WRITTEN, is_colon
from sei.grading.denied import negated, turned_down, unlabelled
from sei.grading.plain import ASIDES, plain_number
from sei.grading.quantity import quantity
from sei.grading.structure import split
from sei.grading.text import MAX_ANSWER, clean, tidy

Expected = Literal["number", "colon", "list", "formula", "words", "choice"]

SEGMENT = re.compile(
    r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)"
    r"|(?<![\\$])\$(?!\s*\d[\d,.]*\s[^$\\\n]*[a-z]{3})([^$\n]+?)(?<!(?<!\\)\\)\$",  # not "$5 and the other $7"
    re.DOTALL,
)
_UNSIGNED = r"(?:\d{1,3}(?:(?:,\s?\\!\s?|\\!,|\{,\}|\\,|,)\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_POWER_OF_TEN = (
    r"[eE][-+]?\d{1,3}(?!\w|\.\d)"
    r"|\s{0,2}(?:\\times|\\cdot|×|·|\*|[xX])\s{0,2}10\s?\^\s?(?:\{\s?-?\d{1,4}\s?\}|-?\d{1,4}(?!\d))"
)
NUMBER = re.compile(
    rf"(?P<sign>[-+\u2212]\s?)?(?:\\?\$|[€£])?\s?-?(?:\\[dt]?frac\s*\{{-?[\d.]+\}}\s*\{{-?[\d.]+\}}"
    rf"|\d+\s+(?:and\s+)?\d+\s*/\s*\d+|\d*\\[dt]?frac\s*\{{\d+\}}\s*\{{\d+\}}|(?:{_UNSIGNED})(?:\s?/\s?(?:{_UNSIGNED})|{_POWER_OF_TEN})?)(?:\s?\\?%)?"
)
_NEAR = 40  # characters before and after a number to search for its context
_LAMBDA = re.compile(r"\blambda\b[^:\n]*:\s*$")  # program text
_A_PAIR = re.compile(r"\s*[(\[]\s*-?[\d.]+\s*[,;]\s+-?[\d.]+[^()\[\]\n]*[)\]]")
_SYMBOL = re.compile(r"(?:[abijnqruvwxyzkK]|\\pi\b)(?![A-Za-z])")  # "18k", "18x" is not 18
_RANGE = re.compile(rf"\s*(?:and|to|–|--)\s*\$?(?:{_UNSIGNED})\s*\.?$")
_OF_WHOLE = re.compile(r" out of (?:the |every |all )?(\d+)(?![\d.,]*\d)")
_WORKING = re.compile(r"(-?\$?\d[\d,]*(?:\.\d+)?)\s+\([^()]*[-+*/=×÷][^()]*\)$")  # "72 (48 + 24)"
_OUT_OF = re.compile(r"(?<![\d.,/])(\d+) out of(?: the| every| all)?\s*$")
_MAGNITUDE = re.compile(r"\s*(?:hundred|thousand|million|billion|trillion|dozen)\b", re.IGNORECASE)
_MINUS = re.compile(  # not in "5 minus 3"
    r"(?:\bnegative|(?:^|\b(?:is|was|are|of|to|equals|be|now|gets?|got|becomes?|became|has|have|had|at|scores?|reach(?:es)?)"
    r"|[=:,])\s*\bminus)\s*$",
    re.IGNORECASE,
)
_MODULO = re.compile(r"\(?\s*\\?[pb]?mod(?:ulo)?\s*(?:\{[^{}]*\}|\$?\d+\$?)\s*\)?(?=[\s.$\\\]]|$)")
_OTHER = re.compile(rf"\s*(?:or|oder|或|and also)\s*\$?\\?\$?(?:{_UNSIGNED})(?![\d,]*\.?\d*\s*[A-Za-z])")
_JOINS = r"\s*(?:,|;|,?\s*(?:and|or|&|und|y|et)\b|或|和|及)\s*(?:[a-zA-Z]\w?\s*=\s*)?"
_VALUE = (
    r"(?:[-+\u2212]|\\pm\s*|±)?\s*\$?(?:\\[dt]?frac\s*\{[^{}]*\}\s*\{[^{}]*\}|"
    rf"(?:{_UNSIGNED})(?:\s?/\s?\d+)?|\([^()\n]{{1,40}}\))"
)
_PLAIN_LIST = re.compile(rf"(?:[a-zA-Z]\w?\s*=\s*)?{_VALUE}(?:{_JOINS}{_VALUE})+")
_JOINED = re.compile(_JOINS, re.IGNORECASE)
_COUNTED = re.compile(  # "there are $33 - 6 = 27$ numbers from 1 to 100"
    r"\b[Tt]here (?:are|is|were|will be)\s+(?:(?:a total of|exactly|only|at (?:most|least)|thus)\s+)?"
    r"\$([^$\n]*\d[^$\n]*)\$[^.$]*(?:\$[^$]*\$[^.$]*)*\.?\s*$"
)
_VALUE_OF = re.compile(  # Python output other than plain numbers
    r"\b(?:np\.\w+|numpy\.\w+|Decimal|Integer|mpf)\((['\"]?)(-?[\d.]+(?:e[-+]?\d+)?)\1\)"
    r"|\b(?:Fraction|Rational)\((-?\d+), ?(\d+)\)"
)
_END = r"(?:,\s+[a-z][a-z ]{1,40})?[*_\x60]{0,3}\s*[.!]?[*_]{0,3}\s*$"
_PAIR = r"[(\[][^()\[\]\n=]{1,40}[,;][^()\[\]\n=]{1,40}[)\]]"
_PLAIN_PAIRS = re.compile(  # "the center is at (-2, 3)", "[1, 5) U (7, 9)"
    rf"(?<![A-Za-z0-9])({_PAIR}(?:\s*(?:,|U|∪|\\cup|and|or)\s*{_PAIR}){{0,6}}){_END}"
)
_SIDE = r"(?:[-+−]?\s?[\d.]*\d(?:/\d+)?(?:\s?(?:√|π|sqrt)\s?\(?\d*\)?)?)"
_SIGN = r"\s*(?:<=|>=|<|>|≤|≥|\\leq?|\\geq?)\s*"
_PLAIN_RELATION = re.compile(  # "the range is 0 < a < 1", "x <= 2 or x > 5"
    rf"(?<![A-Za-z0-9.])((?:{_SIDE}{_SIGN})?[a-zA-Z]{_SIGN}{_SIDE}(?:,?\s+(?:or|and)\s+[a-zA-Z]{_SIGN}{_SIDE})?){_END}"
)
_SEVERAL = re.compile(
    r"\b(?:solutions|values|roots|numbers|answers|zeros)\b[^.\n]{0,40}?\bare(?![a-z])\s*:?\s*"
    rf"(?=\$?(?:[a-zA-Z]\w?\s*=\s*)?{_VALUE}[^.\n]{{0,80}}[.\s$*]*$)",
)
_FUNCTIONS = frozenset("sqrt sin cos tan log ln pi exp frac".split())
_WORKED = re.compile(r"\s\([^()=]*\d[^()=]*[-+*/×÷][^()=]*\d[^()=]*\)\.?$|\s\([^()=]*\\times[^()=]*\)\.?$")
_EITHER = re.compile(  # "3/56 is about 0.0536" in symbols: either may be the requested value
    r"([^\s=:,$]+)\s*\\approx\s*(-?\$?\d[\d,]*(?:\.\d+)?%?)(?![\d.]*\d)[^\d\n=]{0,30}$"
)
_FENCED = re.compile(r"```[ \t]*(?:output|text|plaintext|result|console)?[ \t]*\n(.*?)\n?[ \t]*```\s*$", re.DOTALL)
_DISPLAY = re.compile(
    r"(?:\$\$|\\\[)?\s*\\begin\{(?P<name>align|aligned|gather|gathered|equation|split|eqnarray|multline)\*?\}(?P<rows>.+?)"
    r"\\end\{(?P=name)\*?\}\s*(?:\$\$|\\\])?[.\s$]*$|(?:\$\$|\\\[)(?P<body>(?:(?!\$\$|\\\[).)+?)(?:\$\$|\\\])[.\s]*$",
    re.DOTALL,
)
_VARIABLE = re.compile(r"\\?[a-zA-Z](?:_\{?\w\}?)?\.?")
_ASSIGNS = re.compile(r"(?<![<>!\\])=|\\equiv(?![a-z])")


def last_stated(text: str, expected: Expected) -> str | None:
    """Return the last number, list or formula of a finished output, which must be in its last line.

    A short last line without one (``Hope this helps!``, a code fence) is skipped. Of a formula over several lines the
    last row counts.
    """
    text = text.rstrip()
    if text.endswith("```") and (fenced := _FENCED.search(text)) and fenced[1].strip():
        text = _VALUE_OF.sub(lambda m: m[2] or f"{m[3]}/{m[4]}", fenced[1].strip())
        line = text.rsplit("\n", 1)[-1].strip()
        return line if quantity(tidy(line)) is not None or expected in ("formula", "list") else _in_line(line, expected)
    displayed = text.rstrip(" .\n").endswith(("$$", "\\]", "}"))
    display = _DISPLAY.search(text[-MAX_ANSWER:]) if displayed else None
    if display is not None and expected not in ("words", "choice"):
        return _last_row(display["rows"] or display["body"], expected)
    lines = [line for line in clean(text).split("\n") if line.strip()]
    while len(lines) > 1 and len(lines[-1]) <= 60 and not re.search(r"\d|\$|\\", lines[-1]) and expected != "words":
        lines.pop()
    while len(lines) > 1 and lines[-1].lstrip(" *(_").startswith(ASIDES):
        lines.pop()
    line = unlabelled(lines) if lines and expected not in ("words", "choice") else "".join(lines[-1:])
    return _in_line(line.rstrip(), expected)


def _last_row(body: str, expected: Expected) -> str:
    rows = split(body, (r"\\",))
    row = next((r for r in reversed(rows) if r.strip(" \n&.$")), "")
    row = row if r"\begin" in row else row.replace("&", " ")
    row = re.sub(r"^(?:\s|\\q?quad|=|\\approx|\\equiv)+", "", _MODULO.sub("", row)).strip().rstrip(".,").strip()
    return right_side(row) if expected in ("number", "colon") else row


def _in_line(text: str, expected: Expected) -> str | None:
    whole, text = text, text[-MAX_ANSWER:]
    if expected == "number" and NUMBER.match(text) and len(text) < len(whole):
        return whole  # a number longer than the searched text
    text = _MODULO.sub(" ", text).rstrip() if expected == "number" and "mod" in text else text
    segments = list(SEGMENT.finditer(text))
    if expected == "number":
        return _last_number(text, segments)
    if expected == "colon" and (found := list(WRITTEN.finditer(text)) or list(SAID.finditer(text))):
        return found[-1].group()
    if expected == "list" and (several := listed(text)):
        return several
    if expected == "choice":
        return text.strip() if len(text) <= 80 else None
    if segments:
        return _inside(segments[-1])
    if expected == "formula" and "\\approx" in text and (either := _EITHER.search(text)):
        return f"{either[1]} \\approx {either[2]}"
    if expected == "formula" and (plain := _plain_formula(text)):
        return plain
    if expected == "words":
        m = re.search(r"\b(?:is|are|=|:)\s+([^.]{1,80})\.?$", text)
        return m[1].strip() if m else (text.strip() if len(text.split()) <= 4 else None) or None
    if "=" in text:
        return text.rsplit("=", 1)[1].strip(" .*") or None
    numbers = [m for m in NUMBER.finditer(text) if not (is_power_of_unit(text, m) or is_base(text, m))]
    return (whole_of(text, numbers[-1]) or signed(text, numbers[-1])) if numbers else None


def _of_several(text: str) -> str | None:
    """Return the values of a line that ends in several: ``The roots are 3 and 5.`` states both, not one."""
    found = _SEVERAL.search(text)
    values = listed(text[found.end() :]) if found else ""
    return values if values and re.search(r"[,;]|\b(?:and|or)\b", values) else None


def _plain_formula(text: str) -> str | None:
    """Return the pair, interval or inequality without math delimiters at the end of a line."""
    found = _PLAIN_PAIRS.search(text) or _PLAIN_RELATION.search(text)
    if found or "=" in text:
        return found[1].strip() if found else None
    tail = re.split(r"\b(?:is|are|equals|be)\b|:\s", text[-160:])[-1].strip(" *_.!")
    tail = re.sub(r"(?:\s+[a-z]{2,12}){0,3}$", "", tail)
    if len(tail) == len(text) or not re.search(r"\d|[a-zA-Z]", tail) or not re.search(r"[-+*/^\\]|sqrt", tail):
        return None
    others = set(re.findall(r"(?<!\\)\b[A-Za-z]{2,}", tail)) - _FUNCTIONS
    return None if others else tail


def _last_number(text: str, segments: list[re.Match[str]]) -> str | None:
    if text.endswith((")", ").")) and (worked := _WORKED.search(text)) and re.search(r"\d", text[: worked.start()]):
        text = text[: worked.start()]  # "$18 a day (9 eggs * $2)"
        segments = [s for s in segments if s.end() <= len(text)]
    numbers = list(NUMBER.finditer(text))
    if not numbers and len(text) <= 60 and quantity(tidy(text)) is not None:
        return text  # "twelve"
    if "\\approx" in text and (either := _EITHER.search(text)):
        return f"{either[1]} \\approx {either[2]}"
    if segments and (counted := _COUNTED.search(text)):
        return right_side(counted[1])
    if len(numbers) > 1 and (several := _of_several(text)):
        return several
    out = turned_down(text, numbers)
    out |= {m.start() for m in numbers if is_power_of_unit(text, m) or is_base(text, m)}
    last = next((m for m in reversed(numbers) if m.start() not in out and not negated(text, m)), None)
    if last is None:
        return f"not {signed(text, numbers[-1])}" if numbers else None
    if several := two_values(text, last.start()):
        return several
    around = next((s for s in segments if s.start() <= last.start() < s.end()), None)
    if around is not None:
        whole = right_side(_inside(around))
        if (
            quantity(tidy(whole)) is not None
            or is_colon(tidy(whole))
            or re.search(r"\\(?:sqrt|pi|sin|cos|log|ln)|\^", whole)
        ):
            return whole
    return whole_of(text, last) or with_all(text, last)


def _inside(segment: re.Match[str]) -> str:
    return next(g for g in segment.groups() if g is not None).strip()


def right_side(text: str) -> str:
    r"""Return the text right of the last equals sign or ``\equiv``."""
    sides = _ASSIGNS.split(_MODULO.sub("", text) if "mod" in text else text)
    last = sides[-1].strip()
    return sides[-2].strip() if len(sides) > 1 and _VARIABLE.fullmatch(last) else last  # "18 = x"


def number_of(sentence: str, expected: Expected) -> str:
    """Return the number in a phrase: the whole phrase, the text after its last equals sign, or its first number."""
    if expected == "colon" and (colon := WRITTEN.search(sentence) or SAID.search(sentence)):
        return colon.group()
    if (remark := _WORKING.match(sentence)) is not None:
        sentence = remark[1]
    if plain_number(sentence) is not None or quantity(tidy(sentence)) is not None:
        return sentence
    part = sentence.rsplit("=", 1)[1] if "=" in sentence else sentence
    first = next((m for m in NUMBER.finditer(part) if not negated(part, m)), None)
    if first is None:
        return ""
    if whole := _OF_WHOLE.match(part, first.end()):
        return f"{first.group().strip()}/{whole[1]}"
    if pair := _A_PAIR.match(part):
        return pair.group()
    if (variable := _SYMBOL.match(part, first.end())) and (not first.start() or part[first.start() - 1] != "\\"):
        return part[first.start() : variable.end()].strip()
    if other := _OTHER.match(part, first.end()) or _RANGE.match(part, first.end()):
        return part[first.start() : other.end()].strip()
    return two_values(sentence) or whole_of(part, first) or with_all(part, first)


def with_all(text: str, m: re.Match[str]) -> str:
    """Return a number as written, with its context: the other terms of a ratio, a magnitude in words."""
    start = max(0, m.start() - _NEAR)
    for colon in WRITTEN.finditer(text, start, m.end() + _NEAR) if ":" in text[start : m.end() + _NEAR] else ():
        if colon.start() <= m.start() < colon.end() and not re.search(r"\S:\s", colon.group()):  # "day 3: 5"
            return colon.group().strip()
    if function := _LAMBDA.search(text[start : m.start()]):
        return function.group() + m.group()
    magnitude = _MAGNITUDE.match(text, m.end())
    if "out of" in text[start : m.start()] and (part := _OUT_OF.search(text[start : m.start()])):
        return f"{part[1]}/{m.group().strip()}"
    return signed(text, m) + (f" {magnitude.group().strip()}" if magnitude else "")


def signed(text: str, m: re.Match[str]) -> str:
    """Return a number as written, without a minus sign that subtracts (``12-5``) or joins words (``day-5``)."""
    raw = m.group().strip()
    before = text[: m.start()].rstrip() if m["sign"] and m["sign"].strip() else ""
    operator = bool(before) and (before[-1].isalnum() or before[-1] in ")%}>")
    raw = raw.lstrip("-+\u2212 ") if operator else raw
    raw = raw if "and" not in raw else re.sub(r"\s+and\s+", " ", raw)
    said = raw[:1].isdigit() and _MINUS.search(text[max(0, m.start() - _NEAR) : m.start()]) is not None
    return f"-{raw}" if said else raw


def listed(line: str) -> str:
    """Return the values of a sentence's last list, joined by commas; empty for fewer than two."""
    pieces = list(SEGMENT.finditer(line))
    run: list[re.Match[str]] = []
    for p in reversed(pieces):
        if run and not _JOINED.fullmatch(line[p.end() : run[0].start()]):
            break
        run.insert(0, p)
    if len(run) > 1:
        return ", ".join(_inside(p) for p in run)
    if run and run[0].end() > len(line.rstrip()) - 30:
        return _inside(run[0])
    plain = list(_PLAIN_LIST.finditer(line)) if not pieces else []
    return plain[-1].group().strip() if plain else ""
