"""The masked signature of a question: its text with persons and objects replaced.

Two questions with the same signature are the same problem with other names: training on one and testing on the other is
leakage. Numbers are kept, because the solution depends on them.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\d[\d,]*(?:\.\d+)?|[^\W\d_]+|[^\w\s]")
_COMMON_STARTS = frozenset(
    "a an the if there then after before how what in on at of for each every one two three he she it they his her "
    "when while out and but with from to by half some later afterwards only now all both this that these those "
    "suppose given find calculate determine monday tuesday wednesday thursday friday saturday sunday january "
    "february march april may june july august september october november december mr mrs ms dr".split()
)
_AFTER_NUMBER_NOT_OBJECT = frozenset(
    "more fewer less times dozen extra other others loose of and or in at on to for from by per is are was were "
    "percent than as with each equal left weeks days hours minutes years months miles feet yards meters inches dollars "
    "cents pounds children legs boxes bags rows".split()
)


def persons_and_objects(question: str) -> tuple[list[str], list[str]]:
    """Find person names and counted objects of a question, in order of first appearance.

    A person is a capitalised word that is not a common sentence opener. An object is the noun right after a number
    (skipping *more*, *fewer*, *extra*, *dozen* and the like). This is a heuristic: a missed rare word makes a signature
    more specific, never less.
    """
    tokens = _TOKEN.findall(question)
    persons: list[str] = []
    objects: list[str] = []
    skipped = ("more", "fewer", "less", "extra", "other", "loose", "dozen", "of", "the")
    for i, t in enumerate(tokens):
        if t[0].isupper() and len(t) > 1 and t.lower() not in _COMMON_STARTS:
            persons.append(t)
        if t[0].isdigit():
            j = i + 1
            while j < len(tokens) and tokens[j].lower() in skipped:
                j += 1
            noun = tokens[j] if j < len(tokens) else ""
            if noun.isalpha() and noun.islower() and len(noun) > 2 and noun not in _AFTER_NUMBER_NOT_OBJECT:
                objects.append(noun)
    return list(dict.fromkeys(persons)), list(dict.fromkeys(objects))


def masked_signature(question: str) -> str:
    """Return the question case folded, persons as ``<p1>``, objects as ``<o1>`` (also singular), numbers kept."""
    persons, objects = persons_and_objects(question)
    mask = {p.lower(): f"<p{i}>" for i, p in enumerate(persons, 1)}
    for i, o in enumerate(objects, 1):
        mask.setdefault(o.lower(), f"<o{i}>")
        mask.setdefault(o.lower().removesuffix("s"), f"<o{i}>")
    return " ".join(mask.get(t.lower(), t.lower().replace(",", "") or ",") for t in _TOKEN.findall(question))
