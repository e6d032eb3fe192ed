"""Diagnosis of freely written attempts, and of real ones if they are available."""

from __future__ import annotations

import json
import random
import time
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import pytest

from experiments.measurements.diagnosis import diagnose, first_difference_rule, instructor, load, right
from sei.compare.significance import mcnemar
from sei.data.arithmetic import stream
from sei.data.skills import SKILLS
from sei.instructors.symbolic.diagnose import counted_steps, find_divergence
from sei.instructors.symbolic.freeform import read_freeform
from sei.instructors.symbolic.in_order import first_difference
from sei.instructors.symbolic.phrases import word_finding
from sei.instructors.symbolic.worked import show, show_tree

GOLDEN = Path(__file__).parent / "embedded_findings.jsonl"

Q = "Ann buys 5 boxes with 12 eggs each, gives 20 eggs to Bob and sells 3 boxes at $4 each. How many eggs are there?"
WORKED = (
    "She has 5*12=<<5*12=60>>60 eggs.\nThen 60-20=<<60-20=40>>40 eggs are left.\nSo 40/4=<<40/4=10>>10 a box\n#### 10"
)


def read(text, **known):
    return [(show_tree(s.tree), show(s.value)) for s in read_freeform(text, {k: Fraction(v) for k, v in known.items()})]


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("5 apples x 3 = 15 apples", [("5*3", "15")]),
        ("so it is $5*3=$15.", [("5*3", "15")]),
        ("75 miles / 55 = <<75/55=1.4>>1.4 hours", [("75/55", "1.4")]),
        ("21 because 9 plus 12 equals <<9+12=21>>21.", [("21", "21"), ("9", "9"), ("12", "12"), ("9+12", "21")]),
        ("1,250 + 50 = 1,300", [("1250+50", "1300")]),
        ("7 * 70 - 40 = 470 - 40 = 430 loaves", [("7*70-40", "430"), ("470-40", "430")]),
        (r"\(2 \text{ books} \times 2 \text{ pounds/book} = 4 \text{ pounds}\)", [("2*2", "4")]),
        (r"\[ \frac{24 \text{ feet}}{3 \text{ feet/bottle}} = 8 \text{ bottles} \]", [("24/3", "8")]),
        (r"\[ 15 (\text{light blue}) + 45 (\text{dark blue}) = 60 \]", [("15+45", "60")]),
        ("10% of $250 = $25", [("10/100*250", "25")]),
        (r"\frac{60}{160} \times 100 = 37.5\%", [("60/160*100", "37.5")]),
        ("$194/meter × 150 meters = $29,100", [("194*150", "29100")]),
        ("New position: 6th + 2 = 8th", [("6+2", "8")]),
        ("Step 3: The answer is 14", [("14", "14")]),
        ("2. She has -50 + 100 = 50 left", [("-50+100", "50")]),
        ("Letters at first = total letters - 30", [("30", "30")]),
        ("2(3+4) = 14", [("2*(3+4)", "14")]),
        ("The sum is 4 + 5 apples and pears", []),  # a plan, no result
        ("Let x be the smallest. x + 2x + 3x = 6x", []),
        ("a = 3 * 4\nb = a / 2  # half\nb += 1", [("3*4", "12"), ("12/2", "6"), ("6+1", "7")]),
        ("# total = 3 * 4", []),
        ("b = unknown * 2", [("2", "2")]),
    ],
)
def test_free_working_is_read(text, steps):
    assert read(text) == steps


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("36 + 3x = 84, so x = 10", [("36+3*16", "84"), ("10", "10")]),
        ("28 = 2x", [("2*16", "28")]),
        (r"\( x \) + 4 = 20", [("16+4", "20")]),
    ],
)
def test_an_equation_with_an_unknown_is_read_at_its_value(text, steps):
    assert read(text, x=16) == steps


@pytest.mark.parametrize(
    ("attempt", "step", "relation"),
    [
        # merged, split and reordered steps are no errors
        ("5 boxes x 12 eggs - 20 eggs = 60 - 20 = 40 eggs.\nSo 40 * 4 = 160.", 3, "wrong_operation"),
        ("5 * 12 = 60.\n60 / 4 = 15.\n20 / 4 = 5.\n15 - 5 = 10.\nShe has 10 + 3 = 13.", 5, "different_step"),
        # arithmetic, wherever it is
        ("First 5 * 12 = 70 eggs.\nThen 70 - 20 = 50.", 1, "wrong_result"),
        ("Total = 5 * 12 = 60.\nLeft: 60 - 20 = 30.\nSo 30/4 = 7.5", 2, "wrong_result"),
        (r"\[ 5 \times 12 = 60 \]" "\n" r"\[ 60 - 20 = \boxed{40} \]", 2, "stopped_early"),
        ("5 * 12 = 60 eggs.\nBob has 17 eggs.\n60 - 17 = 43.", 2, "unfounded_number"),
        ("eggs = 5 * 12\nleft = eggs + 20\nprint(left)", 2, "wrong_operation"),
        ("5 * 4 = 20 eggs, so there are 20.", 1, "wrong_operand"),  # 20 is in the question by chance
    ],
)
def test_the_first_wrong_step_of_a_free_attempt_is_found(attempt, step, relation):
    found = find_divergence(Q, WORKED, attempt)
    assert (found.step, found.relation) == (step, relation)
    assert len(counted_steps(Q, WORKED, attempt)) >= found.step


def test_rounding_and_percentages_are_no_slips():
    q, worked = (
        "There are 7 pens and 3 cups.",
        "Of 100 it is 300/7=<<300/7=42.86>>42.86 or 3/7=<<3/7=0.4286>>0.4286.\n#### 43",
    )
    found = find_divergence(q, worked, "The share is 3 / 7 = 42.86%.\nThat is 3 / 7 = 0.43.\nSo 7 - 3 = 4")
    assert found.step == 3


def test_an_equation_that_fails_at_the_right_value_is_wrong():
    q = "Ann has x pens and 5 cups, 20 in all. What is the value of unknown variable x?"
    found = find_divergence(q, "x + 5 = 20\nx = 15\n#### 15", "There are x + 5 things.\nSo x - 5 = 20.\nx = 25")
    assert (found.step, found.relation) == (1, "wrong_equation")
    found = find_divergence(q, "x + 5 = 20\nx = 15\n#### 15", "x + 5 = 20.\nSo x = 12.")
    assert (found.step, found.relation, found.written) == (2, "unfounded_number", "12")


def test_a_detour_that_returns_is_no_error():
    """A detour that returns is no error, but one that only undoes itself is."""
    there_and_back = "5 * 12 = 60\n60 + 20 = 80\n80 - 20 = 60\n60 - 30 = 30"
    assert find_divergence(Q, WORKED, there_and_back).step == 2
    by_another_way = "12 / 4 = 3\n5 * 3 = 15\n20 / 4 = 5\n15 - 5 = 10 eggs\n10 + 1 = 11"
    assert find_divergence(Q, WORKED, by_another_way).step == 5


@pytest.mark.parametrize(
    ("reference", "attempt", "reason"),
    [
        ("It is clear.", "5 + 3 = 8", "no_reference_steps"),
        (WORKED, "I do not know.", "no_attempt_steps"),
        (WORKED, "5 * 12 = 60, 60 - 20 = 40, 40 / 4 = 10", "no_divergence"),
    ],
)
def test_what_has_no_error_to_name_is_refused(reference, attempt, reason):
    assert find_divergence(Q, reference, attempt) == reason


@pytest.mark.parametrize("relation", ["unfounded_number", "wrong_equation", "wrong_quantity"])
def test_new_relations_have_several_short_wordings(relation):
    from sei.records import Finding

    finding = Finding(step=1, relation=relation, written_operation="+", written="7", unit="eggs")
    phrases = {word_finding(finding, i) for i in range(9)}
    assert len(phrases) == 3
    assert all(2 <= len(p.split()) <= 12 and "{" not in p for p in phrases)


HOSTILE = {
    "parentheses": "(" * 20_000 + "1",
    "nested": "(1+" * 2000 + "1" + ")" * 2000 + " = 3",
    "long sum": "1+" * 9999 + "1 = 5",
    "squaring": "\n".join(["y = 99"] + ["y = y * y"] * 1500),
    "huge values": "1+1 = " + "*".join(["9" * 39] * 55) + "/7",
    "spaces": "a = " + " " * 19_000 + "!",
    "division by zero": "5 / 0 = 3\na = 1/0",
    "a call": "a = __import__('os')\nb = f(2)\nc = 9**9**9\nd = 1if 2 else 3",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.long
def test_hostile_texts_are_survived_in_time(text):
    began = time.process_time()
    for attempt, reference in ((text, WORKED), ("It is 5 * 12 = 61", f"Well.\n{text}")):
        find_divergence(Q, reference, attempt)
        counted_steps(Q, reference, attempt)
    assert time.process_time() - began < 30


def test_findings_of_the_embedded_domain_are_what_they_were():
    """The table is from the code before free attempts could be read; frozen measurements depend on it."""
    rows = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
    assert len(rows) > 80
    for r in rows:
        found = find_divergence(r["question"], r["reference"], r["attempt"])
        assert (found if isinstance(found, str) else asdict(found)) == r["finding"], r["attempt"]


@pytest.mark.parametrize("far", [False, True])
def test_attempts_at_embedded_problems_are_compared_in_order(far):
    rng = random.Random(3)
    source = stream(random.Random(4), SKILLS, [1.0] * len(SKILLS), far=far)
    for _ in range(100):
        d = next(source)
        at = rng.randrange(len(d.wrong_solution))
        broken = d.wrong_solution[:at] + rng.choice("0123456789+-*/=<>x \n") + d.wrong_solution[at + 1 :]
        for attempt in (d.wrong_solution, broken, broken[:at], f"Let us see.\n{broken}"):
            found = find_divergence(d.question, d.solution, attempt)
            assert found == first_difference(d.question, d.solution, attempt)


@pytest.mark.parametrize(
    "attempt",
    [
        "She has 5 boxes * 12 = <<5*12=60>>60 eggs.\nWith 60-4=<<60-4=56>>56 left.\n#### 56",
        "60-20=<<60-20=40>>40\n5*12=<<5*12=60>>60\n#### 60",
    ],
)
def test_a_wholly_annotated_attempt_is_compared_in_order(attempt):
    assert find_divergence(Q, WORKED, attempt) == first_difference(Q, WORKED, attempt)


def test_one_equation_without_mark_makes_an_attempt_free():
    attempt = "60-20=<<60-20=40>>40 when 5 * 12 = 60\nand 40 * 4 = 160"
    assert find_divergence(Q, WORKED, attempt).step == 3
    assert first_difference(Q, WORKED, attempt).step == 1


@pytest.fixture(scope="module")
def real(shared_data):
    return load(shared_data)


def test_the_human_step_is_found_often(real):
    """The step marked by a person is found more often than by the first difference."""
    cases = [c for c in (*real["mr-gsm8k"], *real["processbench-gsm8k"]) if not c.chooses]
    assert len(cases) == 275
    ours, theirs = right(cases, instructor), right(cases, first_difference_rule)
    alone = [sum(a and not b for a, b in zip(*p, strict=True)) for p in ((ours, theirs), (theirs, ours))]
    assert sum(ours) / len(cases) >= 0.5
    assert alone[0] > alone[1]
    assert mcnemar(*alone) < 0.05


@pytest.mark.parametrize(
    ("source", "floor"),
    [("gsm8k-openai", 0.97), ("mr-gsm8k", 0.96), ("processbench-gsm8k", 0.96), ("tora", 0.99), ("mathcoder", 0.99)],
)
def test_nearly_every_real_bad_case_is_diagnosed(real, source, floor):
    diagnoses = diagnose(real[source])
    assert sum(d.keyphrase is not None for d in diagnoses) / len(diagnoses) >= floor
    assert all(len(d.keyphrase.phrase.split()) <= 14 for d in diagnoses if d.keyphrase)
