from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from sei.clusterers.none import NoClustering
from sei.errors import RoleError, TooManyBadRecordsError
from sei.exchange import Draft, Reply
from sei.instructors.remote.instructor import OpenAICompatible
from sei.parts import part
from sei.records import ErrorMap, PoolProblem
from sei.screening.near import RougeIndex
from sei.signature import masked_signature
from sei.stages.diagnose import Diagnose
from sei.stages.grade import bad_cases, solved
from sei.stages.synthesize import Budget
from sei.synthesizers.random import RandomSynthesis
from sei.synthesizers.self_instruct import SelfInstruct
from tests.builders import WORDS, case, cases, error_type, graded, held_out, problem, screen
from tests.doubles import SEEN, Scripted


def pooled(i: int) -> PoolProblem:
    return problem(i, f"pool {i} " + " ".join(WORDS[i % 12 : i % 12 + 5]), answer="2")


def errors(*sizes: int) -> ErrorMap:
    """Make a type of each size; half of its cases plus one are exemplars."""
    types, start = [], 0
    for n, size in enumerate(sizes):
        bad = cases(pooled(start + i) for i in range(size))
        types.append(error_type(f"type {n}", bad[: size // 2 + 1], bad[size // 2 + 1 :]))
        start += size
    return ErrorMap(types=tuple(types))


@pytest.fixture(autouse=True)
def _fresh():
    SEEN.clear()


def run(stage, errors, apart=(), pool=()):
    return stage(errors, tuple(pool), screen(*apart, rouge_l=0.9), 1, seed=0)


def test_the_budget_is_shared_out_by_type_size_and_met():
    result = run(SelfInstruct(instructor=Scripted(), budget=Budget(candidates=60, rouge_l=0.95)), errors(30, 10, 20))
    assert Counter(c.error_type for c in result.candidates) == {"type 0": 30, "type 1": 10, "type 2": 20}
    assert len({c.id for c in result.candidates}) == 60


@pytest.mark.parametrize(
    ("budget", "sizes", "shares"),
    [
        (Budget(candidates=10), [1, 1, 1], [4, 3, 3]),
        (Budget(candidates=10, floor=2), [100, 1, 1], [6, 2, 2]),
        (Budget(candidates=10, scale=2), [3, 1], [15, 5]),
        (Budget(candidates=5), [0], [0]),
    ],
)
def test_sharing_out(budget, sizes, shares):
    assert budget.share_out(sizes) == shares


def test_exemplars_are_bad_cases_then_made_problems_join():
    """At first all exemplars are bad cases of the type, later also made problems; validation is never shown."""
    given = errors(20)
    run(SelfInstruct(instructor=Scripted(), budget=Budget(candidates=60, per_request=10, rouge_l=0.95)), given)
    first, later = SEEN[0], SEEN[-1]
    assert [e.id[0] for e in first.exemplars] == ["p"] * 8
    assert Counter(e.id[:3] == "syn" for e in later.exemplars) == {False: 5, True: 3}
    hidden = {b.problem.id for t in given.types for b in t.validation}
    assert hidden
    assert not hidden & {e.id for r in SEEN for e in r.exemplars}


def test_what_stands_in_a_test_set_is_dropped_also_in_disguise():
    held = "Anna has 7 pens. Ben gives Anna 3 more pens. How many pens does Anna have?"
    clothes = "Zoe has 7 cups. Leo gives Zoe 3 more cups. How many cups does Zoe have?"
    assert masked_signature(held) == masked_signature(clothes)
    with pytest.raises(TooManyBadRecordsError, match="test_signature"):
        run(SelfInstruct(instructor=Scripted(text=clothes), budget=Budget(candidates=5)), errors(6), apart=[held])


def test_repeats_are_dropped_and_counted_and_asking_ends():
    stage = SelfInstruct(instructor=Scripted(same=True), budget=Budget(candidates=20))
    result = run(stage, errors(6))
    assert len(result.candidates) == 1
    assert Counter(r.reason for r in result.rejections)["duplicate_signature"] > 10
    assert len(SEEN) < 10


@pytest.mark.parametrize(("size", "replies"), [(10, 3), (80, 6), (800, 20)])
def test_a_type_whose_exemplars_were_shown_in_vain_is_given_up(size, replies):
    budget = Budget(candidates=20, per_request=10, rouge_l=0.95)
    made = run(SelfInstruct(instructor=Scripted(empty=replies - 1), budget=budget), errors(size))
    assert len(made.candidates) == 20
    with pytest.raises(TooManyBadRecordsError, match=f"of {replies} requests"):
        run(SelfInstruct(instructor=Scripted(empty=replies), budget=budget), errors(size))


def test_a_large_type_that_gives_nothing_is_passed_over():
    stage = SelfInstruct(instructor=Scripted(dry="type 0"), budget=Budget(candidates=60, per_request=5, rouge_l=0.95))
    made = run(stage, errors(200, 20))
    assert Counter(c.error_type for c in made.candidates) == {"type 1": 60}
    assert Counter(r.error_type for r in SEEN)["type 0"] == 3


def test_random_synthesis_draws_from_the_pool_without_validation():
    """Random synthesis draws from the whole pool at the same budget but not from validation."""
    given = errors(10)
    pool = [pooled(i) for i in range(40)]
    result = run(RandomSynthesis(instructor=Scripted(), budget=Budget(candidates=30, rouge_l=0.95)), given, pool=pool)
    assert len(result.candidates) == 30
    shown = {e.id for r in SEEN for e in r.exemplars if e.id[0] == "p"}
    assert not shown & {b.problem.id for t in given.types for b in t.validation}
    assert shown - {b.problem.id for t in given.types for b in t.exemplars}


def test_random_synthesis_keeps_no_copy_of_what_it_shows():
    """F13, for the control: 29 of 30 candidates of a teacher that copies were pool problems."""
    given, pool = errors(10), [pooled(i) for i in range(40)]
    stage = RandomSynthesis(instructor=Parrot(), budget=Budget(candidates=6, per_request=10))
    made = run(stage, given, pool=pool)
    assert not {c.question for c in made.candidates} & {p.question for p in pool}


def test_requests_claim_of_their_exemplars_only_what_is_true(tmp_path):
    """Random exemplars were said to show the mistake "random", and all bad cases one mistake's name."""
    given, budget = errors(10), Budget(candidates=30, rouge_l=0.95)
    unnamed = ErrorMap(types=tuple(replace(t, unnamed=True) for t in given.types))
    asker = OpenAICompatible(model="m", base_url="http://h/v1", cache=str(tmp_path / "a"), api_key_env="")
    texts = {}
    for name, stage, types in (
        ("named", SelfInstruct(instructor=Scripted(), budget=budget), given),
        ("unnamed", SelfInstruct(instructor=Scripted(), budget=budget), unnamed),
        ("random", RandomSynthesis(instructor=Scripted(), budget=budget), given),
    ):
        SEEN.clear()
        run(stage, types, pool=[pooled(i) for i in range(40)])
        (_, texts[name]), *_ = asker.synthesis_request(SEEN[0]).messages
    assert '"type 0"' in texts["named"]
    assert "mistakes of several kinds" in texts["unnamed"]
    assert "mistake" not in texts["random"].split("\n[")[0]
    assert not [n for n in ("unnamed", "random") if "type 0" in texts[n] or '"random"' in texts[n]]


def test_no_clustering_makes_an_unnamed_type():
    assert NoClustering().group(["a", "b"], np.zeros((2, 3), np.float32), 0).unnamed


def test_rouge_l_is_f_of_the_longest_common_subsequence():
    index = RougeIndex(["the cat sat on the mat"])
    assert index.closest("the cat lay on the mat", 0.8) == pytest.approx(5 / 6)
    assert index.closest("the cat lay on the mat", 0.84) is None
    assert index.closest("", 0.5) is None


def test_test_problems_are_refused_by_type():
    held = held_out()
    with pytest.raises(RoleError, match="synthesize"):
        run(RandomSynthesis(instructor=Scripted(), budget=Budget(candidates=3)), errors(6), pool=[held])
    with pytest.raises(RoleError, match="bad-case"):
        bad_cases([graded(held, "wrong")])
    with pytest.raises(RoleError, match="diagnose"):
        list(Diagnose(instructor=Scripted())(items=[case(held)], done=frozenset()))


@part
class Parrot(Scripted):
    """Repeats its exemplars: unchanged, in capitals, with other persons and things; or one new problem twice."""

    version: ClassVar[int] = 1

    def write(self, requests):
        for r in requests:
            SEEN.append(r)
            echoed = [e.question for e in r.exemplars]
            new = "fresh " + " ".join(random.Random(r.index).sample(WORDS, 9)) + "?"
            texts = [*echoed, *(q.upper() for q in echoed), *(q.replace("pool", "bowl") for q in echoed), new, new]
            yield Reply(drafts=tuple(Draft(question=q, solution="#### 2", answer="2") for q in texts))


def test_echoed_and_doubled_problems_are_all_dropped_and_counted():
    """Faults table, F13."""
    out = run(SelfInstruct(instructor=Parrot(), budget=Budget(candidates=6, per_request=10)), errors(8))
    assert len(out.candidates) == 6
    assert all(c.question.startswith("fresh") for c in out.candidates)
    reasons = Counter(r.reason for r in out.rejections)
    assert set(reasons) - {"over_quota"} == {"duplicate_signature", "rouge_l"}
    assert reasons["over_quota"] <= 1  # the copy of the last new problem
    echoes = sum(3 * len([e for e in r.exemplars if e.question.startswith("pool")]) for r in SEEN)
    assert sum(reasons.values()) >= echoes


def test_solved_twins_are_all_for_refinement_or_all_for_replay():
    right = []
    for i in range(30):
        for name in ("Anna", "Ben"):
            question = f"{name} has {i} pens. How many pens does {name} have?"
            right.append(graded(problem(f"{name}{i}", question), "right"))
    found = solved(right)
    numbers = [{p.id.lstrip("AnaBe") for p in part_} for part_ in (found.good, found.replay)]
    assert not numbers[0] & numbers[1]
    assert len(numbers[0] | numbers[1]) == 30
    assert min(map(len, numbers)) > 5
