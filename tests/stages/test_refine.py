from __future__ import annotations

from sei.records import Checkpoint, ErrorMap, SyntheticExample
from sei.stages.refine import NoRefinement, RandomRefinement, decide


def examples(**sizes: int) -> tuple[SyntheticExample, ...]:
    return tuple(
        SyntheticExample(id=f"{t}{i}", question="q", solution="s", answer="1", error_type=t)
        for t, n in sizes.items()
        for i in range(n)
    )


def test_the_top_fraction_of_every_type_is_kept():
    candidates = examples(a=4, b=2)
    scored = decide(candidates, [1, 4, 3, 2, 9, 8], 0.5)
    assert [s.example.id for s in scored if s.kept] == ["a1", "a2", "b0"]
    assert all(s.reason for s in scored)


def test_ties_go_to_the_earlier_and_every_type_keeps_one():
    assert [s.kept for s in decide(examples(a=2, b=1), [0, 0, 0], 0.1)] == [True, False, True]
    assert decide((), [], 0.5) == ()


def test_none_keeps_all_and_random_keeps_as_many_as_the_method():
    c, e = Checkpoint(digest="x"), ErrorMap(types=())
    candidates = examples(a=10, b=6)
    assert len(NoRefinement()(c, e, candidates, (), seed=0).kept) == 16
    kept = RandomRefinement(keep=0.5)(c, e, candidates, (), seed=0).kept
    assert len(kept) == 8
    assert kept != RandomRefinement(keep=0.5)(c, e, candidates, (), seed=1).kept
