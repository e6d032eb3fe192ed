"""Multiple choice: an answer may name an option by its letter or its value, in several languages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from sei.grading.text import tidy

_LETTERS = "ABCDEFGHIJ"
_LABEL = re.compile(
    r"^\s*(?:\(\s*([A-Ja-j])\s*\)|([A-J])\s*[.):]|([A-Ja-j])\s*\)|([a-j])\s*\.\s|\\text\w*\{\(?([A-J])\)?\})\s*"
)
_INLINE = re.compile(r"\(\s*([A-J])\s*\)|\\text(?:bf|rm)?\s*\{\s*\(([A-J])\)\s*\}|(?:^|\s)([A-J])[.)]\s")
_NOUN = (
    r"(?:option|choice|answer|ans|opci[oó]n|opzione|opção|letter|letra|lettre|lettera|buchstabe|antwort|alternative|"
    r"选项|選項)"
)
_ONLY = re.compile(
    rf"^(?:(?:the|la|le|el|die)\s+)?(?:{_NOUN}[\s_:]*)?(?P<open>[\s(\[\"']*)(?P<letter>[A-J])(?![a-zA-Z'])(?P<close>[\s)\]\"']*)(?P<rest>.*)$",
    re.IGNORECASE | re.DOTALL,
)
_OPERATES = re.compile(r"\s*(?:[*/+^=<>_\\|!]|-\s*\w)")  # what follows shows that the letter is a variable: "E*2"
_AND_ANOTHER = re.compile(
    r"\s*(?:,|&|/|\+|and|or|und|oder|y|o|et|ou|e|或|和|及|与)(?:\s*(?:,|and|or|option|choice))*\s*\(?[A-J](?![A-Za-z])"
)
_REFUSES = re.compile(
    r"\s*(?:is|are|was)\s+(?!(?:thus |therefore |clearly |indeed |also |obviously |definitely )?"
    r"(?:the\b|right|correct|true|best|my\b|our\b|what\b|because|since|as\b|it\b))|\s*(?:does|do|has|gives|leaves|would|will|can|could|isn't|doesn't)\b"
)
_LIST = re.compile(r"^[(\[{]*\s*[A-J](?:\s*(?:,|and|&|;|y|und|et|e)\s*[A-J])+\s*[)\]}]*$")
_RUN = re.compile(r"(?!.*([A-J]).*\1)[A-J](?:\s*[A-J]){1,9}")  # "ABD"; without options it may be a word or a sequence
_PICKED = (
    rf"\b{_NOUN}s?[\s_:–—-]*(?:(?:is|ist|es|est|è|é)\s+)?"
    r"|\b(?:go(?:ing)?|went|go(?:es)? along) with\s+"
    r"|\b(?:pick(?:ed)?|chose|choose|select(?:ed)?|selecting|choosing|take)\s+"
    r"|(?:选择?|選|答案(?:是|为|為)?|选项)\s*(?:是|为|為)?\s*:?\s*"
    r"|\b(?:is|ist|es|est|è|é)\s*:?\s*(?=[(*\"']*[A-J][)*\"'.]*\s*(?:$|\n))"
)
_REFUSED = r"(?!\s*(?:is|are|was)\s+(?:also\s+)?(?:in|not|wrong|false))"  # "Choice D is incorrect"
_RANGE = r"(?!\s*(?:[-–/]|,(?:\s*or)?|or)\s*[(]?[A-J]\b)"  # "choices A-D", "(A, B, C, or D)" name no option
_NAMED = re.compile(
    rf"(?:{_PICKED})(?:the\s+)?(?:{_NOUN}\s+)?[(\s*\"'（]*([A-J])(?![a-zA-Z'])(?!\s*[*/+^=<>\\]\s*\w){_RANGE}{_REFUSED}",
    re.IGNORECASE,
)
_BRACKETED = re.compile(r"[(\[（]\s*([A-J])\s*[)\]）]")
_ALONE = re.compile(r"(?:^|\n)\s*[*(\[]*([A-J])[*)\].:]*\s*(?:\n|$)")
_CORRECT = re.compile(r"\b([A-J])[)\s]*\s+is\s+(?:thus |therefore |clearly )?(?:the\s+)?(?:correct|right|best)\b")
_NONE = re.compile(
    r"\b(?:none|neither)\b|\b(?:not|no)\b[^.\n]*\b(?:choices?|options?|listed|provided|given|available|appear|match)\b|"
    r"n't\b[^.\n]*\b(?:choices?|options?|listed|provided|given|available|appear|match)\b",
    re.IGNORECASE,
)
_THUS = re.compile(  # the last words "so B", "I would say B"
    r"(?:\b(?:[Ss]o|[Hh]ence|[Tt]hus|[Tt]herefore|say|be|[Tt]hat leaves|leaving|answered?)|"
    r"[∴→⇒➡👉✅✔☑]\ufe0f?|=>|->)[,:]?\s*"
    r"(?:it(?:'s| is)\s+)?[*(\[\"']*([A-J])[)\]*\"'.\s]*$"
)
_TAIL = 600  # characters at the end of an output to search for an option
_ANSWER_LINE = re.compile(
    r"^[\s*#>]*(?:(?:so|thus|therefore|hence),?\s+)?(?:the\s+)?(?:final |correct )?"
    r"(?:answer|option|choice)[*\s]*(?::|is:?)"
    r"[*\s$(]*(?:option\s+)?([A-J])[)$*.\s]*$",
    re.IGNORECASE | re.MULTILINE,
)
_SEPARATORS = re.compile(r"\s*(?:,|;|/|\bor\b|\band\b|\bo\b|\boder\b|\bou\b|或|和)\s*", re.IGNORECASE)


def options_of(options: Sequence[str], question: str = "") -> dict[str, str]:
    """Return option texts by letter: from the list, otherwise from ``(A) ... (B) ...`` in the question."""
    if options:
        found = {}
        for i, text in enumerate(options[: len(_LETTERS)]):
            m = _LABEL.match(text)
            letter = next((g for g in m.groups() if g), _LETTERS[i]).upper() if m else _LETTERS[i]
            found[letter] = text[m.end() :].strip() if m else text.strip()
        return found
    marks = list(_INLINE.finditer(question))
    letters = [next(g for g in m.groups() if g) for m in marks]
    start = max((i for i, x in enumerate(letters) if x == "A"), default=-1)
    if start < 0 or letters[start:] != list(_LETTERS[: len(letters) - start]) or len(letters) - start < 2:
        return {}
    marks, letters = marks[start:], letters[start:]
    ends = [m.start() for m in marks[1:]] + [len(question)]
    return {x: question[m.end() : e].strip(" \n,;$~") for x, m, e in zip(letters, marks, ends, strict=True)}


def letter_of(text: str) -> str | None:
    """Return the letter that an answer is or begins with: ``B``, ``(b) 12``, ``Choice_B``, ``B: a ray``.

    A small letter counts only alone, in brackets, or before a bracket or full stop: ``a car`` names no option.
    """
    plain = tidy(text).replace("_", " ").replace("**", "").strip().rstrip("!")
    m = _ONLY.match(plain)
    if m is None:
        return None
    rest, labelled = m["rest"], bool(re.search(r"[)\]]", m["close"]))
    if _AND_ANOTHER.match(rest) or _REFUSES.match(rest):
        return None  # "B and C", "A is too small"
    if m["letter"].islower() and rest and not labelled and not re.match(r"[.:)\]]\s", rest):
        return None
    if rest and not labelled and not re.match(r"[.:,;)\]]", rest):
        spaced = bool(re.search(r"\s", m["close"]))
        if _OPERATES.match(rest) and not re.match(r"[-–—]\s", rest):
            return None
        if (not spaced and rest[0].isascii()) or re.match(r"[a-z]*\s*=", rest):
            return None
        if m["letter"] in "AI" and re.match(r"(?!because\b|since\b|as\b|is\b|for\b)[A-Za-z]", rest):
            return None  # "A car", "I would say"
    elif _OPERATES.match(rest) and not labelled:
        return None
    return m["letter"].upper()


def letters_of(text: str, *, run: bool = False) -> frozenset[str]:
    """Return all letters of an answer made of letters only: ``A, C``, ``B and D``; with ``run`` also ``ABD``."""
    plain = tidy(text).strip()
    fine = _LIST.match(plain) or (run and _RUN.fullmatch(plain))
    return frozenset(re.findall(r"[A-J]", plain)) if fine else frozenset()


def names_letter(text: str, letters: Sequence[str]) -> bool:
    """Say whether an answer names one of these letters, or several."""
    return letter_of(text) in letters or bool(letters_of(text))


def answered_after(text: str, letters: Sequence[str]) -> frozenset[str]:
    """Return the letter of the last line after all boxes that says nothing but "Answer: LETTER"."""
    found = [m[1].upper() for m in _ANSWER_LINE.finditer(text[text.rfind("oxed") :])]
    return frozenset(found[-1:]) & frozenset(letters)


def names_none(text: str) -> bool:
    """Say whether a statement says that no option is right."""
    return _NONE.search(text) is not None


def verbatim(text: str, options: Mapping[str, str]) -> str | None:
    """Return the letter of the only option with the very words of an answer, or ``None``."""
    said = tidy(text).strip().rstrip(".")
    found = [letter for letter, option in options.items() if tidy(option).strip().rstrip(".") == said]
    return found[0] if len(found) == 1 else None


def by_value(text: str, options: Mapping[str, str], equal: Callable[[str, str], bool]) -> str | None:
    """Return the letter of the only option that equals an answer, or ``None``.

    An option with the very words of the answer comes before those that only mean the same: ``True, False`` is not
    ``False, True``, and ``25 meters`` not ``25 kilometers``.
    """
    if exact := verbatim(text, options):
        return exact
    same = [letter for letter, option in options.items() if equal(option, text)]
    return same[0] if len(same) == 1 else None


def several_of(text: str, options: Mapping[str, str], equal: Callable[[str, str], bool]) -> frozenset[str]:
    """Return the letters of all options that an answer names by letter or value, if it names several."""
    text = re.sub(
        r"^\W*(?:it(?:'s| is| could be| may be| must be)?\s+)?(?:either|both)\s+", "", text, flags=re.IGNORECASE
    )
    parts = [p for p in _SEPARATORS.split(text.rstrip(" .")) if p.strip()]
    if not 1 < len(parts) <= len(_LETTERS):
        return frozenset()
    one = [by_value(p, options, equal) or (x if (x := letter_of(p)) in options else None) for p in parts]
    found = frozenset(x for x in one if x)
    return found if len(found) > 1 and all(one) else frozenset()


def last_letter(text: str, letters: Sequence[str]) -> str | None:
    """Return the option named last by the end of a finished output, or ``None``."""
    plain = re.sub(r"\$|\\(?:text|textbf|textrm|mathrm|mathbf|rm|bf)(?![a-z])\s*|[{}]|\\(?=_)", "", text)
    tail = plain[-_TAIL:]
    for pattern, where in (
        (_CORRECT, plain), (_NAMED, tail), (_THUS, tail), (_ALONE, tail), (_BRACKETED, tail)
    ):  # fmt: skip
        found = [g for m in pattern.finditer(where) for g in m.groups() if g and g.upper() in letters]
        found = [g for g in found if g.isupper()]
        if found:
            return found[-1]
    return None
