from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from sei.clusterers.agglomerative import Agglomerative
from sei.clusterers.none import NoClustering
from sei.clusterers.shuffled import Shuffled
from sei.exchange import Grouping
from sei.parts import part
from sei.records import Finding, Rejection, Usage
from sei.stages.cluster import two_views
from tests.builders import case, keyphrase, phrases, problem
from tests.doubles import Letters, clustering


@pytest.mark.parametrize("groups", [3, 5, 9])
def test_the_number_of_types_is_found_without_labels(groups):
    types = clustering()(phrases(groups, 12), seed=0).types
    assert len(types) == groups
    assert all(len({k.phrase[0] for k in t.members}) == 1 for t in types)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7])
def test_few_keyphrases_are_no_crash_and_no_two_types(n):
    """F31."""
    types = clustering()(phrases(n, 1), seed=0).types
    assert len(types) == min(n, 1)
    assert sum(len(t.members) for t in types) == n


def test_equal_phrases_are_one_type():
    assert len(clustering()(tuple(keyphrase(i, "same") for i in range(40)), seed=0).types) == 1


def test_exemplars_and_validation_are_disjoint_and_cover_all():
    for t in clustering()(phrases(4, 30), seed=0).types:
        a, b = {c.problem.id for c in t.exemplars}, {c.problem.id for c in t.validation}
        assert a
        assert not a & b
        assert len(a | b) == len(t.members)


def test_problems_in_other_clothes_never_stand_on_both_sides():
    twins = []
    for i in range(40):
        for name in ("Anna", "Ben"):
            question = f"{name} has {i} pens. How many pens does {name} have?"
            twins.append(keyphrase(case(problem(f"{name}{i}", question)), "abc"))
    (t,) = clustering(NoClustering())(tuple(twins), seed=0).types
    numbers = [{c.problem.id.lstrip("AnaBe") for c in part_} for part_ in (t.exemplars, t.validation)]
    assert not numbers[0] & numbers[1]


def test_shuffled_keeps_sizes_and_changes_members():
    keys = phrases(4, 20)
    real, placebo = clustering()(keys, seed=0).types, clustering(Shuffled(inner=Agglomerative()))(keys, seed=0).types
    assert sorted(len(t.members) for t in real) == sorted(len(t.members) for t in placebo)
    assert any(len({k.phrase[0] for k in t.members}) > 1 for t in placebo)


@part
class Costly:
    """Puts the first half into one type and the rest into another, at a price, and names both."""

    version: ClassVar[int] = 1

    def group(self, phrases, vectors, seed):
        half = len(phrases) // 2
        refused = (Rejection(stage="cluster", reason="off_contract", subject="batch 1"),)
        labels = (0,) * half + (1,) * (len(phrases) - half)
        usage = Usage(requests=7, usd=1.0)
        return Grouping(labels=labels, names=("first", "second"), rejections=refused, usage=usage)


def test_the_placebo_costs_and_refuses_what_the_real_one_does():
    result = clustering(Shuffled(inner=Costly()))(phrases(2, 20), seed=0)
    assert result.usage == Usage(requests=7, usd=1.0)
    assert [r.reason for r in result.rejections] == ["off_contract"]
    assert not {"first", "second"} & {t.name for t in result.types}


def test_the_second_view_parts_equal_phrases():
    add = Finding(step=1, relation="wrong_operation", operation="-", written_operation="+")
    times = Finding(step=1, relation="wrong_operation", operation="*", written_operation="+")
    keys = [keyphrase(0, "a", add), keyphrase(1, "a", times), keyphrase(2, "a", None)]
    vectors = two_views(Letters().embed(["a"] * 3), keys, 0.5)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] < 0.9


def test_types_have_distinct_names_and_the_map_has_every_case():
    result = clustering(Shuffled(inner=Agglomerative()))(phrases(4, 20), seed=0)
    names = [t.name for t in result.types]
    assert len(set(names)) == len(names)
    assert {p.problem_id for p in result.points} == {f"p{i}" for i in range(80)}
    assert {p.error_type for p in result.points} == set(names)
