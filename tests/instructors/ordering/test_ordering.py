from __future__ import annotations

import ast
import random
from dataclasses import replace
from pathlib import Path

import pytest

from sei.data.deduction import stream
from sei.data.orderings import SKILLS
from sei.exchange import Exemplar, SynthesisRequest
from sei.instructors.ordering import instructor as deduction
from sei.instructors.ordering import misreadings, puzzle
from sei.instructors.ordering.instructor import RuleInstructor
from sei.instructors.ordering.misreadings import find_divergence, template_words, word_finding
from sei.instructors.ordering.puzzle import RefusedError, answer, arrange, read, tell, work
from sei.ports import Instructor
from sei.signature import masked_signature
from tests.builders import asking, case, drawn, problem
from tests.orderings import brute_force, named

WEAK = [s for s in SKILLS if s.weak]
Q = "Ann is taller than Bob. Cy is shorter than Bob. Who is the tallest?"
WORKED = "Ann > Bob\nBob > Cy\nAnn > Bob > Cy\n#### Ann"


def puzzles(n, skills=SKILLS, **more):
    return drawn(n, skills, of=stream, **more)


def wrong(question, solution, output, id="p"):
    return case(problem(id, question, answer=solution.split("#### ")[-1], solution=solution), output)


def test_it_fulfils_the_port():
    assert isinstance(RuleInstructor(), Instructor)


@pytest.mark.parametrize("far", [False, True])
@pytest.mark.long
def test_every_puzzle_is_read_solved_and_told_again(far):
    for d in puzzles(400, far=far):
        p = read(d.question)
        chain = arrange(p.pairs())
        assert {answer(p.ask, chain)} == {d.answer} == brute_force(d.question)
        assert work(p.pairs(), chain, d.answer) == d.solution
        assert tell(p) == d.question


@pytest.mark.parametrize(
    ("attempt", "relation", "operation", "written", "step"),
    [
        ("Ann > Bob\nCy > Bob\nAnn > Cy > Bob\n#### Ann", "word_misread", "shorter", "taller", 2),
        ("Ann > Bob\nBob > Cy\nBob > Ann > Cy\n#### Bob", "wrong_order", "none", "none", 3),
        ("Ann > Bob\nBob > Cy\nAnn > Bob > Cy\n#### Cy", "other_place", "most", "least", 4),
        ("Ann > Bob\nBob > Cy\nAnn > Bob > Cy\n#### Bob", "other_place", "most", "second", 4),
        ("Ann > Cy\nBob > Cy\nAnn > Bob > Cy\n#### Bob", "other_persons", "none", "none", 1),
        ("Ann > Bob\nAnn > Bob > Cy\n#### Bob", "left_out", "none", "none", 2),
        ("Ann > Bob\nBob > Cy", "stopped_early", "none", "none", 3),
        (WORKED + "\n#### Bob", "extra_line", "none", "none", 5),
    ],
)
def test_the_first_diverging_line_is_named(attempt, relation, operation, written, step):
    found = find_divergence(Q, WORKED, attempt)
    assert (found.relation, found.operation, found.written_operation, found.step) == (
        *(relation, operation, written),
        step,
    )
    phrases = {word_finding(found, i) for i in range(9)}
    assert len(phrases) == 3
    assert not any("{" in p for p in phrases)


def test_negations_double_clues_and_links_have_their_own_causes():
    q = "Ann is not older than Bob. Cy is younger than Ann. All of them differ. Who is the oldest?"
    found = find_divergence(q, "Bob > Ann\nAnn > Cy\nBob > Ann > Cy\n#### Bob", "Ann > Bob\nAnn > Cy\n#### Ann")
    assert (found.relation, found.operation) == ("negation_ignored", "not")
    q = "Ann is older than Bob but younger than Cy. Who is the oldest?"
    found = find_divergence(q, "Ann > Bob\nCy > Ann\nCy > Ann > Bob\n#### Cy", "Ann > Bob\nAnn > Cy\n#### Ann")
    assert (found.relation, found.operation) == ("second_half_turned", "but")
    q = "Cy is older than Dee. Ann is older than Bob. Bob is older than Cy. Who is the oldest?"
    lines = "Cy > Dee\nAnn > Bob\nBob > Cy\n"
    found = find_divergence(q, f"{lines}Ann > Bob > Cy > Dee\n#### Ann", f"{lines}Cy > Dee > Ann > Bob\n#### Cy")
    assert found.relation == "as_told"


@pytest.mark.parametrize("skill", WEAK, ids=lambda s: s.name)
def test_every_taught_mistake_of_a_puzzle_is_diagnosed(skill):
    cases = [wrong(d.question, d.solution, d.wrong_solution) for d in puzzles(80, [skill])]
    diagnoses = list(RuleInstructor(flaw_rate=0).diagnose(cases))
    assert all(d.keyphrase is not None for d in diagnoses)
    assert len({d.keyphrase.finding.relation for d in diagnoses}) == 1
    assert all(2 <= len(d.keyphrase.phrase.split()) <= 13 for d in diagnoses)
    assert len({d.keyphrase.phrase for d in diagnoses}) >= 3


@pytest.mark.long
def test_a_share_of_diagnoses_stays_vague():
    cases = [wrong(d.question, d.solution, d.wrong_solution) for d in puzzles(800, WEAK)]
    vague = [d.keyphrase.finding is None for d in RuleInstructor(flaw_rate=0.12).diagnose(cases)]
    assert 0.08 <= sum(vague) / len(vague) <= 0.16


@pytest.mark.parametrize(
    ("question", "reference", "attempt", "reason"),
    [
        (Q, "It is Ann.", WORKED, "no_reference_steps"),
        (Q, WORKED, "Ann, I think", "no_attempt_steps"),
        (Q, WORKED, WORKED, "no_divergence"),
        ("Ann has 3 pens. Bob has 2 pens. Who has more?", WORKED, "Bob > Ann\n#### Bob", "unread_clue"),
        ("Ann is taller than Bob. Why?", WORKED, "Bob > Ann\n#### Bob", "unread_question"),
        ("Ann is taller than Bob. Cy is younger than Bob. Who is the tallest?", WORKED, "#### B", "several_relations"),
        ("Ann is not taller than Bob. Who is the tallest?", WORKED, "#### Ann", "ties_possible"),
        ("It rains. Who is the tallest?", WORKED, "#### Ann", "no_clues"),
    ],
)
def test_what_cannot_be_diagnosed_is_refused_with_a_reason(question, reference, attempt, reason):
    (diagnosis,) = RuleInstructor().diagnose([wrong(question, reference, attempt)])
    assert diagnosis.keyphrase is None
    assert (diagnosis.rejection.stage, diagnosis.rejection.reason) == ("diagnose", reason)


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("Ann is taller than Bob. Ann is taller than Cy. Who is the tallest?", "order_left_open"),
        ("Ann is taller than Bob. Bob is taller than Ann. Who is the tallest?", "clues_contradict"),
        ("Ann is taller than Bob. Who is the third tallest?", "nobody_fits"),
        ("Ann is taller than Bob. Who is in the middle?", "nobody_fits"),
        ("Ann is taller than Bob. Who is between Ann and Bob?", "nobody_fits"),
        ("Ann is much bigger than {x}. Who is the biggest?", "no_clues"),
    ],
)
def test_an_unsolvable_exemplar_is_refused_and_counted(question, reason):
    bad = Exemplar(id="bad", question=question, solution="Ann > Bob\n#### Ann")
    only = SynthesisRequest(error_type="t", exemplars=(bad,), n=5, index=0, seed=0)
    (reply,) = RuleInstructor().write([only])
    assert reply.drafts == ()
    assert [(r.reason, r.subject) for r in reply.rejections] == [(f"exemplar_{reason}", "bad")]
    (reply,) = RuleInstructor().correct([wrong(question, "Ann > Bob\n#### Ann", "Bob > Ann\n#### Bob")])
    assert reply.drafts == ()
    assert [r.reason for r in reply.rejections] == [reason]


def test_an_exemplar_with_a_wrong_solution_is_refused():
    (reply,) = RuleInstructor().write([asking([replace(puzzles(1)[0], solution="#### Nobody")])])
    assert [r.reason for r in reply.rejections] == ["exemplar_wrong_solution"]


@pytest.mark.parametrize("skills", [SKILLS, *([s] for s in WEAK)], ids=lambda s: "all" if len(s) > 1 else s[0].name)
def test_written_puzzles_are_new_and_follow_from_their_clues(skills):
    problems = puzzles(8, skills)
    (reply,) = RuleInstructor(flaw_rate=0).write([asking(problems, n=60)])
    assert len(reply.drafts) >= 45
    known = {d.question for d in problems}
    for d in reply.drafts:
        assert brute_force(d.question) == {d.answer}, d.question
        *pairs, chain, last = d.solution.split("\n")
        assert last == f"#### {d.answer}"
        order = chain.split(" > ")
        assert sorted(order) == sorted(named(" ".join(pairs)))
        assert all(order.index(a) < order.index(b) for a, b in (p.split(" > ") for p in pairs))
        assert d.question not in known
        assert d.flaw == ""
        assert set(d.sources) <= {str(i) for i in range(len(problems))}
    assert len({masked_signature(d.question) for d in reply.drafts} - {masked_signature(q) for q in known}) >= 15


def test_told_in_other_words_and_order_pairs_are_the_same():
    given = [read(d.question) for d in puzzles(200)]
    orders = set()
    for i, p in enumerate(given):
        shuffled = deduction._shuffled(p, given[:20], random.Random(i))
        assert sorted(shuffled.pairs()) == sorted(p.pairs())
        assert sorted(read(tell(shuffled)).pairs()) == sorted(p.pairs())
        orders.add((shuffled.pairs() == p.pairs(), tell(shuffled) == tell(p)))
    assert {(True, False), (False, False)} <= orders


def test_questions_and_relations_travel_between_exemplars():
    a = "Ann is taller than Bob. Bob is taller than Cy. Who is the tallest?"
    b = "Dee is older than Eve. Eve is older than Fred. Who is between Fred and Dee?"
    exemplars = tuple(
        Exemplar(id=str(i), question=q, solution=work(p.pairs(), arrange(p.pairs()), "x"))
        for i, q in enumerate((a, b))
        for p in (read(q),)
    )
    exemplars = (
        replace(exemplars[0], solution=exemplars[0].solution.replace("#### x", "#### Ann")),
        replace(exemplars[1], solution=exemplars[1].solution.replace("#### x", "#### Eve")),
    )
    asked = SynthesisRequest(error_type="t", exemplars=exemplars, n=200, index=0, seed=0)
    (reply,) = RuleInstructor(flaw_rate=0, splice_rate=1).write([asked])
    mixed = {("taller" in d.question, "between" in d.question) for d in reply.drafts}
    assert {(True, True), (False, False), (True, False), (False, True)} == mixed
    assert any(set(d.sources) == {"0", "1"} for d in reply.drafts)
    (reply,) = RuleInstructor(flaw_rate=0, splice_rate=0).write([asked])
    assert {("taller" in d.question, "between" in d.question) for d in reply.drafts} == {(True, False), (False, True)}


def test_only_words_of_the_exemplars_are_used():
    problems = puzzles(8, WEAK)
    (reply,) = RuleInstructor().write([asking(problems, n=60)])
    words = {w.strip(".?,") for d in problems for w in d.question.split()}
    opposites = {o for w in puzzle.LEXICON for o in (w.more, w.most, w.less, w.least) if {w.more, w.less} & words}
    written = {w.strip(".?,") for d in reply.drafts for w in d.question.split()}
    assert written <= words | opposites


@pytest.mark.parametrize("rate", [0.0, 0.12, 0.25])
@pytest.mark.long
def test_the_share_of_flawed_puzzles_is_as_configured(rate):
    replies = RuleInstructor(flaw_rate=rate).write([asking(puzzles(16), n=50, index=i) for i in range(20)])
    drafts = [d for r in replies for d in r.drafts]
    assert len(drafts) > 900
    share = sum(bool(d.flaw) for d in drafts) / len(drafts)
    assert abs(share - rate) <= 0.25 * rate
    for d in drafts:
        p = read(d.question)
        chain = arrange(p.pairs())
        assert (d.solution == work(p.pairs(), chain, answer(p.ask, chain))) == (d.flaw == "")
    if rate:
        assert {d.flaw for d in drafts} == {"", *deduction.FLAWS}
        assert all(brute_force(d.question) != {d.answer} for d in drafts if d.flaw == "answer")


def test_a_correction_is_the_same_question_worked_anew():
    cases = [wrong(d.question, d.solution, d.wrong_solution) for d in puzzles(300, WEAK)]
    replies = list(RuleInstructor(flaw_rate=0).correct(cases))
    for c, r in zip(cases, replies, strict=True):
        assert [(d.question, d.solution, d.flaw) for d in r.drafts] == [(c.problem.question, c.problem.solution, "")]
    flawed = [d.flaw for r in RuleInstructor(flaw_rate=0.25).correct(cases) for d in r.drafts]
    assert 0.18 <= sum(map(bool, flawed)) / len(flawed) <= 0.32


def test_answers_depend_on_the_content_alone():
    a, b = (list(RuleInstructor().write([asking(puzzles(8))])) for _ in range(2))
    c = list(RuleInstructor().write([asking(puzzles(8), index=1)]))
    assert a == b != c
    d = puzzles(40, WEAK)
    one = [wrong(x.question, x.solution, x.wrong_solution, id=f"a{i}") for i, x in enumerate(d)]
    two = [wrong(x.question, x.solution, x.wrong_solution, id=f"b{i}") for i, x in enumerate(d)]
    phrases = [[x.keyphrase.phrase for x in RuleInstructor().diagnose(cases)] for cases in (one, two[::-1])]
    assert phrases[0] == phrases[1][::-1]


def test_the_hidden_skill_does_not_reach_the_instructor():
    hidden = {w for s in SKILLS for w in s.name.split("_")}
    assert template_words() & hidden == set()
    for module in (deduction, misreadings, puzzle):
        tree = ast.parse(Path(module.__file__).read_text())
        imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert not any(m.startswith(("sei.data", "sei.models", "sei.stages")) for m in imported)


def test_refusals_carry_their_reason():
    with pytest.raises(RefusedError, match="unread_clue"):
        read("Ann met Bob. Who is the tallest?")
