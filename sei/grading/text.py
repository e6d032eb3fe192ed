r"""Answers as text: one spelling for all typesetting variants.

Works on the short text of an answer, never on a whole output. Unicode signs and LaTeX spacing, sizing and font commands
are removed, ``\dfrac`` becomes ``\frac``, digits lose their grouping.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from sei.grading.typeset import plain_tex, without_edges

MAX_ANSWER = 2_000  # characters; answers of data sets are far shorter, and longer texts are not answers

_SIGNS = {
    **dict.fromkeys("−–—‐‑‒﹣－", "-"),
    **dict.fromkeys("×✕⨯", r"\times "),
    **dict.fromkeys("·⋅∙", r"\cdot "),
    **dict.fromkeys("÷∕⁄", "/"),
    "π": r"\pi ",
    "√": r"\sqrt",
    "∞": r"\infty ",
    "≤": r"\le ",
    "≥": r"\ge ",
    "≠": r"\ne ",
    "≈": r"\approx ",
    "∪": r"\cup ",
    "∩": r"\cap ",
    "∈": r"\in ",
    "∅": r"\emptyset ",
    "∖": r"\setminus ",
    **dict.fromkeys("\u00b5\u03bc", r"\mu "),
    **dict.fromkeys("\u03a9\u2126", r"\Omega "),
    **dict.fromkeys("…⋯", r"\ldots "),
    "±": r"\pm ",
    "θ": r"\theta ",
    "°": r"^\circ ",
    "ℝ": r"\mathbb{R}",
    "“": '"',
    "”": '"',
    "’": "'",
    "‘": "'",
    "′": "'",
    "％": "%",
    "½": r"\frac{1}{2}",
    "⅓": r"\frac{1}{3}",
    "⅔": r"\frac{2}{3}",
    "¼": r"\frac{1}{4}",
    "¾": r"\frac{3}{4}",
    "⅕": r"\frac{1}{5}",
    "⅖": r"\frac{2}{5}",
    "⅗": r"\frac{3}{5}",
    "⅘": r"\frac{4}{5}",
    "⅙": r"\frac{1}{6}",
    "⅚": r"\frac{5}{6}",
    "⅛": r"\frac{1}{8}",
    "⅜": r"\frac{3}{8}",
    "⅝": r"\frac{5}{8}",
    "⅞": r"\frac{7}{8}",
}
_WIDE = {i: chr(i - 0xFEE0) for i in range(0xFF01, 0xFF5F)} | {
    ord("，"): ", ", ord("；"): "; ", ord("。"): ". ", ord("、"): ", ", ord("："): ": ", ord("．"): ".", ord("｡"): ". ",
    ord("！"): "! ", ord("？"): "? ", ord("∶"): ":", 0x3000: " ",
}  # fmt: skip
_MINUS = re.compile(r"[负負]\s?(?=\d)")  # a minus sign in words
_MINUS_SAID = re.compile(r"^(?:minus|negative)\s+(?=[$\\]?\.?\d)", re.IGNORECASE)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SUPER = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060\ufeff\ud800-\udfff]")
_GROUPED = re.compile(r"(?<![\d.])(\d{1,3})((?:(?:\s|\\!)?(?:,|\{,\})\s?\\?[!,]?\s?\d{3})+)(?!\d)")
_DOTTED = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{3}){2,}(?![\d.])")  # one dot may be that of a decimal
_REPEATING = re.compile(r"(\d*\.\d*)\\dot\s*\{?(\d)\}?(?:(\d*)\\dot\s*\{?(\d)\}?)?|^(-?\d+\.\d*)\((\d+)\)$")
_CHOOSE = re.compile(r"\{([^{}]*)\\choose(?![a-zA-Z])([^{}]*)\}")
_UPRIGHT_UNIT = re.compile(  # a variable would not be upright
    r"(?:(?<=[\d})])|(?<=\\pi))(?:\s|\\[,;:! ]|~)*\\(?:text|mathrm|mbox|rm)\s*\{[\s~]*"
    r"(?:[mgshlLKNJWVA]|[kcm]m|kg|mg|ft|in|lb|min|hr|mi)(?:\s*/\s*(?:[msh]|min|hr|sec|kg|km|cm))?[\s~]*\}"
    r"(?:\s*\^\s*\{?-?\d\}?)?$"
)
_ZEROS = re.compile(r"(?<!\d)0\d\d")  # "000" is not a number in a list
_THIN_GROUPED = re.compile(
    r"(?<![\d.,])(\d{1,3})((?:(?:\\[,;:! ]|[\u00a0\u202f~])+\d{3})+)(?!\d)|(?<![\w.,])(\d{1,3})((?:_\d{3})+)(?!\w)"
)
_SPACE_GROUPED = re.compile(r"(?<![\d.,/}])(?<!\d )(\d{1,3})((?: \d{3})+)(?![\d/])(?! \d)")
_FRAC_SHORT = re.compile(r"\\frac\s*(?:\{([^{}]*)\}|(\d|[a-zA-Z]))\s*(?:\{([^{}]*)\}|(\d|[a-zA-Z]))")
_CLOSING = re.compile(
    r"""(?<=[^\\])(?:(?<!\.\.)[.,;:]|(?<=[A-Za-z]{2})!|(?<=[$*"'`_%\]°\s])!)$"""
)  # "n!" is a factorial
_TRIGONOMETRIC = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-z])")
_DEGREES = re.compile(r"(\d+(?:\.\d+)?)\s*(?:\^\s*(?:\\circ(?![a-zA-Z])|\{\s*\\circ\s*\})|\\degree(?![a-zA-Z]))")
_PAIRS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("__", "__"), ("`", "`"), ('"', '"'),
          ("'", "'"), ("*", "*"))  # fmt: skip


def narrow(text: str) -> str:
    """Return a text with full-width letters, digits and punctuation of East Asian type in their usual width."""
    return text if text.isascii() else _MINUS.sub("-", text.translate(_WIDE))


def clean(text: str) -> str:
    """Return a text without control characters and lone surrogates, and with one spelling for each sign."""
    text = _CONTROL.sub("", text.replace("\t", " "))
    text = _SUPER.sub(lambda m: "^{" + m.group().translate(_SUPERSCRIPTS) + "}", text)
    if not text.isascii():
        text = narrow(text)
        text = "".join(_SIGNS.get(c, c) for c in text)
        text = unicodedata.normalize("NFKC", text)
    return text


def unwrap(text: str) -> str:
    """Remove what only surrounds an answer: math delimiters, emphasis, quotes, closing punctuation."""
    text = text.strip()
    while True:
        before = text
        text = without_edges(text)
        text = _CLOSING.sub("", text).strip()
        for left, right in _PAIRS:
            inner = text[len(left) : len(text) - len(right)]
            if text.startswith(left) and text.endswith(right) and inner.strip() and left not in inner:
                text = inner.strip()
        if text == before:
            return text


def ungroup(text: str) -> str:
    r"""Join digit groups: ``1,234``, ``1{,}234``, ``1\,234``, ``1~234``, ``1 234``, ``1_234``, ``1.234.567``.

    ``1, 234`` is a list.
    """
    text = _GROUPED.sub(_join_commas, text)
    text = _DOTTED.sub(lambda m: m.group().replace(".", ""), text)
    text = _THIN_GROUPED.sub(lambda m: re.sub(r"\D", "", m.group()), text)
    return _SPACE_GROUPED.sub(lambda m: m[1] + m[2].replace(" ", ""), text)


def _join_commas(m: re.Match[str]) -> str:
    before, after = m.string[: m.start()].rstrip(), m.string[m.end() :].lstrip()
    pair = re.search(r"[(\[]$|lbrace$", before) and re.match(r"[)\]]|\\rbrace", after)
    if pair and not _ZEROS.search(m[2]):
        return m.group()  # "(3,331)": a pair
    if re.search(r",\s+\d", m[2]) and not re.search(r"\\[!,]", m[2]):
        return m.group()  # "1, 234": two numbers
    return m[1] + re.sub(r"\D", "", m[2])


def has_groups(text: str) -> bool:
    """Say whether a text may be either a grouped number or a list: ``100,200``."""
    return any(not _ZEROS.search(m[2]) for m in _GROUPED.finditer(text))


@lru_cache(maxsize=65_536)
def tidy(text: str, *, group: bool = True) -> str:
    """Return an answer in one spelling with unchanged meaning.

    Font commands are replaced by their content; sizing, spacing and currency signs are removed; fractions get braces.
    ``group=False`` reads ``100,200`` as two numbers.
    """
    text = unwrap(clean(text[: MAX_ANSWER + 1]))
    text = text.replace(r"\$", "").replace(r"\%", "%").replace(r"\{", "\\lbrace ").replace(r"\}", "\\rbrace ")
    text = text.replace("{:}", ":")
    if text.count(r"\text") + text.count(r"\mathrm") + text.count(r"\mbox") + text.count(r"\rm") == 1:
        text = _UPRIGHT_UNIT.sub("", text)
    text = re.sub(r"(?<=\d)\s*[xX]\s*(?=10\s*(?:\^|\*\*))", r" \\times ", text)
    if group:
        text = ungroup(text)
    text = _REPEATING.sub(_overlined, text)
    if r"\choose" in text:
        text = _CHOOSE.sub(lambda m: f"\\binom{{{m[1].strip()}}}{{{m[2].strip()}}}", text)
    text = re.sub(r"\\log\s*_\s*(?:\{\s*e\s*\}|e(?![a-zA-Z]))", r"\\ln ", text)
    text = re.sub(r"\\lg(?![a-zA-Z])", r"\\log_{10} ", text)
    text = re.sub(r"\\(?:[dtcxs]|nice)frac(?![a-zA-Z])", r"\\frac", text)
    text = plain_tex(text).replace(r"\_", "_").replace(r"\&", "&").replace(r"\#", "#")
    text = re.sub(r"\\lbrace\s*\\rbrace|^(?:the )?empty set$", r"\\emptyset ", text, flags=re.IGNORECASE)
    text = re.sub(r"\\(?:le|leqq?|leqslant)(?![a-zA-Z])", r"\\le ", text)
    text = re.sub(r"\\(?:ge|geqq?|geqslant)(?![a-zA-Z])", r"\\ge ", text)
    text = re.sub(r"\\(?:ne|neq)(?![a-zA-Z])|\\not\s*=|=/=|(?<=[a-zA-Z\s])\s*!=(?!=)", r"\\ne ", text)
    text = re.sub(r"\\(?:ldots|cdots|dots[bcmo]?|hdots)(?![a-zA-Z])|\.{3,}", r"\\ldots ", text)
    text = re.sub(r"\\(?:smallsetminus|backslash)(?![a-zA-Z])", r"\\setminus ", text)
    text = re.sub(r"(?<=[)\]])\s*U\s*(?=[(\[])", r" \\cup ", text)
    text = re.sub(r"\\langle(?![a-zA-Z])\s*", "(", re.sub(r"\s*\\rangle(?![a-zA-Z])", ")", text))
    text = re.sub(
        r"^\s*(?:positive )?infinity\s*$|^\s*(negative )infinity\s*$", lambda m: r"-\infty" if m[1] else r"\infty", text
    )
    text = text.replace(r"\lbrack", "[").replace(r"\rbrack", "]").replace(r"\varnothing", r"\emptyset ")
    text = text.replace(r"\lvert", "|").replace(r"\rvert", "|").replace(r"\vert", "|").replace(r"\mid", "|")
    text = re.sub(r"[€£¥₹¢]|(?<![a-zA-Z])(?:US|CA|AU|HK)?\$", "", text)  # currency signs or remaining delimiters
    text = re.sub(r"\\bar\s*(\d)", r"\\bar{\1}", text)
    text = re.sub(r"(?<=[\d.])\\bar(?=\s*\{\d)", r"\\overline", text)
    if _TRIGONOMETRIC.search(text):  # an angle inside a function; elsewhere the sign is a unit
        text = _DEGREES.sub(r"{(\1 \\pi/180)}", text)
    text = re.sub(r"\^\s*(?:\\circ(?![a-zA-Z])|\{\s*\\circ\s*\}|o(?![a-zA-Z]))|\\degree(?![a-zA-Z])", "", text)
    for _ in range(4):
        text = _FRAC_SHORT.sub(_braced, text)
    text = re.sub(r"(?<=[{(\[])\s+|\s+(?=[})\]])", "", text)
    text = _MINUS_SAID.sub("-", re.sub(r"\s+", " ", unwrap(text)).strip())
    while text.startswith("{") and text.endswith("}") and "," not in text and balanced(text[1:-1]):
        text = text[1:-1].strip()  # braces that group, not a set
    return text


def _overlined(m: re.Match[str]) -> str:
    if m[6]:
        return f"{m[5]}\\overline{{{m[6]}}}"
    return f"{m[1]}\\overline{{{m[2]}{m[3] or ''}{m[4] or ''}}}"


def _braced(m: re.Match[str]) -> str:
    top, bottom = m[1] if m[1] is not None else m[2], m[3] if m[3] is not None else m[4]
    return f"\\frac{{{top}}}{{{bottom}}}"


def balanced(text: str) -> bool:
    """Say whether braces are balanced; an answer with open braces is broken."""
    depth = 0
    for c in re.sub(r"\\[{}]", "", text):
        depth += {"{": 1, "}": -1}.get(c, 0)
        if depth < 0:
            return False
    return depth == 0


def squeezed(text: str) -> str:
    """Return a tidied text without white space, to compare spelling."""
    return re.sub(r"\s+", "", re.sub(r"(?<=\d)\s+(?=\d)", "_", text))
