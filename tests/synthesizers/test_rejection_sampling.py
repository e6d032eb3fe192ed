"""Rejection sampling: right and distinct solutions by the model itself, within the budget, kept after a crash."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import pytest

from sei.errors import RoleError, TooManyBadRecordsError
from sei.grading import MathGrader
from sei.parts import part
from sei.records import Checkpoint
from sei.stages.synthesize import Budget
from sei.synthesizers.rejection_sampling import RejectionSampling, reasoning
from tests.builders import cases, error_map, held_out, problem, screen
from tests.doubles import NoWeights

CALLS: list = []
GOOD = ("1+1=<<1+1=2>>2\n#### 2", "so 1+1=<<1+1=2>>2 it is\n#### 2", "4/2=<<4/2=2>>2\n#### 2", "1+1=<<1+1=3>>3\n#### 2")


@part
class Drawn:
    """Answers sample j of a question with the j-th text of a list; stops after ``crash`` answers."""

    version: ClassVar[int] = 1
    outputs: tuple[str, ...] = GOOD
    unsolved: tuple[int, ...] = ()
    crash: int = 10**9
    finished: bool = True

    def open(self, target, checkpoint):
        CALLS.append(("open", checkpoint.digest))
        return target.open(checkpoint)

    def answer(self, opened, texts, done, what, sampling=None):
        assert sampling is not None
        for i in reversed(range(len(texts))):  # in any order
            if i in done:
                continue
            if sum(c[0] == "answer" for c in CALLS) >= self.crash:
                raise KeyboardInterrupt
            CALLS.append(("answer", i, sampling))
            number = int(texts[i].split()[1])
            yield i, "#### 3" if number in self.unsolved else self.outputs[i % len(self.outputs)], self.finished, ""


POOL = tuple(problem(i, f"problem {i} of a pool", answer="2") for i in range(10))
ERRORS = error_map(cases(POOL[:2]), cases(POOL[2:3]))
NOW = Checkpoint(digest="now")


@pytest.fixture(autouse=True)
def _fresh():
    CALLS.clear()


def run(folder, *, engine=None, candidates=100, pool=POOL, apart=(), samples=4, seed=0, round=1):
    stage = RejectionSampling(
        target=NoWeights(name="t", source="packaged:tiny_l"),
        engine=engine or Drawn(),
        grader=MathGrader(),
        budget=Budget(candidates=candidates),
        samples=samples,
        temperature=0.5,
    )
    folder.mkdir(exist_ok=True)
    return stage(ERRORS, pool, screen(*apart), round, seed=seed, checkpoint=NOW, folder=folder)


def test_right_solutions_with_distinct_equations_are_kept(tmp_path):
    made = run(tmp_path, engine=Drawn(unsolved=(5,)))
    assert CALLS[0] == ("open", "now")
    assert {(c[2].temperature, c[2].seed) for c in CALLS[1:]} == {(0.5, 0)}
    per_problem = Counter(c.source_ids[0] for c in made.candidates)
    assert per_problem == {f"p{i}": 2 for i in (0, 1, 3, 4, 6, 7, 8, 9)}  # no validation cases, no unsolved ones
    assert {c.solution for c in made.candidates} == {GOOD[0], GOOD[2]}
    assert {c.error_type for c in made.candidates if c.source_ids[0] in ("p0", "p1")} == {"x"}
    assert {c.error_type for c in made.candidates if c.source_ids[0] in ("p3", "p9")} == {"solved"}
    assert Counter(r.reason for r in made.rejections) == {
        "same_reasoning": 8,
        "sample_wrong_step": 8,
        "sample_wrong": 4,
    }
    assert made.usage.requests == 0


def test_the_budget_bounds_what_is_kept(tmp_path):
    """The budget limits what is kept: first one solution per problem."""
    made = run(tmp_path, candidates=9)
    assert len(made.candidates) == 9
    assert len({c.source_ids for c in made.candidates}) == 9
    assert Counter(r.reason for r in made.rejections)["over_quota"] == 9
    few = [run(tmp_path / str(seed), candidates=3, seed=seed).candidates for seed in (1, 1, 2)]
    assert few[0] == few[1] != few[2]


def test_validation_and_screened_problems_are_never_sampled(tmp_path):
    made = run(tmp_path, apart=[POOL[3].question], samples=2)
    asked = {c[1] // 2 for c in CALLS[1:]}
    assert len(asked) == 8
    assert not {c.source_ids[0] for c in made.candidates} & {"p2", "p3"}
    assert [(r.reason, r.subject) for r in made.rejections if r.reason == "test_exact"] == [("test_exact", "p3")]


def test_held_out_problems_are_refused_by_rejection_sampling(tmp_path):
    """Held-out problems are refused; if the model solves nothing, the message says so."""
    held = held_out()
    with pytest.raises(RoleError, match="synthesize"):
        run(tmp_path, pool=(held,))
    nothing = Drawn(outputs=("#### 3",))
    with pytest.raises(TooManyBadRecordsError, match=r"none of 9 problems.*samples=4.*Remedy"):
        run(tmp_path / "a", engine=nothing)
    assert run(tmp_path / "b", engine=nothing, round=2).candidates == ()
    assert run(tmp_path / "c", pool=()).candidates == ()


def test_samples_outlive_a_crash_and_none_is_drawn_twice(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "half", engine=Drawn(crash=20))
    made = run(tmp_path / "half")
    drawn = [c[1] for c in CALLS if c[0] == "answer"]
    assert len(drawn) == len(set(drawn)) == 36
    assert made == run(tmp_path / "whole")


def test_reasoning_is_the_list_of_equations():
    assert reasoning("2 + 3 = <<2+3=5>>5\n#### 5") == reasoning("First <<2+3=5>> then stop. #### 5") == ("2+3=5",)
    assert reasoning("<<10/3=3.333>>3.333\n#### 3.333") is not None
    assert reasoning("<<10/3=3.4>>3.4\n#### 3.4") is None
    assert reasoning("Anna > Ben\n#### Anna") == ("Anna", ">", "Ben", "####", "Anna")


def test_outputs_cut_after_their_answer_are_no_solutions(tmp_path):
    """They taught to go on with another question and to stop in mid-word."""
    with pytest.raises(TooManyBadRecordsError, match="none of 9 problems"):
        run(tmp_path, engine=Drawn(finished=False))
    made = run(tmp_path / "later", engine=Drawn(finished=False), round=2)
    assert Counter(r.reason for r in made.rejections)["sample_cut"] == 36
