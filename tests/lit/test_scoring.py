"""Scores that several processes make are those of one process, to the last bit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sei.lit import scoring
from sei.lit.scoring import Independent, score, share_out
from sei.lit.trainer import TrainerSettings
from sei.scorer import Candidates
from sei.stages.refine import Refine, validation_sets
from sei.store.journal import Journal, journal
from tests.builders import TINY, held_against
from tests.lit.fits import TWO
from tests.refiners.scorers import CANDIDATES, CASES, SCORERS, asked

INDEPENDENT = [name for name, s in SCORERS.items() if isinstance(s, Independent) and s.independent]


def given(scorer) -> Candidates:
    validation = validation_sets(held_against(*CASES), scorer.min_validation, 6, 1) if hasattr(
        scorer, "min_validation") else validation_sets(held_against(*CASES), 5, 6, 1)  # fmt: skip
    return Candidates(checkpoint=TINY.base(), examples=CANDIDATES[:9], validation=validation, good=(), keep=0.5, seed=1)


def in_memory() -> Journal:
    return Journal({}, lambda *_: None)


def test_these_scorers_share_their_values_out():
    assert INDEPENDENT == ["step", "gradient", "perplexity", "difficulty", "likelihood"]


@pytest.mark.parametrize("name", INDEPENDENT)
def test_every_value_is_made_once_and_the_scores_stay(name, tmp_path, monkeypatch):
    """The processes run one after another here, each as ``sei.lit.worker`` runs it."""
    scorer, alone = SCORERS[name], in_memory()
    whole = scorer.scores(given(scorer), alone)
    begun = in_memory()
    first = next(iter(alone.names()))
    begun.put(first, alone.get(first))  # an interrupted stage has made one value
    made: list[tuple[str, ...]] = []

    def run(home, machine, follow, what):
        for rank in range(3):
            score(home, rank, 3)
            made.append(tuple(line.split('"')[1] for line in (home / f"values_{rank}.jsonl").read_text().splitlines()))
            follow()

    monkeypatch.setattr("sei.lit.launch.run", run)
    share_out(scorer, given(scorer), begun, replace(TWO, devices=3), tmp_path)
    assert sorted(x for part in made for x in part) == sorted(n for n in alone.names() if n != first)
    assert min(map(len, made)) > 0 or len(alone.names()) < 6
    assert {n: begun.get(n) for n in begun.names()} == {n: alone.get(n) for n in alone.names()}
    assert scorer.scores(given(scorer), begun) == whole


@pytest.mark.parametrize("name", ["ranked", "race"])
def test_values_that_depend_on_others_stay_on_one_device(name, tmp_path, caplog):
    with caplog.at_level("WARNING"):
        share_out(SCORERS[name], given(SCORERS[name]), in_memory(), TWO, tmp_path)
    assert "scores on one device, and the others are idle" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_one_device_and_few_candidates_need_no_other_process(tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "_write", None)
    few = replace(given(SCORERS["step"]), examples=CANDIDATES[:1])
    share_out(SCORERS["step"], given(SCORERS["step"]), in_memory(), TrainerSettings(), tmp_path)
    share_out(SCORERS["step"], few, in_memory(), TWO, tmp_path)
    share_out(SCORERS["step"], given(SCORERS["step"]), in_memory(), TWO, None)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["step", "difficulty"])
def test_two_processes_refine_as_one(name, tmp_path):
    one = Refine(scorer=SCORERS[name], keep=0.3)
    two = replace(one, trainer=TWO)
    whole = one(asked(CANDIDATES), seed=1, folder=tmp_path / "one")
    assert two(asked(CANDIDATES), seed=1, folder=tmp_path / "two") == whole
    assert not (tmp_path / "two" / "scores").exists()
    with journal(tmp_path / "two") as kept, journal(tmp_path / "one") as alone:
        assert sorted(kept.names()) == sorted(alone.names())


def test_progress_counts_candidates_and_not_the_cases_of_types(tmp_path):
    """A step has two values: the loss before, which a type shares, and the loss after, of one candidate."""
    file, counted, kept = tmp_path / "values.jsonl", [], in_memory()
    file.write_text('["before/slips", 1.0]\n["after/0", 0.5]\n["after/12", 0.7]\n["after/3", 0')
    end = scoring._take(file, 0, kept, counted.append)
    assert sum(counted) == 2
    assert kept.names() == ["before/slips", "after/0", "after/12"]
    assert file.read_text()[end:] == '["after/3", 0'


def test_progress_counts_every_candidate_of_a_block(tmp_path):
    file, counted, kept = tmp_path / "values.jsonl", [], in_memory()
    file.write_text('["alone", [-3.0, -2.0]]\n["block/0", [0.5, 0.1, 0.2]]\n["losses/3", [1.0, 2.0]]\n')
    scoring._take(file, 0, kept, counted.append)
    assert sum(counted) == 5
    nine = given(SCORERS["likelihood"])
    assert (scoring._values_left(nine, in_memory()), scoring._values_left(nine, kept)) == (9, 4)
