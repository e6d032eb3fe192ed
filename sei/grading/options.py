"""Reads the choices of a question from a file: lists, objects, labelled texts, or one string."""

from __future__ import annotations

import ast
import itertools
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sei.grading.gold import LayoutError, is_nan, missing, require_sound, scalar_text
from sei.grading.printed import is_array_print

LETTERS = "ABCDEFGHIJ"
_MOST_READINGS = 4_096  # of one string; with more, the right one is unclear
_LABEL_KEYS = ("aoVal", "label", "key", "letter", "option", "id")
_TEXT_KEYS = ("content", "text", "value", "answer")
_LABELLED = re.compile(r"\s*(?:[(\[（]\s*([A-Ja-j]|[0-9]{1,2})\s*[)\]）]\s*[.:]?|([A-Ja-j])\s*[).:）．：、])\s*")
_READ_ANYWAY = re.compile(r"\s*(?:\([A-Ja-j]\)|[A-J]\s*[.:)])\s*")  # labels that need no rewriting
_MARK = re.compile(r"(?:^|(?<=[\s,;|，；]))(?P<open>[(\[（]?)\s*(?P<label>[A-Ja-j])\s*(?P<close>[).:\]）．：、])")
_SHAPES = "a list of texts, letters to texts, {text, label} lists, {aoVal, content} entries, or one string with labels"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Choices in order: a letter, the label in the file (empty: none) and a text each.

    ``written``: the choices as a problem holds them, unchanged if they show letters, otherwise ``(A) text``.
    """

    letters: tuple[str, ...]
    labels: tuple[str, ...]
    texts: tuple[str, ...]
    written: tuple[str, ...]

    @property
    def labelled(self) -> bool:
        """Say whether the labels come from the file."""
        return any(self.labels)

    @property
    def with_letters(self) -> tuple[str, ...]:
        """Return every option with its letter in front."""
        return self.written if self.labelled else _with_letters(self.letters, self.texts)

    def letter_labelled(self, label: str) -> str | None:
        """Return the letter of the option with this label, if there is one."""
        known = self.labels if self.labelled else self.letters
        return next((a for a, b in zip(self.letters, known, strict=True) if b.casefold() == label.casefold()), None)


def options_of(value: Any) -> Options | None:
    """Return the options of a row, or ``None`` if it has none.

    Raises:
        LayoutError: if the layout cannot be read with certainty.
    """
    if isinstance(value, str) and value.strip():
        return _of_string(value.strip())
    if missing(value):
        return None
    if isinstance(value, dict):
        return _of_object(value) if value else None
    if isinstance(value, (list, tuple)):
        return _of_list(list(value)) if value else None
    raise LayoutError(f"{value!r} is not a list of options. Rule: options are {_SHAPES}. Remedy: repair the row.")


def _of_list(listed: list[Any]) -> Options:
    entries = [x[0] if isinstance(x, list) and len(x) == 1 else x for x in listed]
    if all(isinstance(x, dict) for x in entries):
        return _labelled([_pair(x) for x in entries])
    texts = [_text(x) for x in entries]
    heads = [_LABELLED.match(x) for x in texts]
    if all(heads) and len(texts) > 1:
        labels = [next(g for g in m.groups() if g) for m in heads if m]
        named = not labels[0].isdigit() or all(
            m.end() < len(x.rstrip()) for x, m in zip(texts, heads, strict=True) if m
        )
        if named and _are_labels(labels):
            rest = [x[m.end() :].strip() for x, m in zip(texts, heads, strict=True) if m]
            kept = tuple(map(str, entries)) if all(_READ_ANYWAY.match(x) for x in texts) else None
            return _labelled(list(zip(labels, rest, strict=True)), written=kept)
    _require_count(len(texts))
    letters = tuple(LETTERS[: len(texts)])
    bare = not any(_READ_ANYWAY.match(x) for x in texts)  # "A. Smith" would be read as a label
    plain = tuple(x if isinstance(x, str) else t for x, t in zip(entries, texts, strict=True))
    written = plain if bare else _with_letters(letters, plain)
    return Options(letters=letters, labels=("",) * len(texts), texts=plain, written=written)


def _of_object(listed: dict[str, Any]) -> Options:
    for texts, labels in (("text", "label"), ("text", "labels"), ("texts", "labels"), ("choices", "labels")):
        if listed.keys() == {texts, labels} and all(isinstance(x, list) for x in listed.values()):
            if len(listed[texts]) != len(listed[labels]):
                raise LayoutError(
                    f"{len(listed[texts])} texts but {len(listed[labels])} labels. Rule: one label for each option. "
                    "Remedy: repair the row."
                )
            pairs = zip(listed[labels], listed[texts], strict=True)
            return _labelled([(scalar_text(a), _text(b)) for a, b in pairs])
    if listed.keys() == {"text"} and isinstance(listed["text"], list):
        return _of_list(listed["text"])
    return _labelled([(k, _text(v)) for k, v in listed.items() if not missing(v)])  # tables fill absent keys with null


def _of_string(text: str) -> Options | None:
    if text[0] in "[{":
        try:
            return options_of(json.loads(text))
        except (ValueError, RecursionError):
            pass
        if is_array_print(text):  # Python would join the texts to one
            raise LayoutError(
                f"options={text[:120]!r} is an array as numpy prints it. Rule: options are {_SHAPES}. Remedy: write "
                "the file with lists (value.tolist() of each), or as JSON lines."
            )
        try:
            return options_of(ast.literal_eval(text[:20_000]))
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            pass
    require_sound(text)
    pairs = _split(text)
    if pairs:
        return _labelled(pairs)
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if len(lines) > 1:
        return _of_list(lines)
    raise LayoutError(
        f"options={text[:120]!r} is one text without distinct labels. Rule: options are {_SHAPES}. "
        "Remedy: write a list."
    )


def _split(text: str) -> list[tuple[str, str]]:
    """Return (label, text) of the options in one string, if there is one way to read it.

    Labels run from the first letter on in one style. If a text contains something like the next label, the reading
    counts whose texts have balanced brackets.
    """
    marks = list(_MARK.finditer(text))
    if not marks or marks[0].start() != 0 or marks[0]["label"] not in "Aa":
        return []
    first = marks[0]
    style = (first["open"], first["close"], first["label"].isupper())
    alike = [m for m in marks if (m["open"], m["close"], m["label"].isupper()) == style]
    by_letter = [[m for m in alike if m["label"].upper() == letter] for letter in LETTERS]
    used = by_letter[: next((i for i, found in enumerate(by_letter) if not found), len(LETTERS))]
    if len(used) < 2:
        return []
    if math.prod(map(len, used[1:])) > _MOST_READINGS:
        return []
    chains = [
        chain
        for chain in itertools.product([first], *used[1:])
        if all(a.start() < b.start() for a, b in itertools.pairwise(chain))
    ]
    readings = [_between(text, chain) for chain in chains]
    if len(readings) > 1:
        readings = [r for r in readings if all(_balanced(t) for _, t in r)]
    return readings[0] if len(readings) == 1 else []


def _between(text: str, chain: Sequence[re.Match[str]]) -> list[tuple[str, str]]:
    ends = [m.start() for m in chain[1:]] + [len(text)]
    return [
        (m["label"], text[m.end() : end].strip().strip(",;|，；").strip()) for m, end in zip(chain, ends, strict=True)
    ]


def _balanced(text: str) -> bool:
    """Say whether round brackets close in order."""
    depths = itertools.accumulate({"(": 1, ")": -1}.get(c, 0) for c in text)
    return min(depths, default=0) >= 0 and text.count("(") == text.count(")")


def _pair(entry: dict[str, Any]) -> tuple[str, str]:
    labels = [k for k in _LABEL_KEYS if k in entry]
    texts = [k for k in _TEXT_KEYS if k in entry]
    if len(labels) == 1 and len(texts) == 1:
        return scalar_text(entry[labels[0]]), _text(entry[texts[0]])
    if len(entry) == 1:
        ((label, text),) = entry.items()
        return label, _text(text)
    raise LayoutError(
        f"option {entry!r} does not have one label and one text. Rule: options are {_SHAPES}. Remedy: rename its "
        "fields to label and text."
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, (list, tuple, dict)):
        raise LayoutError(f"option {value!r} is not text. Rule: options are {_SHAPES}. Remedy: repair the row.")
    if value is None or (isinstance(value, float) and missing(value)):
        raise LayoutError(f"option {value!r} is missing. Rule: every option is a text. Remedy: repair or drop the row.")
    text = scalar_text(value)
    if is_nan(text):
        raise LayoutError(f"option {text!r} is missing. Rule: every option is a text. Remedy: repair or drop the row.")
    return text


def _are_labels(labels: Sequence[str]) -> bool:
    """Say whether the marks before texts are labels: different letters, or numbers from 1 on."""
    found = [x.upper() for x in labels]
    if any(x.isdigit() for x in found):
        return found == [str(i) for i in range(1, len(found) + 1)]
    return len(set(found)) == len(found)


def _labelled(pairs: Sequence[tuple[str, str]], *, written: tuple[str, ...] | None = None) -> Options:
    _require_count(len(pairs))
    for label, _ in pairs:
        require_sound(label)
    labels = tuple(label.strip().strip("()[].: ") for label, _ in pairs)
    if len({x.casefold() for x in labels}) < len(labels) or not all(labels):
        raise LayoutError(
            f"the labels {[a for a, _ in pairs]} of the options are not all different. Rule: an answer names one "
            "option. Remedy: repair the row."
        )
    texts = tuple(text for _, text in pairs)
    own = all(len(x) == 1 and x.upper() in LETTERS for x in labels)
    letters = tuple(x.upper() for x in labels) if own else tuple(LETTERS[: len(labels)])
    return Options(letters=letters, labels=labels, texts=texts, written=written or _with_letters(letters, texts))


def _with_letters(letters: Sequence[str], texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"({a}) {text}" for a, text in zip(letters, texts, strict=True))


def _require_count(n: int) -> None:
    if not 1 < n <= len(LETTERS):
        raise LayoutError(
            f"there {'is 1 option' if n == 1 else f'are {n} options'}. Rule: 2 to {len(LETTERS)}, lettered A to J. "
            "Remedy: repair or drop the row."
        )
