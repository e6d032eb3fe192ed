r"""Removes LaTeX that changes only the look of an answer: fonts, sizes, colours, spacing, alignment, unit commands.

``plain_tex`` does this for a short answer. The meaning is unchanged: ``\color{red}{12}`` is ``12``,
``15^{\text{th}}`` is ``15``, ``3\ \mu\text{m}`` is ``3 um``.
"""

from __future__ import annotations

import re

_FONTS = (
    r"\\(?:text|mathrm|textrm|textnormal|mbox|mathbf|textbf|boldsymbol|bm|mathit|textit|mathsf|textsf|mathtt|texttt|"
    r"mathnormal|mathcal|mathscr|textup|textmd|textsc|emph|hbox|operatorname\*?|ensuremath|underline|smash)\s*"
)
_FONT = re.compile(_FONTS + r"(?=\{)")
_LETTER_FONT = re.compile(_FONTS + r"(?=[A-Za-z0-9](?![A-Za-z]))")  # "\mathrm e": one letter needs no braces
_OLD_FONTS = (
    r"\\(?:bf|rm|it|sf|tt|cal|tiny|small|normalsize|large|Large|LARGE|huge|Huge|boldmath|strut|mathstrut|nonumber|"
    r"notag|bfseries|itshape|ttfamily)(?![a-zA-Z])"
)
_OLD_FONT = re.compile(_OLD_FONTS)
_OLD_GROUP = re.compile(rf"(?=\{{\s*{_OLD_FONTS})")
_COLOUR = re.compile(
    r"\\(?:textcolor|colorbox|color|bbox|cssId|class|style)\s*(?:\[[^\[\]{}]*\]\s*(?:\{[^{}]*\})?|\{[^{}]*\})"
)
_PLACE = re.compile(
    r"\\(?:hspace|vspace|tag|label|hskip|vskip|kern)\*?\s*\{[^{}]*\}|\\(?:newline|hfill|bigskip|medskip)(?![a-zA-Z])"
)
_ALIGNED = re.compile(
    r"\\(?:begin|end)\s*\{(?:align|aligned|alignat|gather|gathered|equation|split|multline|eqnarray|flalign|math|"
    r"center)\*?\}"
)
_SIZES = re.compile(
    r"\\(?:left|right|big|Big|bigg|Bigg|bigl|bigr|Bigl|Bigr|middle)(?![a-zA-Z])\s*\.?(?=\s*\S)|\\right(?![a-zA-Z])\s*\.?\s*$"
)
_SPACES = re.compile(
    r"(?<!\\)\\(?:[,;:!> ]|quad(?![a-zA-Z])|qquad(?![a-zA-Z])|(?:thin|med|thick|neg)space(?![a-zA-Z])|"
    r"(?:display|text|script)style(?![a-zA-Z])|limits(?![a-zA-Z])|phantom\{[^{}]*\})|~"
)
_EDGE = r"\s|\\[,;:!> ]|\\q?quad(?![a-zA-Z])|~|&"
_EDGES = re.compile(rf"^(?:{_EDGE})+|(?:{_EDGE}|\\\\|\\$)+$")

_MAX_COMMANDS = 40  # in one answer

# units
_FRACTION = re.compile(
    rf"\\[dt]?frac\s*\{{\s*{_FONTS}\{{([^{{}}]*)\}}\s*\}}\s*"
    rf"\{{\s*{_FONTS}\{{([^{{}}]*)\}}\s*(\^\s*\{{?-?\d\}}?)?\s*\}}"
)
_SIUNITX = re.compile(r"\\(?:SI|qty)\s*\{([^{}]*)\}\s*\{[^{}]*\}|\\(?:si|unit)\s*\{[^{}]*\}|\\num\s*\{([^{}]*)\}")
_MICRO = re.compile(rf"\\mu\s*({_FONTS}\{{)\s*(?=[a-zA-Z])")
_MICRO_BARE = re.compile(r"(?<=\d)(?:\s|\\[,; ])*\\mu\s*(?=[CFmAsgHVTLJNW]\s*$)")
_OHM = re.compile(r"(?<=[\d}\s])\s*([kMmG])?\s*\\Omega(?![a-zA-Z(])\s*$")
_ANGSTROM = re.compile(r"(?<=[\d}\s])\s*\\AA(?![a-zA-Z])\s*$")
_ORDINAL = re.compile(r"(?<=\d)\s*\^\s*(?:\{\s*(?:st|nd|rd|th)\s*\}|(?:st|nd|rd|th)(?![a-zA-Z]))")


def without_edges(text: str) -> str:
    r"""Remove spacing commands, alignment marks and line breaks from both ends: ``\;x = 7\;``, ``& 12 \\``."""
    return _EDGES.sub("", text)


def plain_tex(text: str) -> str:
    """Return an answer without commands that change only its look; units in commands are spelled in letters."""
    if not ("\\" in text or "^" in text or "~" in text):
        return text
    text = _ALIGNED.sub(" ", text)
    text = _SIUNITX.sub(lambda m: m[1] or m[2] or "", text)
    text = _FRACTION.sub(lambda m: f" {m[1].strip()}/{m[2].strip()}{m[3] or ''} ", text)
    text = _MICRO_BARE.sub(" u", _MICRO.sub(r"\1u", text))
    text = _PLACE.sub(" ", _without_command(text, _COLOUR, braces=False))
    text = _SPACES.sub(" ", _SIZES.sub("", text))
    text = _without_command(_without_command(text, _OLD_GROUP), _FONT)
    text = _OLD_FONT.sub("", _LETTER_FONT.sub(" ", text))
    text = _ANGSTROM.sub(" angstrom", _OHM.sub(lambda m: f" {m[1] or ''}ohm", text))
    return _ORDINAL.sub("", text)


def _without_command(text: str, command: re.Pattern[str], *, braces: bool = True) -> str:
    """Remove commands together with the braces of their group; without ``braces`` a command may have none."""
    at = 0
    for _ in range(_MAX_COMMANDS):
        m = command.search(text, at)
        if m is None:
            return text
        group = re.compile(r"\s*\{").match(text, m.end())
        end = _closing(text, group.end()) if group else None
        if group is not None and end is not None:
            text = f"{text[: m.start()]} {text[group.end() : end]} {text[end + 1 :]}"
        elif not braces:
            text = f"{text[: m.start()]} {text[m.end() :]}"
        at = m.start() + (1 if braces and end is None else 0)
    return text


def _closing(text: str, start: int) -> int | None:
    """Return the end position of the group whose content begins at ``start``."""
    depth, i = 1, start
    while i < len(text):
        if text[i] == "\\":
            i += 1
        elif text[i] in "{}":
            depth += 1 if text[i] == "{" else -1
            if depth == 0:
                return i
        i += 1
    return None
