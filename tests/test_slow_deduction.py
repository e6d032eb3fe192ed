"""The recipe of the deduction domain's base, about six minutes: ``make slow``."""

from __future__ import annotations

import pytest

from sei.data.deduction import Deduction
from sei.engines.lightning import LightningEngine
from sei.grading.deduction import NameGrader
from sei.lit.trainer import TrainerSettings
from sei.models.target import TargetModel

pytestmark = pytest.mark.slow


def accuracy(target: TargetModel, set_name: str) -> float:
    problems = [p for p in Deduction().load().held_out if p.set == set_name]
    engine = LightningEngine(trainer=TrainerSettings(), max_new_tokens=48)
    with target.open(target.base()) as opened:
        prompts = opened.prompts([p.question for p in problems])
        answers = {a.at: a.text for a in engine.answer(opened, prompts, frozenset(), "x")}
    grader = NameGrader()
    return sum(grader.grade(p, answers[i]).verdict == "right" for i, p in enumerate(problems)) / len(problems)


def test_the_recipe_still_gives_a_base_of_the_shipped_accuracy(tmp_path):
    from sei.models.tiny_deduction import pretrain, tokenizer

    pretrain().save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    shipped = TargetModel(name="tiny_d", source="packaged:tiny_d", template="plain")
    remade = TargetModel(name="tiny_d", source=str(tmp_path), template="plain")
    for name in ("deduction_test", "deduction_far"):
        assert 0.45 < accuracy(shipped, name) < 0.60
        assert abs(accuracy(shipped, name) - accuracy(remade, name)) < 0.06
