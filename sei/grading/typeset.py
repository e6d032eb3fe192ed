r"""LaTeX that changes only how an answer looks: fonts, sizes, colours, spacing, alignment, units written in commands.

``plain_tex`` takes it off a short answer. What an answer says is unchanged: ``\color{red}{12}`` is ``12``,
``15^{\text{th}}`` is ``15``, ``3\ \mu\text{m}`` is ``3 um``.
"""

from __future__ import annotations

import re

_FONTS = (
    r"\\(?:text|mathrm|textrm|textnormal|mbox|mathbf|textbf|boldsymbol|bm|mathit|textit|mathsf|textsf|mathtt|texttt|"
    r"mathnormal|textup|textmd|textsc|emph|hbox|operatorname\*?|ensuremath|underline|smash)\s*"
)
_FONT = re.compile(_FONTS + r"\{([^{}]*)\}")
_LETTER_FONT = re.compile(_FONTS + r"(?=[A-Za-z0-9](?![A-Za-z]))")  # "\mathrm e": one letter needs no braces
_OLD_FONT = re.compile(
    r"\\(?:bf|rm|it|sf|tt|cal|tiny|small|normalsize|large|Large|LARGE|huge|Huge|boldmath|strut|mathstrut|nonumber|"
    r"notag|bfseries|itshape|ttfamily)(?![a-zA-Z])"
)
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
_SIZES = re.compile(r"\\(?:left|right|big|Big|bigg|Bigg|bigl|bigr|Bigl|Bigr|middle)(?![a-zA-Z])\s*\.?(?=\s*\S)")
_SPACES = re.compile(
    r"(?<!\\)\\(?:[,;:!> ]|quad(?![a-zA-Z])|qquad(?![a-zA-Z])|(?:thin|med|thick|neg)space(?![a-zA-Z])|"
    r"(?:display|text|script)style(?![a-zA-Z])|limits(?![a-zA-Z])|phantom\{[^{}]*\})|~"
)
_EDGE = r"\s|\\[,;:!> ]|\\q?quad(?![a-zA-Z])|~|&"
_EDGES = re.compile(rf"^(?:{_EDGE})+|(?:{_EDGE}|\\\\)+$")

# units
_FRACTION = re.compile(
    rf"\\[dt]?frac\s*\{{\s*{_FONTS}\{{([^{{}}]*)\}}\s*\}}\s*"
    rf"\{{\s*{_FONTS}\{{([^{{}}]*)\}}\s*(\^\s*\{{?-?\d\}}?)?\s*\}}"
)
_SIUNITX = re.compile(r"\\(?:SI|qty)\s*\{([^{}]*)\}\s*\{[^{}]*\}|\\(?:si|unit)\s*\{[^{}]*\}|\\num\s*\{([^{}]*)\}")
_MICRO = re.compile(rf"\\mu\s*({_FONTS}\{{)\s*(?=[a-zA-Z])")
_OHM = re.compile(rf"(?<=[\d}}\s])\s*(?:{_FONTS}\{{\s*([kMmG])?\s*\\Omega\s*\}}|([kMmG])?\s*\\Omega(?![a-zA-Z(]))\s*$")
_ANGSTROM = re.compile(rf"(?<=[\d}}\s])\s*(?:{_FONTS}\{{\s*\\AA\s*\}}|\\AA(?![a-zA-Z])|\\r\s*A)\s*$")
_ORDINAL = re.compile(r"(?<=\d)\s*\^\s*(?:\{\s*(?:st|nd|rd|th)\s*\}|(?:st|nd|rd|th)(?![a-zA-Z]))")


def without_edges(text: str) -> str:
    r"""Take spacing commands, alignment marks and line breaks off both ends: ``\;x = 7\;``, ``& 12 \\``."""
    return _EDGES.sub("", text)


def plain_tex(text: str) -> str:
    """Return an answer without commands that change only its looks; units in commands are spelled in letters."""
    if not ("\\" in text or "^" in text or "~" in text):
        return text
    text = _ALIGNED.sub(" ", text)
    text = _SIUNITX.sub(lambda m: m[1] or m[2] or "", text)
    text = _FRACTION.sub(lambda m: f" {m[1].strip()}/{m[2].strip()}{m[3] or ''} ", text)
    text = _MICRO.sub(r"\1u", text)
    text = _OHM.sub(lambda m: f" {m[1] or m[2] or ''}ohm", text)
    text = _ANGSTROM.sub(" angstrom", text)
    text = _COLOUR.sub("", text)
    text = _PLACE.sub(" ", text)
    text = _SIZES.sub("", text)
    text = _SPACES.sub(" ", text)
    for _ in range(3):  # fonts inside fonts
        text = _FONT.sub(r" \1 ", text)
    text = _OLD_FONT.sub("", _LETTER_FONT.sub(" ", text))
    return _ORDINAL.sub("", text)
