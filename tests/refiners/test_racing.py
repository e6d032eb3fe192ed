"""Racing keeps the same candidates as asking everything, with fewer requests."""

from __future__ import annotations

import random

import pytest

from sei.refiners.racing import Race, run
from sei.stages.refine import decide, kept_of_type
from tests.builders import candidates


@pytest.mark.parametrize("seed", range(60))
def test_the_kept_set_is_that_of_asking_everything(seed):
    rng = random.Random(seed)
    made = candidates(**{f"t{i}": rng.randint(1, 40) for i in range(rng.randint(1, 5))})
    keep = rng.choice([0.05, 0.2, 0.5])
    bad, good = rng.randint(1, 10), rng.randint(0, 10)
    weights = [1 / bad] * bad + [1 / good] * good if good else [1 / bad] * bad
    skill = [rng.random() for _ in made]
    right = [[rng.random() < s for _ in weights] for s in skill]
    members = {t: [i for i, m in enumerate(made) if m.error_type == t] for t in {m.error_type for m in made}}
    races = [Race(candidates=m, weights=weights, keep=kept_of_type(len(m), keep)) for m in members.values()]
    asked = []

    def ask(pairs):
        asked.extend(pairs)
        return [right[i][q] for i, q in pairs]

    total = run(races, ask, step=rng.randint(1, 6), rows=rng.choice([4, 50, 500]))
    assert total == len(asked) == len(set(asked)) <= len(made) * len(weights)
    scores = [0.0] * len(made)
    for race in races:
        for i, score in zip(race.candidates, race.scores(), strict=True):
            scores[i] = score
    true = [sum(w * r for w, r in zip(weights, row, strict=True)) for row in right]
    assert all(s >= t - 1e-8 for s, t in zip(scores, true, strict=True))
    kept = [s.kept for s in decide(made, scores, keep)]
    assert kept == [s.kept for s in decide(made, [round(t, 9) for t in true], keep)]


def test_a_clear_winner_spares_the_others_most_questions():
    weights = [1.0] * 20
    race = Race(candidates=list(range(50)), weights=weights, keep=2)
    total = run([race], lambda pairs: [i >= 48 for i, _ in pairs], step=1, rows=2)
    assert total == 2 * 20 + 48
    assert race.scores()[-3:] == [19.0, 20.0, 20.0]


def test_questions_that_are_likely_wrong_and_heavy_come_first():
    race = Race(candidates=[0, 1], weights=[0.1, 0.1, 0.8], keep=1)
    assert race.next_questions(0, 2) == [2, 0]
    race.record(1, 2, right=True)
    race.record(1, 0, right=True)
    assert race.next_questions(0, 3) == [2, 1, 0]


def test_without_questions_nothing_is_asked_the_first_are_kept():
    race = Race(candidates=[0, 1], weights=[], keep=1)
    assert run([race], lambda pairs: pytest.fail("asked"), step=5, rows=10) == 0
    assert race.scores() == [0.0, 0.0]
