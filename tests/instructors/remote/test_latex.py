r"""LaTeX in the JSON text of replies: what is restored, what is refused, and what stays unchanged."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sei.exchange import SynthesisRequest
from sei.grading.latex_commands import CERTAIN, KNOWN, WORDS
from sei.instructors.remote.latex import Undecided, UndecidedError, decoded
from sei.instructors.remote.reading import parsed, read_problems
from sei.instructors.remote.replies import (
    correction_request,
    keyphrase_request,
    problems_request,
    solve_request,
)
from tests.real_data import DATA, needs

TWO = SynthesisRequest(error_type="t", exemplars=(), n=2, index=1, seed=0)


def one(*bodies):
    """Read the strings of one reply; return the first."""
    return decoded(bodies).texts[0]


@pytest.mark.parametrize(
    ("body", "meant"),
    [
        (r"\frac{1}{2} of it", r"\frac{1}{2} of it"),
        (r"3 \times 4 \neq 13", r"3 \times 4 \neq 13"),
        (r"so \boxed{12}", r"so \boxed{12}"),
        (r"\text{cm} and \theta", r"\text{cm} and \theta"),
        (r"\binom{5}{2} \right) \rho \bar{x} \nabla \forall", r"\binom{5}{2} \right) \rho \bar{x} \nabla \forall"),
        (r"\underline{x} \uparrow", r"\underline{x} \uparrow"),
        (r"\sqrt{2} \cdot \alpha \( x \) \[ y \] \{1\} \, z", r"\sqrt{2} \cdot \alpha \( x \) \[ y \] \{1\} \, z"),
        (r"\tan x and \tan(45^\circ)", r"\tan x and \tan(45^\circ)"),
        (r"x \ne 0 and n \to \infty", r"x \ne 0 and n \to \infty"),
        (r"the angle $\nu$ and \(2\nu\)", r"the angle $\nu$ and \(2\nu\)"),
        (r"\not= and \not\in", r"\not= and \not\in"),
        (r"\fancybox{x}", r"\fancybox{x}"),
        (r"costs \$5 for A\_B", r"costs \$5 for A\_B"),
        (r"Bo\'s pen", "Bo's pen"),
        ("\\u000crac{1}{2} \\u0009imes", r"\frac{1}{2} \times"),
        ("\frac{1}{2}, 3 \times 4, \boxed{5}, \neq".replace("\\", ""), r"\frac{1}{2}, 3 \times 4, \boxed{5}, \neq"),
        ("\alpha + \vec{v}", r"\alpha + \vec{v}"),
        (
            r"\begin{array}{c} a \\ b \\[2pt] c \end{array} \frac12",
            r"\begin{array}{c} a \\ b \\[2pt] c \end{array} \frac12",
        ),
        (r"\\\\frac{1}{2} \\\\times 3", r"\frac{1}{2} \times 3"),
    ],
)
def test_what_can_only_be_latex_is_restored(body, meant):
    assert one(body) == meant
    assert not isinstance(one(body), Undecided)


@pytest.mark.parametrize(
    ("body", "meant"),
    [
        (r"Step 1\\nStep 2\\n\\nSo 3.", "Step 1\nStep 2\n\nSo 3."),
        (r"a = 2\\n3 * 4 = 12", "a = 2\n3 * 4 = 12"),
        (r"done.\\n", "done.\n"),
        (r"x \\neq 3\\nNow \\nabla", "x \\neq 3\nNow \\nabla"),
    ],
)
def test_line_breaks_with_two_backslashes_are_mended(body, meant):
    assert one(body) == meant
    assert decoded([body]).restored["line break"] == body.count(r"\\n") - body.count(r"\\ne") - body.count(r"\\na")


@pytest.mark.parametrize(
    ("body", "meant"),
    [
        (r"a \\\\overline{AB} \\\\cap \\\\bold{C}", r"a \overline{AB} \cap \bold{C}"),
        (r"\\\\begin{pmatrix} 1 \\\\\\\\ 2 \\\\end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
        (r"\\\\[ x \\\\, y \\\\Rightarrow z\\n\\nu = 4", "\\[ x \\, y \\Rightarrow z\n\nu = 4"),
        (r"say \\\"one\\\" and \\\\pi", r'say "one" and \pi'),
        (r"\\\\begin{align*} a \\\\\\\\\\n&= b", "\\begin{align*} a \\\\\n&= b"),
    ],
)
def test_a_reply_escaped_once_too_often_is_mended_as_a_whole(body, meant):
    assert one(body) == meant
    assert not isinstance(one(body), Undecided)


@pytest.mark.parametrize(
    ("body", "meant"),
    [
        (r"\begin{pmatrix} x \\y \\3 \\-6 \\ z \end{pmatrix}", r"\begin{pmatrix} x \\y \\3 \\-6 \\ z \end{pmatrix}"),
        (r"\begin{cases} a \\&= b \end{cases} \frac12", r"\begin{cases} a \\&= b \end{cases} \frac12"),
        (
            r"First.\\nThen \begin{align*} a \\\\n&= b \end{align*}",
            "First.\nThen \\begin{align*} a \\\\\n&= b \\end{align*}",
        ),
        (r"\\left\lfloor x \\right\rfloor, \\langle x \rangle", r"\left\lfloor x \right\rfloor, \langle x \rangle"),
        (r"\\frac{1}{2} with a \ne b", r"\frac{1}{2} with a \ne b"),
        (r"\\\\frac{1}{2} and \alpha", r"\frac{1}{2} and \alpha"),
    ],
)
def test_rows_and_slips_are_restored_where_the_rest_tells(body, meant):
    assert one(body) == meant
    assert not isinstance(one(body), Undecided)


@pytest.mark.parametrize(
    "bodies",
    [
        (r"\\frac{1}{2} and \\\\frac{1}{3}",),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix} = \\vec{v}",),
        (r"\begin{pmatrix} x \\y \end{pmatrix} = \\vec{v}",),
        (r"\begin{align*} a \\n&= b \end{align*}",),
        (r"\alpha \begin{align*} a \\\\n&= b",),
        (r"\\begin{align*} a &= b \\\\\nc &= d \\\\n&= e",),
        (r"\\(x\\) is $\\,\ne_2 = e_1$",),
        (r"\\alpha\to b",),
        (r"$k = 17a \\k = 6b$ and \alpha",),
    ],
)
def test_what_two_ways_of_escaping_leave_open_is_refused(bodies):
    assert isinstance(one(*bodies), Undecided)


@needs("SEI_DATA", "math/test.jsonl.gz")
def test_real_latex_however_escaped_is_never_silently_wrong():
    """Every tenth solution of MATH, escaped in six ways; ``mixed`` escapes each backslash at random."""
    rng, wrong, refused = random.Random(0), [], Counter()
    with gzip.open(DATA / "math" / "test.jsonl.gz", "rt", encoding="utf-8") as f:
        texts = [json.loads(x)["solution"].strip() for i, x in enumerate(f) if not i % 10]

    def proper(text):
        return json.dumps(text, ensure_ascii=False)[1:-1]

    def of_single(text, line):
        return text.replace('"', r"\"").replace("\n", line)

    ways = {
        "proper": proper,
        "double": lambda t: proper(proper(t)),
        "single": lambda t: of_single(t, r"\n"),
        "raw": lambda t: of_single(t, "\n"),
        "lines": lambda t: of_single(t, r"\\n"),
        "mixed": lambda t: of_single(re.sub(r"\\", lambda _: rng.choice(("\\", "\\\\")), t), r"\n"),
    }
    for text in texts:
        for name, way in ways.items():
            found = one(way(text))
            if isinstance(found, Undecided):
                refused[name] += 1
            elif found != text:
                wrong.append((name, text, found))
    assert wrong == []
    assert refused["proper"] == 0
    assert max(refused[x] for x in ("double", "single", "raw")) <= 0.01 * len(texts)


@pytest.mark.parametrize(
    "text",
    [
        r"How many of these satisfy $A \nsubset B$?",
        r"$A \nsupset B$, the $\nullity(A)$ and $\nint{2.7}$, $\num{3.5}$",
        r"$\rank(A) = 2$ and $\tr(A) = 3$, $\trace(A)$, $\tg x$, $2 \rad$, $3\textcelsius$",
    ],
)
def test_rare_commands_keep_their_backslash_or_are_refused(text):
    """``\nsubset`` became a line break and "subset": the meaning was reversed, and the reply was accepted."""
    assert one(json.dumps(text)[1:-1]) == text
    restored = one(text)
    assert restored == text or isinstance(restored, Undecided)


@pytest.mark.parametrize(
    "body",
    [r"Total 5$\\nNext 3$\\nThen 8$", r"She pays $5.\\nHe pays 3$ more.", r"Step 1: $a = 2 \\nStep 2: b = 3$"],
)
def test_dollars_of_money_and_line_breaks_are_read(body):
    assert one(body) == body.replace("\\\\n", "\n")


def test_an_unknown_command_in_mathematics_is_no_line_break():
    found = one(r"the sets $A \\nfoo B$")
    assert isinstance(found, Undecided)
    assert "nfoo" in found.why
    assert one(r"First 5 + 3.\\nfoo follows") == "First 5 + 3.\nfoo follows"


@pytest.mark.parametrize(
    "bodies",
    [
        (r"We know x.\nu = 4 then",),
        (r"Take \alpha.\nu = 4",),
        (r"so\not all",),
        (r"where \ne is given, \beta",),
        (r"\[\nu = 4\n\]", r"\alpha"),
        (r"a\n\nu = 4", r"\sqrt{2}"),
        (r"text\to go",),
        (r"\b{o}",),
        (r"a \f b",),
        (r"Step 1\\nStep 2 \\nu = 3",),
    ],
)
def test_what_cannot_be_decided_is_refused_with_its_words(bodies):
    found = one(*bodies)
    assert isinstance(found, Undecided)
    assert "may be LaTeX or not" in found.why


@pytest.mark.parametrize(
    "text",
    [
        "First add.\n\nNow subtract: 5 - 3 = 2.\nusing the rule\nexactly so\nnothing else\nthen\ttab\tagain",
        'x = 3\nso e = 2\n"quoted" back\\slash / and é 你好 𝒜',
        "The value is \\frac{1}{2}.\nu = 4\ne = 2\nu \\neq 3\n\\nu = 5",
        "\\begin{cases} a \\\\ b \\end{cases}\nnot all\nu",
        "\\(x\\)\nu = 4",
        "Line\r\nnext\r\nlast",
        "for i:\n    next\nin all\ni = 3",
        "$5.\nmid prices of $6",
    ],
)
def test_a_rightly_escaped_reply_stays_what_it_is(text):
    body = json.dumps(text, ensure_ascii=False)[1:-1]
    found = decoded([body])
    assert found.texts == [text.replace("\r\n", "\n")]
    assert not isinstance(found.texts[0], Undecided), found.texts[0].why
    assert not +found.restored


@given(st.lists(st.sampled_from(["now", "the", "x = 4", "\n", "\n\n", "\t", "$", '"', "é", "12", ". ", "using", "eq"])))
def test_plain_texts_are_read_as_json_reads_them(parts):
    text = " ".join(parts)
    body = json.dumps(text)[1:-1]
    found = decoded([body]).texts[0]
    assert (found, type(found)) == (json.loads(f'"{body}"'), str)


LATEX_PARTS = [
    r"\frac{1}{2}",
    r"\times",
    r"\neq",
    r"\text{a}",
    r"\boxed{3}",
    r"\theta",
    r"\nu",
    r"\ne",
    r"\to",
    " x ",
    "5",
]


@given(st.lists(st.sampled_from(LATEX_PARTS), min_size=1), st.booleans())
def test_latex_survives_one_backslash_and_two_or_is_refused(parts, line):
    text = " ".join(parts) + ("\nNow" if line else "")
    proper, single = json.dumps(text)[1:-1], json.dumps(text)[1:-1].replace("\\\\", "\\")
    kept = decoded([proper]).texts[0]
    assert (kept, type(kept)) == (text, str)
    found = decoded([single]).texts[0]
    assert isinstance(found, Undecided) or found == text


def test_the_tables_tell_what_is_certain_from_what_is_not():
    assert not CERTAIN & set(WORDS)
    assert {"nu", "ne", "not", "to", "tan", "neg"} <= set(WORDS) <= KNOWN
    assert {"frac", "times", "neq", "boxed", "text", "theta", "beta", "right", "rho", "nabla", "forall"} <= CERTAIN


def test_evidence_rests_on_the_whole_reply():
    alone = r"x = 1.\nu = 4"
    assert isinstance(one(alone), Undecided)
    assert type(one(alone, r"as \\frac{1}{2} is")) is str
    assert one(alone, r"as \\frac{1}{2} is") == "x = 1.\nu = 4"
    assert isinstance(one(alone, r"as \sqrt{2} is"), Undecided)


KINDS = {
    "keyphrase": (keyphrase_request("q", "s", "a", temperature=None), '{"first_wrong_step": "x", "keyphrase": "%s"}'),
    "correction": (correction_request("q", "a", temperature=None), '{"solution": "%s", "answer": "1"}'),
    "agreement": (solve_request("q", temperature=None), '{"solution": "1", "answer": "%s"}'),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_reply_is_restored_or_refused(kind):
    request, form = KINDS[kind]
    read = request.check(form % r"takes \frac{1}{2} \times 3")
    assert r"takes \frac{1}{2} \times 3" in read.value.model_dump().values()
    assert read.restored["latex"] == 2
    with pytest.raises(UndecidedError, match="may be LaTeX or not"):
        request.check(form % r"sets it.\nu = 4")


def test_problems_are_refused_one_by_one():
    request = problems_request(TWO, "synthesize.v1", temperature=None)
    text = (
        r'{"problems": [{"question": "What is \frac{1}{2}?", "solution": "s", "answer": "1"}, '
        r'{"question": "Take it.\nu = 4", "solution": "s", "answer": "1"}]}'
    )
    good, bad = request.check(text).value
    assert good["question"] == r"What is \frac{1}{2}?"
    assert isinstance(bad["question"], Undecided)
    assert read_problems(text).restored["latex"] == 1


def test_an_object_in_a_string_loses_no_backslash():
    inner = json.dumps({"solution": r"\frac{1}{2} \neq 3" + "\nNow", "answer": "1"})
    assert parsed(json.dumps(inner)) == json.loads(inner)
    assert parsed(json.dumps({"reply": inner}))["reply"] is not None
    single = r'"{\"solution\": \"\\frac{1}{2}\", \"answer\": \"1\"}"'
    assert parsed(single) == {"solution": r"\frac{1}{2}", "answer": "1"}
