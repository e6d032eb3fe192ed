"""Which option an answer names: by its label, its index from 0, or its text.

One answer and its options often allow only one reading. If there are several, the other rows of the file decide, or the
row is refused, because a silent wrong reading would be worse. For the rules see docs/data.md.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

from sei.grading.damage import damage
from sei.grading.equality import equal
from sei.grading.gold import Gold, LayoutError, gold_of, is_worked, require_stated, scalar_text
from sei.grading.options import Options, options_of
from sei.grading.sandbox import LimitError, UnreadableError

Way = Literal["label", "index", "value"]
Answers = Literal["auto", "label", "index", "index_from_1", "value"]
"""How answers name options. ``auto``: the only reading that fits the file."""

_INDEX = re.compile(r"\d{1,2}")
_WRAPPED = re.compile(r"\\(?:text|textbf|textrm|mathrm|mathbf|mathsf|textsf)\s*\{(.*)\}", re.DOTALL)
_SAID = re.compile(r"(?:option|choice|answer)\b[\s:_]*", re.IGNORECASE)
_SEVERAL = re.compile(r"[(\[{]*\s*[A-J](?:\s*(?:,|and|&|;|)\s*[A-J])+\s*[)\]}]*")
_ANY_NUMBER = re.compile(r"(?<![\w.^])-?\d[\d,.]*(?:/\d+)?")
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d{1,30})(?:\.\d{1,30})?(?:/[1-9]\d{0,20})?")


@dataclass(frozen=True, kw_only=True)
class Given:
    """The content of a row: its final answer, a solution if the answer's field holds one, and its options.

    ``ways``: the letter that the answer names, for each possible reading (``value`` with an empty letter: several
    options have that text). ``name``: the name of the answer's column.
    """

    name: str
    answer: str
    solution: str = ""
    options: Options | None = None
    ways: dict[Way, str] = field(default_factory=dict)

    @property
    def only(self) -> Way | None:
        """Return the reading of the answer if there is only one."""
        return next(iter(self.ways)) if len(self.ways) == 1 else None


def given(answer: Any, options: Any, name: str) -> Given:
    """Read the answer and the options of one row; ``name`` is the name of the answer's column.

    Raises:
        LayoutError: if either cannot be read with certainty; says value, rule and remedy.
    """
    if isinstance(answer, (list, tuple)) and len(answer) == 1:
        answer = answer[0]
    choices = options_of(options)
    try:
        gold = gold_of(scalar_text(answer))
        if said := damage(gold.answer, answer=True):
            raise LayoutError(said)
        ways = _ways(gold, choices) if choices is not None else {}
        if not ways:  # "None" may be an option
            require_stated(gold.answer)
    except LayoutError as e:
        raise LayoutError(f"{name}={e}") from e
    return Given(name=name, answer=gold.answer, solution=gold.solution, options=choices, ways=ways)


def _ways(gold: Gold, options: Options) -> dict[Way, str]:
    ways: dict[Way, str] = {}
    label = _label(gold.answer, options)
    if label is not None:
        ways["label"] = label
    counted = None if options.labelled else _counted(gold.answer, options, first=0)
    if counted is not None:
        ways["index"] = counted
    same = _same(gold.answer, options)
    if same:
        ways["value"] = options.letters[same[0]] if len(same) == 1 else ""
    return ways


def _label(answer: str, options: Options) -> str | None:
    """Return the letter of the option whose label, or label and text, equals an answer."""
    text = answer.strip().strip("$*").strip()
    wrapped = _WRAPPED.fullmatch(text)
    text = unicodedata.normalize("NFKC", wrapped[1] if wrapped else text).strip()
    text = text[said.end() :] if (said := _SAID.match(text)) else text
    found = options.letter_labelled(text.strip("()[].: "))
    if found is not None:
        return found
    m = re.match(r"[(\[]?\s*(\w{1,2})\s*[)\].:]\s*(.+)", text, re.DOTALL)
    letter = options.letter_labelled(m[1]) if m else None
    if m is None or letter is None:
        return None
    return letter if _plain(m[2]) == _plain(options.texts[options.letters.index(letter)]) else None


def _same(answer: str, options: Options) -> list[int]:
    """Return the options equal to an answer: by text, else in another spelling, else by value, else without unit."""
    for spelling in (str.strip, _plain, _number, _only_number):
        wanted = spelling(answer)
        same = [i for i, text in enumerate(options.texts) if wanted is not None and spelling(text) == wanted]
        if same:
            return same
    return []


def _plain(text: str) -> str:
    text = re.sub(r"\\[()\[\]]|\$", "", text)
    return re.sub(r"\s+", " ", text).strip().rstrip(".").strip().casefold()


def _number(text: str) -> Fraction | None:
    plain = _plain(text).replace(" ", "")
    if not _NUMBER.fullmatch(plain):
        return None
    top, _, bottom = plain.replace(",", "").partition("/")
    return Fraction(top) / int(bottom or 1)


def _only_number(text: str) -> Fraction | None:
    found = _ANY_NUMBER.findall(_plain(text))
    return _number(found[0]) if len(found) == 1 and len(text) <= 40 else None


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a file's rows show about the naming of options: the first line of each kind, 0 if there is none.

    ``zero``: an answer 0 that can only be an index. ``beyond``: an integer as large as the number of options.
    ``worked``: an answer that reads as a worked solution, if most answers of the file do. ``unit``: what the numbers
    count, lines or rows.
    """

    label: int = 0
    index: int = 0
    value: int = 0
    zero: int = 0
    beyond: int = 0
    worked: int = 0
    unit: str = "line"

    def first(self, way: Way) -> int:
        """Return the first line whose answer can only be read in this way."""
        return {"label": self.label, "index": self.index, "value": self.value}[way]


def evidence(rows: Sequence[tuple[int, Given]], unit: str = "line") -> Evidence:
    """Return what the (line, row) pairs of a file show about the naming of options, and about worked solutions."""
    found: dict[str, int] = {}
    bare = [(line, row) for line, row in rows if row.options is None and not row.solution]
    worked = [line for line, row in bare if is_worked(row.answer)]
    if 2 * len(worked) > len(bare):
        found["worked"] = worked[0]
    for line, row in rows:
        if row.options is None:
            continue
        if row.only is not None:
            found.setdefault(row.only, line)
        if row.only == "index" and int(row.answer) == 0:
            found.setdefault("zero", line)
        if not row.ways and row.answer == str(len(row.options.texts)):
            found.setdefault("beyond", line)
    return Evidence(**found, unit=unit)


def resolve(
    row: Given, seen: Evidence, answers: Answers = "auto", *, setting: str, alone: bool = False
) -> tuple[str, tuple[str, ...]]:
    """Return a row's gold answer, a letter if it names an option, and its options as a problem holds them.

    ``setting``: the user's setting for the naming of options. ``alone``: rows may come from different sources, so an
    index needs no 0 elsewhere in the file, and labels in the row itself have precedence.

    Raises:
        LayoutError: if the answer names no option, or may name several; says value, rule and remedy.
    """
    if row.options is None and seen.worked and is_worked(row.answer):
        raise LayoutError(
            f"{row.name}={row.answer[-60:]!r} is the end of a worked solution that marks no answer, as in most rows. "
            "Rule: an answer is stated alone, after ####, or in a box. Remedy: write '#### ' before the final answer "
            "of each row, or put it into a column of its own."
        )
    if row.options is None:
        return row.answer, ()
    way: Way
    if answers == "index" or answers == "index_from_1":
        way, letter = "index", _counted(row.answer, row.options, first=int(answers == "index_from_1"))
    elif answers != "auto":
        way, letter = answers, row.ways.get(answers)
    elif row.ways:
        way = _way(row, seen, setting, alone=alone)
        letter = row.ways[way]
    else:
        way, letter = "value", _by_algebra(row.answer, row.options)
        if letter is None and _SEVERAL.fullmatch(row.answer) and _all_labels(row.answer, row.options):
            return row.answer, row.options.written
    if letter is None:
        raise LayoutError(_names_none(row, row.options, answers, setting))
    if not letter:
        return row.answer, row.options.written
    if way == "label":
        kept = row.answer if re.fullmatch(r"\(?\s*[A-J]\s*\)?[.:]?", row.answer) else letter
        return kept if letter in kept else letter, row.options.written
    return letter, row.options.with_letters


def _way(row: Given, seen: Evidence, setting: str, *, alone: bool) -> Way:
    ways = row.ways
    if len(set(ways.values())) == 1:
        way = next(iter(ways))
        if way == "index" and len(ways) == 1:
            _require_index(row, seen, setting, alone=alone)
        return "label" if "label" in ways else "value" if "value" in ways else "index"
    counts = seen.zero or (alone and not seen.beyond)
    decided: list[Way] = [w for w in ways if seen.first(w) and (w != "index" or counts)]
    if len(decided) == 1:
        return decided[0]
    assert row.options is not None, "several readings need options"
    if "label" in ways and row.options.labelled and alone:
        return "label"
    said = ", ".join(f"{letter or 'several'} by {way}" for way, letter in ways.items())
    raise LayoutError(
        f"{row.name}={row.answer!r} may name different options: {said}. Rule: an answer beside options is a label, an "
        "index from 0 or the text of one option; if several readings are possible, the other rows decide, but here "
        f"they do not. Remedy: write letters, or set {setting}=label, index, index_from_1 or value."
    )


def _require_index(row: Given, seen: Evidence, setting: str, *, alone: bool) -> None:
    """Refuse an index unless the file shows that it counts from 0 and that no row names options in another way."""
    reason = ""
    if seen.beyond and not seen.zero:
        reason = (
            f"{seen.unit} {seen.beyond} has an answer equal to the number of its options, so the first index may be 1"
        )
    elif alone:
        return
    elif seen.label or seen.value:
        other = "label" if seen.label else "text"
        reason = f"{seen.unit} {seen.label or seen.value} names an option by its {other}"
    elif not seen.zero:
        reason = "no row has the answer 0, so the first index may be 1"
    if reason:
        raise LayoutError(
            f"{row.name}={row.answer!r} is not the text of an option and may be an index, but {reason}. Rule: whole "
            "numbers are indices if all answers of the file are; they count from 0 if a 0 occurs. Remedy: write "
            f"letters, or set {setting}=index (the first is 0), index_from_1 or value."
        )


def _counted(answer: str, options: Options, *, first: int) -> str | None:
    at = int(answer) - first if _INDEX.fullmatch(answer) else -1
    return options.letters[at] if 0 <= at < len(options.letters) else None


def _by_algebra(answer: str, options: Options) -> str | None:
    same = [a for a, text in zip(options.letters, options.texts, strict=True) if _equal(text, answer)]
    return same[0] if len(same) == 1 else "" if same else None


def _equal(a: str, b: str) -> bool:
    try:
        return equal(a, b, seconds=0.6)
    except (UnreadableError, LimitError):
        return False


def _all_labels(answer: str, options: Options) -> bool:
    return set(re.findall(r"[A-J]", answer)) <= set(options.letters)


def _names_none(row: Given, options: Options, answers: Answers, setting: str) -> str:
    how = "" if answers == "auto" else f" for {setting}={answers}"
    shown = "; ".join(f"({a}) {t[:40]}" for a, t in zip(options.letters, options.texts, strict=True))
    return (
        f"{row.name}={row.answer!r} names none of the {len(options.texts)} options{how}: {shown}. Rule: an answer "
        "beside options is a label, an index from 0 or the text of one option. Remedy: repair or drop the row, or say "
        f"how answers name options: {setting}=label, index, index_from_1 or value."
    )
