from __future__ import annotations

import math
import sys
import types
from dataclasses import replace
from typing import ClassVar

import pytest

from sei.build import build
from sei.errors import ConfigError, NumericError
from sei.parts import part
from sei.records import Checkpoint, ErrorMap, RefinedSet
from sei.refiners.difficulty import Difficulty
from sei.refiners.gradient import Gradient
from sei.refiners.none import NoRefinement
from sei.refiners.one_shot_likelihood import OneShotLikelihood
from sei.refiners.one_shot_step import OneShotStep
from sei.refiners.perplexity import Perplexity
from sei.refiners.random import RandomRefinement
from sei.stages.refine import decide, require_solutions, validation_sets
from tests.builders import NO_TYPES, TINY, candidates, error_map, error_type, problem, refine


def test_the_top_fraction_of_every_type_is_kept():
    scored = decide(candidates(a=4, b=2), [1, 4, 3, 2, 9, 8], 0.5)
    assert [s.example.id for s in scored if s.kept] == ["a1", "a2", "b0"]
    assert all(s.reason for s in scored)


def test_ties_go_to_the_earlier_and_every_type_keeps_one():
    assert [s.kept for s in decide(candidates(a=2, b=1), [0, 0, 0], 0.1)] == [True, False, True]
    assert decide((), [], 0.5) == ()


def test_kept_by_order_alone_are_counted_within_a_type():
    def tied(*scores: float, keep: float = 0.5, at_least: float | None = None) -> int:
        return RefinedSet(scored=decide(candidates(a=4, b=2), scores, keep, at_least)).tied

    assert tied(3, 1, 1, 1, 0, 0) == 2  # one of a's two, one of b's one
    assert tied(3, 2, 1, 1, 1, 0) == 0
    assert tied(1, 0, 0, 0, 1, 1, keep=1.0) == 0
    assert tied(1, 1, 0, 0, 1, 0) == 0  # a score of b equal to one of a does not compete
    assert tied(0, 0, 0, 0, 0, 0, at_least=0.5) == 0


def test_none_keeps_all_and_random_keeps_as_many_as_the_method():
    c, e = Checkpoint(digest="x"), NO_TYPES
    made = candidates(a=10, b=6)
    assert len(refine(NoRefinement(), c, e, made, seed=0).kept) == 16
    kept = refine(RandomRefinement(), c, e, made, seed=0).kept
    assert len(kept) == 8
    assert kept != refine(RandomRefinement(), c, e, made, seed=1).kept


def test_refinement_never_sees_an_exemplar():
    types = (
        error_type("own", range(10), range(10, 16)),
        error_type("few", range(20, 24), range(24, 26)),
        error_type("one", range(30, 31), range(31, 31)),
    )
    found = validation_sets(ErrorMap(types=types), 5, 16, seed=0)
    ids = {name: {b.problem.id for b in cases} for name, cases in found.cases.items()}
    assert ids["own"] == {f"p{i}" for i in range(10, 16)}
    assert ids[""] == ids["own"] | {"p24", "p25"}
    assert found.pooled_share == pytest.approx(2 / 3)
    few, one = candidates(few=1, one=1)
    assert found.name(few) == found.name(one) == ""


def without_solutions(types: ErrorMap, ids: set[str]) -> ErrorMap:
    def bare(b):
        p = b.problem
        return replace(b, problem=replace(p, solution="")) if p.id in ids else b

    return ErrorMap(types=tuple(replace(t, validation=tuple(map(bare, t.validation))) for t in types.types))


def test_cases_without_a_solution_validate_nothing():
    """Candidates were ranked by what they do for a blank and the end of the text."""
    seen = []

    class Seeing(Shortest):
        min_validation, max_validation = 1, 9

        def scores(self, given, kept):
            seen.append((sorted(b.problem.id for b in given.validation.cases["a"]), [p.id for p in given.good]))
            return [0.0] * len(given.examples)

    class Answers(Seeing):
        reads_solutions = False

    types = without_solutions(ErrorMap(types=(error_type("a", range(4), range(10, 14)),)), {"p10", "p11"})
    good = (replace(problem(20), solution=""), problem(21))
    for scorer in (Seeing(), Answers()):
        refine(scorer, Checkpoint(digest="x"), types, candidates(a=4), seed=0, good=good)
    assert seen == [(["p12", "p13"], ["p21"]), (["p10", "p11", "p12", "p13"], ["p20", "p21"])]


def test_a_pool_without_solutions_is_refused_before_the_run():
    bare = [replace(problem(i), solution="") for i in range(3)]
    with pytest.raises(ConfigError, match=r"OneShotStep: none of the 3 pool problems .*refiner=one_shot_context"):
        require_solutions(OneShotStep(target=TINY), bare)
    require_solutions(OneShotStep(target=TINY), [*bare, problem(4)])
    require_solutions(Perplexity(target=TINY), bare)
    require_solutions(None, bare)


@pytest.mark.parametrize("refiner", [OneShotStep, Gradient, Difficulty, OneShotLikelihood])
def test_without_a_validation_case_all_are_kept_for_that_reason(refiner):
    nothing = error_map(range(2), name="a")
    out = refine(refiner(target=TINY), Checkpoint(digest="x"), nothing, candidates(a=4), seed=0)
    assert [(s.kept, s.reason) for s in out.scored] == [(True, "no validation case")] * 4
    assert out.pooled_share == 1.0


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_score_that_is_no_number_names_its_candidate(score):
    with pytest.raises(NumericError, match=r"candidate 'a1' \(error type 'a'\) is (nan|inf)"):
        decide(candidates(a=3), [1.0, score, 2.0], 0.5)


class Shortest:
    """A user's refiner: short solutions first."""

    version: ClassVar[int] = 1

    def scores(self, given, kept):
        return [-float(len(c.solution)) for c in given.examples]


def test_a_scorer_of_ones_own_is_one_method(monkeypatch):
    """A user's scorer is one method, and its stage's settings are separated in one config node."""
    module = types.ModuleType("mine")
    module.Shortest = part(Shortest)
    monkeypatch.setitem(sys.modules, "mine", module)
    stage = build({"_target_": "mine.Shortest", "keep": 0.25, "at_least": -9.0}, "refiner", ("mine",))
    assert (stage.keep, stage.at_least) == (0.25, -9.0)
    made = tuple(replace(c, solution="s" * (i + 1)) for i, c in enumerate(candidates(a=8)))
    out = refine(stage, Checkpoint(digest="x"), NO_TYPES, made, seed=0)
    assert [e.id for e in out.kept] == ["a0", "a1"]
    for wrong, words in (("kep", r"refiner\.kep=.*at_least.*keep"), ("keep", r"refiner\.keep=7")):
        with pytest.raises(ConfigError, match=words):
            build({"_target_": "mine.Shortest", wrong: 7}, "refiner", ("mine",))


def test_a_scorer_that_gives_too_few_scores_is_named():
    class Lazy(Shortest):
        def scores(self, given, kept):
            return [0.0]

    with pytest.raises(ConfigError, match="refiner Lazy gave 1 scores for 3 candidates"):
        refine(Lazy(), Checkpoint(digest="x"), NO_TYPES, candidates(a=3), seed=0)
