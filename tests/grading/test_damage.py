"""Texts that JSON damaged are refused; texts with tabs and line breaks are kept."""

from __future__ import annotations

import gzip
import json

import pytest

from sei.data.own import own_rows
from sei.errors import DataError
from sei.grading.damage import damage
from sei.models.target import TargetModel

NAMES = {k: k for k in ("question", "answer", "solution", "options", "id", "group")}


def read(tmp_path, *rows):
    path = tmp_path / "own.jsonl"
    path.write_text("".join(r + "\n" for r in rows), encoding="utf-8")
    return own_rows(path, "x", NAMES, "auto")


@pytest.mark.parametrize(
    "written",
    [r"\frac{1}{2}", r"\beta", r"2 \times 3", r"90\text{ km}", r"\theta", r"f(1\right)", r"\rho", r"$x \neq 3$",
     r"x \neq 3", r"x \ne 3", r"$\nu$", r"$\tan x$", r"$f(\nu)$", r"x \to 0", r"\nabla f", r"$5 \not= 6$", r"\u0000",
     r"a\u007f", r"\u001b[0m", r"\triangle ABC", r"\rightarrow", r"x \notin A", r"$x \to y$", r"-\tfrac{1}{2}",
     r"3 {\rm cm}"],
)  # fmt: skip
def test_latex_that_json_read_as_escapes_is_refused(tmp_path, written):
    """``"\\frac{1}{2}"`` became the answer ``rac{1}{2}``, which every right output missed."""
    rows = [{"answer": written}, {"question": f"What is {written} ?"}, {"solution": f"It is {written} ."}]
    rows += [{"options": [written, "7"]}, {"id": written}, {"group": written}]
    for row in rows if written[0] != "x" else rows[:1]:
        row = {"question": "What?", "answer": "7", **row}
        text = json.dumps(row).replace("\\\\", "\\")
        with pytest.raises(DataError, match=r"own\.jsonl line 2: .*Rule: .*Remedy: double the backslashes"):
            read(tmp_path, '{"question": "a?", "answer": "7"}', text)


@pytest.mark.parametrize(
    "text",
    ["left:\nright", "a\tb\tc", "x\ty\n1\t2", "Take:\nu = 4\ne = 3", "a\r\nb", "two\tan apple", "It costs $5\nor $6",
     "rows\n1\t2\tto 3", "Given\neq1 = x + y\neq2 = x", "where\nu is the speed", "so\ne^x = 2", "\tindented",
     r"\begin{array}{l}" "\nu_{1}\n" r"\end{array}", r"$\sum_{1\le" "\ni<j" r"\le n}$", "$\\,\ne_2 = e_1$",
     "\\[\nu = 4\\]", "$$\nu = 4\n$$", "a\u2028b\u00a0\U0001f600", "Two cases.\n\nnot both", "1.\ttext", "x\ttable",
     "Given\rm = 3\rn = 4"],
)  # fmt: skip
def test_ordinary_tabs_and_line_breaks_are_kept(text):
    assert damage(text) == ""


def test_a_slip_beside_proper_commands_is_kept_in_a_question(tmp_path):
    """A question of MATH has a tab before ``extbf{(C)}``; its author wrote it."""
    slip = r"\\textbf{(B)} 94 \textbf{(C)} 96"
    assert len(read(tmp_path, f'{{"question": "Which? {slip}", "answer": "96"}}')) == 1
    with pytest.raises(DataError, match=r"line 1: answer='.* has a tab before 'imes', which is \\times with one"):
        read(tmp_path, r'{"question": "What?", "answer": "\\frac{1}{2} \times 3"}')


@pytest.mark.parametrize("field", ["question", "answer", "solution", "options", "id", "group"])
def test_half_a_character_is_refused_by_line(tmp_path, field):
    r"""``\ud83d`` ended the run with a UnicodeEncodeError."""
    row = {"question": "What?", "answer": "7", field: ["7", "\ud83d"] if field == "options" else "2 \ud83d"}
    with pytest.raises(DataError, match=r"own\.jsonl line 1: .*half of a character \(\\ud83d\)\. Rule: .*Remedy: "):
        read(tmp_path, json.dumps(row))
    (whole,) = read(tmp_path, json.dumps({"question": "A \U0001f600?", "answer": "7"}))
    assert whole.question == "A \U0001f600?"


def test_shots_with_damaged_texts_are_refused(tmp_path):
    path = tmp_path / "shots.jsonl"
    path.write_text(r'{"question": "What?", "solution": "\frac{1}{2}"}' + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"shots\.jsonl line 1: .*\\frac with one backslash"):
        TargetModel(name="x", source="packaged:tiny_l", template="plain", few_shot=str(path)).shots()


def test_one_backslash_that_json_refuses_is_told(tmp_path):
    with pytest.raises(DataError, match=r"line 1: not JSON \(Invalid \\escape.*double the backslashes"):
        read(tmp_path, r'{"question": "What is $\sqrt{4}$?", "answer": "2"}')


@pytest.mark.parametrize("name", ["gsm8k/main/train", "math/train", "math/test", "college_math/test", "aqua_rat/test"])
def test_texts_of_real_sets_are_not_damaged(shared_data, name):
    def texts(value):
        if isinstance(value, list):
            return [t for x in value for t in texts(x)]
        return [value] if isinstance(value, str) else []

    with gzip.open(shared_data / f"{name}.jsonl.gz", "rt", encoding="utf-8") as f:
        assert not [d for line in f for v in json.loads(line).values() for t in texts(v) if (d := damage(t))]
