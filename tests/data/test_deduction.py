from __future__ import annotations

import random
import re
from collections import Counter

import pytest
from transformers import AutoTokenizer

from sei.data import deduction
from sei.data.deduction import Deduction, draw, stream
from sei.data.orderings import NAMES, SKILLS
from sei.errors import DataError
from sei.grading.deduction import NameGrader
from sei.models.target import TargetModel
from sei.signature import masked_signature
from tests.orderings import brute_force, named


@pytest.fixture(scope="module")
def data():
    return Deduction().load()


def test_sizes_and_roles(data):
    assert len(SKILLS) >= 10
    assert sum(not s.weak for s in SKILLS) >= 4
    assert len(data.pool) == 400
    assert Counter((p.set, p.role) for p in data.held_out) == {
        ("deduction_test", "in_domain"): 500,
        ("deduction_far", "out_of_domain"): 500,
        ("deduction_dev", "dev"): 200,
    }


def test_no_question_of_one_set_is_another_ones_in_other_clothes(data):
    signatures = [masked_signature(p.question) for p in (*data.pool, *data.held_out)]
    assert len(set(signatures)) == len(signatures)


@pytest.mark.long
def test_every_puzzle_has_one_answer_and_it_is_gold(data):
    for p in (*data.pool, *data.held_out):
        assert brute_force(p.question) == {p.answer}, p.question
        assert p.solution.endswith(f"#### {p.answer}")
    assert NameGrader().check_gold((*data.pool, *data.held_out)) == []


@pytest.mark.parametrize("skill", SKILLS, ids=lambda s: s.name)
@pytest.mark.parametrize("far", [False, True])
def test_only_weak_skills_are_taught_wrongly(skill, far):
    rng = random.Random(5)
    drawn = [d for _ in range(60) if (d := draw(skill, rng, far=far)) is not None]
    assert len(drawn) >= 20
    for d in drawn:
        assert (d.wrong_answer != d.answer) == skill.weak
        assert d.wrong_solution.endswith(f"#### {d.wrong_answer}")
        if not skill.weak:
            assert d.wrong_solution == d.solution


def test_out_of_domain_shares_no_wording_with_the_pool(data):
    def frames(problems):
        sentences = [s for p in problems for s in re.findall(r"[^.?]+[.?]", p.question.replace(",", "")) if named(s)]
        return {" ".join("_" if w.strip("?.") in NAMES else w for w in s.split()) for s in sentences}

    far = [p for p in data.held_out if p.set == "deduction_far"]
    assert frames(data.pool).isdisjoint(frames(far))
    assert all(len(named(p.question)) == (3 if "middle" in p.question else 4) for p in far)


def test_the_pool_follows_the_seed_and_the_tests_do_not(data):
    other = Deduction(seed=1).load()
    assert other.held_out == data.held_out
    assert {p.question for p in other.pool} != {p.question for p in data.pool}
    assert Deduction(seed=1).load() == other


def test_pool_problems_carry_no_hidden_skill(data):
    assert not any(hasattr(p, "group") for p in data.pool)
    assert {p.group for p in data.held_out} == {s.name for s in SKILLS}
    assert not any(s.name in repr(p) for s in SKILLS for p in data.pool)


def test_more_puzzles_than_there_are_is_an_error_that_says_so(monkeypatch):
    monkeypatch.setattr(deduction, "_TRIES", 1)
    with pytest.raises(DataError, match="different puzzles could be drawn"):
        Deduction(test=1000).load()


def test_the_shipped_tokenizer_loses_nothing_of_any_text(data):
    target = TargetModel(name="tiny_d", source="packaged:tiny_d", template="plain")
    tokenizer = AutoTokenizer.from_pretrained(target.folder())
    for p in (*data.pool, *data.held_out):
        for text in (p.question, p.solution):
            ids = tokenizer(text)["input_ids"]
            assert tokenizer.unk_token_id not in ids
            assert tokenizer.decode(ids) == text


@pytest.mark.long
def test_pre_training_never_shows_a_held_out_question(data):
    from sei.models.tiny_deduction import Puzzles

    held_out = {masked_signature(p.question) for p in data.held_out}
    corpus = Puzzles(seed=0)
    shown = [corpus.example()[0].removeprefix("Question: ").removesuffix("\nAnswer:") for _ in range(3000)]
    assert held_out.isdisjoint(masked_signature(q) for q in shown)
    weights = [1.0] * len(SKILLS)
    unscreened = [next(stream(corpus.rng, SKILLS, weights, far=False)).question for _ in range(3000)]
    assert not held_out.isdisjoint(masked_signature(q) for q in unscreened)  # so the screen is really tested
