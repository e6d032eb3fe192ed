"""Rounds: the state passed between them, when a run ends, and rounds with almost nothing to learn from."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from sei.choice import Evaluated, best_on_dev, on_plateau, stop_reason
from sei.errors import DataError, NumericError
from sei.finetuners.supervised import none_left
from sei.loop import Rounds
from sei.parts import part
from sei.records import Attempt, Checkpoint, PoolProblem, Score, Synthesis
from sei.stages.grade import UnreadableAnswersError
from sei.store import Store
from tests.compose import built

_LAST_STEP = re.compile(r"=(\d+)>>\d+(?!.*>>)(.*)#### \S+", re.S)


@part
class Scripted:
    """Writes reference solutions, with a wrong last step for the base's first ``wrong`` pool problems."""

    version: ClassVar[int] = 1
    row_type: ClassVar[Any] = Attempt
    wrong: int
    always: bool = False
    skip: int = 0
    silent: int = 0  # number of pool problems and of dev problems without an answer
    cut: bool = False

    def __call__(self, checkpoint, *, items, done):
        first = [p for p in items if isinstance(p, PoolProblem)][self.skip : self.skip + self.wrong]
        wrong = {p.id for p in first} if self.always or checkpoint.kind == "base" else set()
        for i, p in enumerate(items):
            off = str(int(p.answer) + 7) if p.id in wrong else p.answer
            output = _LAST_STEP.sub(rf"={off}>>{off}\2#### {off}", p.solution)
            quiet = p in [q for q in items if getattr(q, "role", "pool") in ("pool", "dev")][: self.silent]
            yield i, Attempt(problem=p, output="let us see" if quiet else output, finished=not (quiet and self.cut))


SMALL = (
    "experiment=smoke",
    "data.pool=40",
    "data.dev=10",
    "data.test=10",
    "finetuner.schedule.steps=2",
    "near_duplicate=1.0",
)


def rounds(tmp_path, wrong: int, *overrides: str, n: int = 2, **script: Any) -> tuple[list[Evaluated], Rounds]:
    parts = built(*SMALL, "budget.candidates=6", *overrides)
    method = replace(parts["method"], attempt=Scripted(wrong=wrong, **script))
    store = Store(root=tmp_path / "store")
    made = Rounds(method, parts["data"].load(), n, 0, store, parts["model"].base())
    return list(made), made


def test_without_a_bad_case_a_run_converges_and_trains_nothing(tmp_path):
    """F31."""
    seen, made = rounds(tmp_path, 0)
    assert len(seen) == 1
    assert stop_reason(seen, 2, made.method.patience, made.ending) == "converged"
    assert not (tmp_path / "store" / "finetune").exists()


@pytest.mark.parametrize(
    ("wrong", "overrides"),
    [(1, ()), (2, ()), (12, ("clusterer=none",)), (12, ("clusterer=shuffled",)), (1, ("refiner=one_shot_context",))],
)
def test_one_bad_case_or_one_type_makes_a_whole_round(tmp_path, wrong, overrides):
    """F31."""
    seen, made = rounds(tmp_path, wrong, *overrides, skip=3)
    assert len(seen) == 2
    record = seen[1].record
    assert record is not None
    assert sum(len(t.members) for t in record.error_map.types) == len(record.diagnoses) == wrong
    assert record.refined.kept
    assert stop_reason(seen, 2, made.method.patience, made.ending) == "converged"


def test_converged_is_said_only_of_a_solved_pool(tmp_path):
    seen, made = rounds(tmp_path, 0, silent=4)
    assert len(seen) == 1
    assert stop_reason(seen, 2, made.method.patience, made.ending) == "unreadable"


def without_candidates(real):
    def once(self, stage, *inputs, **offered):
        found = real(self, stage, *inputs, **offered)
        return replace(found, candidates=()) if isinstance(found, Synthesis) else found

    return once


def test_a_round_without_candidates_has_an_ending_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(Store, "once", without_candidates(Store.once))
    seen, made = rounds(tmp_path, 6)
    assert len(seen) == 1
    assert made.ending == "no_candidate"


@pytest.mark.parametrize(("cut", "first"), [(True, "engine.max_new_tokens=N"), (False, "model.ask=hash or boxed")])
def test_a_base_whose_answers_cannot_be_read_stops_the_run(tmp_path, cut, first):
    with pytest.raises(UnreadableAnswersError) as e:
        rounds(tmp_path, 6, silent=9, cut=cut)
    said = str(e.value)
    assert "9 of 10 answers of the base on the dev set state no result" in said
    assert f"{9 if cut else 0} of them were cut" in said
    assert said.count("'let us see'") == 3
    assert f"most likely first: {first}" in said
    assert not (tmp_path / "store" / "diagnose").exists()
    seen, _ = rounds(tmp_path / "more", 6, "max_unreadable=0.95", silent=9, cut=cut, n=1)
    assert (seen[0].scores["arithmetic_dev"].unreadable, seen[0].scores["arithmetic_dev"].cut) == (9, 9 * cut)


def test_a_pool_that_cannot_be_read_is_refused_too(tmp_path):
    with pytest.raises(UnreadableAnswersError, match="30 of 40 answers of the base on the pool"):
        rounds(tmp_path, 2, "data.dev=100", silent=30)


def test_training_accumulates_or_sees_this_round_alone(tmp_path):
    """Training accumulates or uses only this round, and starts where configured."""
    both, _ = rounds(tmp_path / "a", 6, "replay=0", "patience=0", always=True)
    alone, _ = rounds(tmp_path / "b", 6, "replay=0", "patience=0", "train_on=this_round", always=True)
    first, second = (e.record for e in both[1:])
    ids = {x.id for x in second.training}
    assert {x.example.id for x in second.refined.scored if x.kept} <= ids
    assert ids & {x.id for x in first.training}
    assert not {x.id for x in alone[2].record.training} & {x.id for x in alone[1].record.training}
    withheld = {r.subject for r in second.withheld}
    assert {x.id for x in first.training} <= ids | withheld


def test_the_next_round_does_not_ask_for_what_is_there(tmp_path):
    seen, _ = rounds(tmp_path, 6, "patience=0", always=True)
    one, two = ({s.example.question for s in e.record.refined.scored} for e in seen[1:])
    assert one
    assert two
    assert not one & two


EMBEDDED = ("self_instruct", "random", "llm2llm", "learning_from_error", "rejection_sampling")


@pytest.mark.parametrize("synthesizer", EMBEDDED)
def test_every_embedded_baseline_has_the_same_budget(tmp_path, synthesizer):
    """Every embedded baseline completes rounds at the same budget and sees no held-out problem."""
    more = ("synthesizer.samples=2",) if synthesizer == "rejection_sampling" else ()
    seen, made = rounds(tmp_path, 12, f"synthesizer={synthesizer}", "refiner=none", *more, n=1)
    method = made.method
    record = seen[1].record
    assert record is not None
    assert len(record.synthesis.candidates) == len(record.refined.kept) == 6
    assert record.trained.steps == 2
    forbidden = {b.problem.id for t in record.error_map.types for b in t.validation}
    forbidden |= {g.attempt.problem.id for g in record.evaluation}
    assert forbidden
    assert not forbidden & {i for c in record.synthesis.candidates for i in c.source_ids}
    store = Store(root=tmp_path / "store")
    again = list(Rounds(method, built(*SMALL)["data"].load(), 1, 0, store, seen[0].checkpoint))
    assert again[1].record.synthesis == record.synthesis
    assert not any(u.made for u in store.uses)


def evaluated(*accuracies: float) -> list[Evaluated]:
    def score(a: float) -> Score:
        n = 100
        return Score(
            role="dev",
            n=n,
            correct=round(a * n),
            unreadable=0,
            grader_errors=0,
            accuracy=a,
            accuracy_strict=a,
            macro=None,
            ci95=(0.0, 1.0),
        )

    return [Evaluated(checkpoint=Checkpoint(digest=str(a)), graded=(), scores={"dev": score(a)}) for a in accuracies]


@pytest.mark.parametrize(
    ("accuracies", "patience", "ends"),
    [
        ((0.5, 0.4), 1, True),
        ((0.5, 0.4), 2, False),
        ((0.5, 0.6, 0.6, 0.55), 2, True),
        ((0.5, 0.6, 0.7, 0.65), 2, False),
        ((0.5, 0.4, 0.4, 0.4), 0, False),
    ],
)
def test_a_plateau_on_dev_ends_a_run_after_patience_rounds(accuracies, patience, ends):
    assert on_plateau(evaluated(*accuracies), patience) == ends


def test_the_best_on_dev_is_the_earlier_of_equals():
    seen = evaluated(0.5, 0.7, 0.7, 0.6)
    assert seen.index(best_on_dev(seen)) == 1
    assert stop_reason(seen, 3, 2, None) == "rounds"
    assert stop_reason(seen, 9, 2, None) == "plateau"


def test_an_infinite_loss_keeps_the_last_good_checkpoint(tmp_path, monkeypatch):
    import torch

    from sei.lit.module import LitCausalLM

    rounds(tmp_path, 6, "patience=0", always=True, n=1)
    good = list((tmp_path / "store" / "finetune").glob("*/entry.json"))
    monkeypatch.setattr(LitCausalLM, "_loss", lambda *_: torch.tensor(float("nan"), requires_grad=True))
    with pytest.raises(NumericError, match="step 1"):
        rounds(tmp_path, 6, "patience=0", always=True, n=2)
    assert list((tmp_path / "store" / "finetune").glob("*/entry.json")) == good
    assert len(list((tmp_path / "store" / "finetune").glob("*/files/model"))) == 1


def test_one_changed_problem_redoes_one_row_of_each_stage(tmp_path):
    """One changed problem redoes one attempt and at most one diagnosis."""
    parts = built(*SMALL, "budget.candidates=6", "clusterer=none", "refiner=none")
    method = replace(parts["method"], attempt=Scripted(wrong=6, always=True))
    data, base = parts["data"].load(), parts["model"].base()
    for pool in (data.pool, (replace(data.pool[0], question=data.pool[0].question + " Say it."), *data.pool[1:])):
        store = Store(root=tmp_path / "store")
        list(Rounds(method, replace(data, pool=pool), 1, 0, store, base))
    made = {stage: sum(u.made for u in store.uses if u.stage == stage) for stage in ("scripted", "diagnose")}
    first_checkpoint = [u for u in store.uses if u.stage == "scripted"][:2]
    assert [u.made for u in first_checkpoint] == [0, 1]
    assert made["diagnose"] == 1
    assert {u.stage: u.made for u in store.uses}["finetune"] == 1  # later stages are redone completely


def test_refused_gold_answers_are_shown_or_left_out(tmp_path, caplog):
    parts = built(*SMALL)
    data = parts["data"].load()
    bad = [replace(p, answer=r"\frac{1}{", solution="") for p in data.pool[:2]]
    data = replace(data, pool=(*bad, *data.pool[2:]))
    store = Store(root=tmp_path)
    with pytest.raises(DataError, match=r"refuses 2 gold answers .*frac.* of .*grader.skip_bad_gold=true"):
        list(Rounds(parts["method"], data, 1, 0, store, parts["model"].base()))
    method = replace(parts["method"], attempt=Scripted(wrong=0))
    grade = replace(method.grade, grader=replace(method.grade.grader, skip_bad_gold=True))
    with caplog.at_level("WARNING"):
        (_,) = Rounds(replace(method, grade=grade), data, 1, 0, store, parts["model"].base())
    assert "2 problems are left out" in caplog.text
    assert [u.stage for u in store.uses].count("goldcheck") == 2
    assert store.uses[-2].stage == "scripted"
    assert store.uses[-2].made + store.uses[-2].reused == len(data.pool) - 2


def test_a_model_that_knows_no_word_of_the_data_is_named():
    said = str(none_left(5, 0, 512, "packaged:tiny_l"))
    assert "all 5 training examples have words that the tokenizer of model.source=packaged:tiny_l does not know" in said
    assert "max_length" not in said
    assert "(2 others have words" in str(none_left(5, 3, 512, "x"))


def test_dev_alone_is_evaluated_while_settings_are_chosen(tmp_path):
    seen, _ = rounds(tmp_path, 8, "evaluate=dev", n=1)
    assert [list(s.scores) for s in seen] == [["arithmetic_dev"], ["arithmetic_dev"]]
    every, _ = rounds(tmp_path, 8, n=1)
    assert every[1].checkpoint == seen[1].checkpoint  # test questions were screened all the same
    assert set(every[0].scores) > {"arithmetic_dev"}
    assert every[0].scores["arithmetic_dev"] == seen[0].scores["arithmetic_dev"]
