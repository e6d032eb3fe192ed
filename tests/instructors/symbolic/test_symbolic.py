from __future__ import annotations

import re

import pytest

from sei.data.skills import SKILLS
from sei.instructors.symbolic.diagnose import find_divergence
from sei.instructors.symbolic.instructor import SymbolicInstructor
from sei.instructors.symbolic.phrases import template_words, word_finding
from sei.instructors.symbolic.rewrite import RefusedError, carry_out, trace, write_question
from sei.instructors.symbolic.worked import evaluate, number, parse_tree, read_steps, show_tree
from tests.builders import asking, case, drawn, problem

SKILL = {s.name: s for s in SKILLS}


def test_steps_are_read_from_annotations_and_plain_equations():
    annotated = read_steps("She has 3*4=<<3*4=12>>12 eggs.\n12-5=<<12-5=7>>7 left\n#### 7")
    plain = read_steps("She has 3 * 4 = 12 eggs.\nThen 12 - 5 = 7 remain.")
    assert (annotated[0].tree, annotated[0].value, annotated[0].unit) == (("*", 3, 4), 12, "eggs")
    assert [s.tree for s in plain] == [s.tree for s in annotated]


@pytest.mark.parametrize("after", ["12 more eggs", "12 for each of them", "12. So she is done", "12", "12 is left"])
def test_a_word_that_is_not_counted_is_no_unit(after):
    """A type of a real run was called "wrong plan for counting is"."""
    (step,) = read_steps(f"3*4=<<3*4=12>>{after}")
    assert step.unit == ""


@pytest.mark.parametrize("text", ["__import__('os')", "9**9**9", "a+b", "1,2", "lambda: 1", "(" * 500 + "1", "f(2)"])
def test_an_expression_that_is_not_plain_arithmetic_is_no_step(text):
    assert parse_tree(text) is None


@pytest.mark.parametrize("text", ["2*(3+4)", "10-(3-2)", "12/(2*3)", "1+2*3", "(1+2)*3", "8-3-2", "2*3/4"])
def test_printing_an_expression_keeps_its_value(text):
    tree = parse_tree(text)
    assert evaluate(parse_tree(show_tree(tree))) == evaluate(tree)


@pytest.mark.parametrize(
    ("reference", "attempt", "relation", "operation"),
    [
        ("20-8=<<20-8=12>>12 pens\n#### 12", "20+8=<<20+8=28>>28 pens\n#### 28", "wrong_operation", "-"),
        ("3*12=<<3*12=36>>36 eggs\n#### 36", "3*10=<<3*10=30>>30 eggs\n#### 30", "wrong_constant", "*"),
        ("3*4=<<3*4=12>>12 x\n30-12=<<30-12=18>>18 x\n#### 18", "3*4=<<3*4=12>>12 x\n#### 12", "stopped_early", "-"),
        ("3*4=<<3*4=12>>12 x\n#### 12", "3*4=<<3*4=13>>13 x\n#### 13", "wrong_result", "*"),
        ("3*4=<<3*4=12>>12 x\n#### 12", "3*4=<<3*4=12>>12 x\n12+1=<<12+1=13>>13\n#### 13", "extra_step", "none"),
    ],
)
def test_the_first_divergence_is_named(reference, attempt, relation, operation):
    found = find_divergence("There are 20 and 8 and 3 and 4 and 30.", reference, attempt)
    assert (found.relation, found.operation) == (relation, operation)


@pytest.mark.parametrize(
    ("reference", "attempt", "reason"),
    [("no steps", "1+1=<<1+1=2>>2", "no_reference_steps"), ("1+1=<<1+1=2>>2", "two", "no_attempt_steps")],
)
def test_what_cannot_be_diagnosed_is_refused_with_a_reason(reference, attempt, reason):
    assert find_divergence("1 and 1", reference, attempt) == reason
    wrong = case(problem("p", "1 and 1", answer="2", solution=reference), attempt)
    (diagnosis,) = SymbolicInstructor().diagnose([wrong])
    assert diagnosis.keyphrase is None
    assert diagnosis.rejection.reason == reason


def test_a_finding_without_a_unit_still_reads_well():
    reference, attempt = "2+3=<<2+3=5>>5\n5*4=<<5*4=20>>20\n#### 20", "2*4=<<2*4=8>>8\n#### 8"
    found = find_divergence("2 and 3 and 4", reference, attempt)
    phrases = {word_finding(found, i) for i in range(6)}
    assert len(phrases) == 3
    assert not any("the the" in p or "{" in p for p in phrases)


def test_every_taught_mistake_of_the_domain_is_diagnosed():
    weak = [d for d in drawn(600) if d.answer != d.wrong_answer]
    cases = [
        case(problem(i, d.question, answer=d.answer, solution=d.solution), d.wrong_solution) for i, d in enumerate(weak)
    ]
    diagnoses = list(SymbolicInstructor(flaw_rate=0).diagnose(cases))
    assert all(d.keyphrase is not None and d.keyphrase.finding is not None for d in diagnoses)
    assert all(2 <= len(d.keyphrase.phrase.split()) <= 12 for d in diagnoses)


def test_the_instructor_has_no_word_of_the_hidden_skill_names():
    hidden = {w for s in SKILLS for w in s.name.split("_")}
    assert template_words() & hidden == set()


def test_written_problems_are_new_and_right_without_flaws():
    problems = drawn(12)
    (reply,) = SymbolicInstructor(flaw_rate=0).write([asking(problems, n=60)])
    assert len(reply.drafts) >= 50
    known = {d.question for d in problems}
    for d in reply.drafts:
        steps = read_steps(d.solution)
        assert all(evaluate(s.tree) == s.value for s in steps)
        assert number(d.answer) == steps[-1].value
        assert d.question not in known
        assert d.flaw == ""
        assert _trace_reason(d) in ("", "ambiguous_operand")


def _trace_reason(draft) -> str:
    try:
        trace(draft.question, draft.solution)
    except RefusedError as e:
        return str(e.args[0])
    return ""


def test_a_rewritten_problem_follows_its_source_exactly():
    d = next(x for x in drawn(200) if x.skill == "twice_together")
    traced = trace(d.question, d.solution)
    assert [s.value for s in carry_out(traced, traced.numerals)] == [s.value for s in read_steps(d.solution)]
    assert write_question(traced, traced.numerals) == d.question


@pytest.mark.parametrize("rate", [0.0, 0.12, 0.25])
@pytest.mark.long
def test_the_share_of_flawed_problems_is_as_configured(rate):
    problems = drawn(16)
    replies = SymbolicInstructor(flaw_rate=rate).write([asking(problems, n=50, index=i) for i in range(20)])
    drafts = [d for r in replies for d in r.drafts]
    share = sum(bool(d.flaw) for d in drafts) / len(drafts)
    assert rate * 0.6 <= share <= rate * 1.1 + 0.01  # some flaws cannot be made in a given problem


@pytest.mark.parametrize(
    ("question", "solution", "reason"),
    [
        ("Ann has 5 pens and 5 cups.", "5+5=<<5+5=10>>10\n#### 10", "ambiguous_operand"),
        ("Ann has 5 pens.", "5*9=<<5*9=45>>45\n#### 45", "untraced_operand"),
        ("Ann has 5 pens and 3 cups and 9 caps.", "5+3=<<5+3=8>>8\n#### 8", "unused_number"),
        ("Ann has 5 pens and 3 cups.", "5+3=<<5+3=9>>9\n#### 9", "wrong_arithmetic"),
        ("Ann has 5 pens and 3 cups.", "It is eight.", "no_steps"),
        ("Ann has 5 pens and 3 cups.", "5+3=<<5+3=8>>8\n#### 9", "answer_is_not_last_step"),
    ],
)
def test_what_cannot_be_traced_uniquely_is_refused_with_a_reason(question, solution, reason):
    with pytest.raises(RefusedError, match=reason):
        trace(question, solution)


def test_a_constant_needs_a_word_that_licenses_it():
    trace("Ann buys 4 dozen eggs.", "4*12=<<4*12=48>>48 eggs\n#### 48")
    with pytest.raises(RefusedError, match="untraced"):
        trace("Ann buys 4 boxes of eggs.", "4*12=<<4*12=48>>48 eggs\n#### 48")


def test_answers_depend_on_the_request_alone():
    a = list(SymbolicInstructor().write([asking(drawn(8))]))
    b = list(SymbolicInstructor().write([asking(drawn(8))]))
    c = list(SymbolicInstructor().write([asking(drawn(8), index=1)]))
    assert a == b != c


def test_tails_travel_from_one_exemplar_to_another():
    from sei.instructors.symbolic.rewrite import tail_of, with_tail

    pool = [d for d in drawn(300) if d.skill in ("groups", "dozens")]
    donors = [t for d in pool if (t := _traced(d)) and tail_of(t)]
    takers = [t for d in pool if (t := _traced(d)) and not tail_of(t)]
    joined = with_tail(takers[0], donors[0])
    assert len(joined.plans) == len(takers[0].plans) + 1
    assert len(re.findall(r"\d+", joined.question)) == len(joined.numerals)


def _traced(d):
    try:
        return trace(d.question, d.solution)
    except RefusedError:
        return None
