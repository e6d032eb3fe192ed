from __future__ import annotations

import re

import pytest
from transformers import AutoTokenizer

from sei.data.arithmetic import Arithmetic
from sei.data.skills import SKILLS
from sei.grading import MathGrader
from sei.instructors.symbolic.worked import evaluate, read_steps
from sei.signature import masked_signature
from tests.builders import TINY


@pytest.fixture(scope="module")
def data():
    return Arithmetic().load()


def test_sizes_and_roles(data):
    assert len(SKILLS) >= 18
    assert len(data.pool) >= 600
    sets = {p.set: p.role for p in data.held_out}
    assert sets == {"arithmetic_test": "in_domain", "arithmetic_far": "out_of_domain", "arithmetic_dev": "dev"}
    for name in ("arithmetic_test", "arithmetic_far"):
        assert sum(p.set == name for p in data.held_out) >= 1000


def test_no_question_of_one_set_is_another_ones_in_other_clothes(data):
    signatures = [masked_signature(p.question) for p in (*data.pool, *data.held_out)]
    assert len(set(signatures)) == len(signatures)


def test_every_step_is_worked_right_and_gold_grades_itself(data):
    for p in (*data.pool, *data.held_out):
        steps = read_steps(p.solution)
        assert steps
        assert all(evaluate(s.tree) == s.value for s in steps)
    assert MathGrader().check_gold((*data.pool, *data.held_out)) == []


def test_the_pool_follows_the_seed_and_the_tests_do_not(data):
    other = Arithmetic(seed=1).load()
    assert other.held_out == data.held_out
    assert {p.question for p in other.pool} != {p.question for p in data.pool}
    assert Arithmetic(seed=1).load() == other


def test_pool_problems_carry_no_hidden_skill(data):
    names = {s.name for s in SKILLS}
    assert not any(hasattr(p, "group") for p in data.pool)
    assert {p.group for p in data.held_out} == names


def test_the_shipped_tokenizer_loses_nothing_of_any_text(data):
    tokenizer = AutoTokenizer.from_pretrained(TINY.folder())
    for p in (*data.pool, *data.held_out):
        for text in (p.question, p.solution):
            ids = tokenizer(text)["input_ids"]
            assert tokenizer.unk_token_id not in ids
            assert tokenizer.decode(ids) == text


def test_masking_hides_persons_and_objects_and_keeps_numbers():
    a = masked_signature("Anna has 7 pens. Ben gives Anna 3 more pens. How many pens does Anna have?")
    b = masked_signature("Zoe has 7 cups. Leo gives Zoe 3 more cups. How many cups does Zoe have?")
    c = masked_signature("Zoe has 8 cups. Leo gives Zoe 3 more cups. How many cups does Zoe have?")
    assert a == b != c
    assert not re.search("anna|pen", a)
