"""Texts that programs write in place of an answer: printed values, errors of spreadsheets, missing values.

Words that are answers of known data sets are not among them: "undefined", "no solution", "unknown", "No", ``{}``.
"""

from __future__ import annotations

import io
import itertools
import re
import tokenize

NAN = frozenset({"nan", "-nan", "<na>", "<nan>", "nat", "np.nan", "pd.na", "pd.nat", "1.#qnan", "-1.#ind", "1.#ind"})
"""Texts for a missing number."""
ERRORS = frozenset(
    [*"#ref! #div/0! #value! #num! #name? #null! #spill! #calc! #error! #n/a #na -1.#qnan".split(), "#n/a n/a"]
)
"""Errors of spreadsheets."""
MISSING = NAN | ERRORS | {"none", "null", "n/a", "inf", "+inf", "-inf"}
"""Words that programs write for a missing value."""
NO_ANSWER = MISSING | frozenset(  # NuminaMath-1.5 writes the first three for problems without an answer
    ("notfound", "not found", "proof", "todo", "tbd", "fixme", "<unk>", "[unk]", "no answer", "not available")
)
"""Words that stand for no answer."""
_SIGNS = re.compile(r"[-–—_?…]+|\.{2,}")  # of an empty field: "-", "?", "..."
_NOTHING = re.compile(r"\[\s*(?:nan|none|null|<na>)?\s*\]|\(\s*(?:nan|none|null),?\s*\)", re.IGNORECASE)

_BYTES = re.compile(r"""b'(?:[^'\\]|\\.)*'|b"(?:[^"\\]|\\.)*\"""")
_CALL = re.compile(  # not np.arcsin(10/13), which is an answer of Minerva Math
    r"(?:(?:np|numpy|jnp|torch|tf)\.(?:u?int\d*|float\d*|complex\d*|bool_?|str_|bytes_|tensor|constant)|"
    r"(?:(?:np|numpy|jnp|torch|pd|pandas|decimal|fractions|sympy|collections)\.)?(?:tensor|array|Array|Decimal|Fraction|"
    r"Timestamp|Timedelta|Series|DataFrame|defaultdict|OrderedDict|Counter|Integer|Rational|mpf|mpz)|datetime\.\w+)"
    r"\(.*\)",
    re.DOTALL,
)
_OBJECT = re.compile(
    r"<(?:[\w.]+ object at 0x[0-9a-f]+|class '.*'|function .*|built-in .*|tf\.Tensor.*|bound .*)>", re.DOTALL
)
_TEXTS = re.compile(r"""[\[(]\s*(?:'[^']*'|"[^"]*")(?:(?:\s*,\s*|\s*)(?:'[^']*'|"[^"]*"))*(?:\s*,)?\s*[\])]""")
_JSON = re.compile(r"""\{\s*(?:'[A-Za-z_][^']*'|"[A-Za-z_][^"]*")\s*:.*\}""", re.DOTALL)
_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_VECTOR = re.compile(rf"\[\s*{_NUMBER}(?:\s+{_NUMBER})*\s*\]")  # "[4. 5.]"; a list has commas
_LONGEST = 2_000  # characters of a text that are looked at
_POINT = re.compile(r"\d\.(?!\d)")


def are_bytes(text: str) -> bool:
    """Say whether a text is bytes as Python prints them; not ``b'c'`` of Boolean algebra."""
    return _BYTES.fullmatch(text) is not None and re.search(r"[\d\s\\]|.{4}", text[2:-1]) is not None


def printed(text: str) -> str:
    """Say what kind of value a text is, if a program printed it; otherwise empty.

    A list of numbers (``[4, 5]``) is none of them, since intervals and matrices look alike.
    """
    if are_bytes(text):
        return "bytes"
    if _CALL.fullmatch(text) or _OBJECT.fullmatch(text):
        return "an object"
    if _TEXTS.fullmatch(text):
        return "a list of texts"
    if _JSON.fullmatch(text):
        return "an object"
    return "an array" if _VECTOR.fullmatch(text) and _POINT.search(text) else ""


def is_array_print(text: str) -> bool:
    """Say whether numpy or pandas printed a list of texts: ``['4' '5']``, or with ``array(...)`` in it."""
    text = text[:_LONGEST]
    if not {"'", '"'} & set(text):
        return False
    try:
        kinds = [t.type for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type != tokenize.NL]
    except (tokenize.TokenError, SyntaxError):
        return False
    beside = any(a == b == tokenize.STRING for a, b in itertools.pairwise(kinds))
    return text[:1] + text[-1:] in ("[]", "{}") and (beside or re.search(r"[:\[]\s*array\(\[", text) is not None)


def is_no_answer(text: str) -> bool:
    """Say whether a text stands for no answer: a word for a missing value, an error, or signs of an empty field."""
    return (
        not text
        or text == "NA"  # as R writes it; "Na" is sodium
        or text.casefold() in NO_ANSWER
        or _SIGNS.fullmatch(text) is not None
        or _NOTHING.fullmatch(text) is not None
    )
