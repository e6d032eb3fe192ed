"""Results of an older version are still found: the small store in fixtures, made in November 2026, is used.

``python -m tests.store.test_old_store`` made it, before parts had names; it must not be made again.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from sei.build import build
from sei.errors import ConfigError
from sei.former import FORMER
from sei.models.target import TargetModel
from sei.parts import identity_of, part
from sei.records import TrainingExample
from sei.screening.held_out import earlier_texts, held_out_texts
from sei.stages.diagnose import keyphrases
from sei.stages.grade import GoldCheck, bad_cases, solved
from sei.store import Store, digest
from tests import stage_sources
from tests.compose import built

KEPT = Path(__file__).parent.parent / "fixtures" / "store_2026_11"
SMALL = ("experiment=smoke", "data.pool=40", "data.dev=10", "data.test=10", "budget.candidates=6")
EXAMPLES = (TrainingExample(id="a", question="What is 1 + 1?", solution="1+1=2\n#### 2", source="synthetic"),)
GONE: set[str] = set()  # names of removed parts
# the grader tells apart more answers, and the symbolic teacher counts fewer words as units
NEWER = {"goldcheck", "grade", "diagnose", "selfinstruct"}
# keys of stages that make or use weights; their results are not stored here
WEIGHTS = {
    "finetuner=full": "c16e9a8c11f8019a840d2eca",
    "finetuner=lora": "b15631f99afa10d81e5cd067",
}


def ask(store: Store) -> list[tuple[str, int]]:
    """Request one round up to the training set, as the loop does; returns what was made."""
    parts = built(*SMALL)
    m, data = parts["method"], parts["data"].load()
    base = m.attempt.target.base()
    store.once(GoldCheck(grader=m.grade.grader), (*data.pool, *data.held_out))
    graded = store.once(m.grade, store.each(m.attempt, base, items=data.pool))
    diagnoses = store.each(m.diagnose, items=bad_cases(graded))
    error_map = store.once(m.cluster, keyphrases(diagnoses, 0.5, 1), seed=11, earlier=())
    store.once(m.second_opinion, diagnoses, error_map, seed=12)
    screen = m.decontaminate.screen({**held_out_texts(data, error_map), "earlier": earlier_texts(())})
    given = (m.synthesize, error_map, data.pool, screen, 1)
    store.once(*given, seed=13, checkpoint=base, replay=solved(graded).replay)
    store.once(m.grade, store.each(m.attempt, base, items=data.held_out))
    return [(u.stage, u.made) for u in store.uses]


def key_of(override: str) -> str:
    method = built(*SMALL, override)["method"]
    return digest(method.finetune, [method.attempt.target.base(), EXAMPLES], {"seed": 1})


def test_a_store_of_november_2026_is_hit_by_every_stage(tmp_path):
    shutil.copytree(KEPT, tmp_path / "store")
    asked = ask(Store(root=tmp_path / "store"))
    assert {name for name, _ in asked} == {
        *("goldcheck", "attempts", "grade", "diagnose", "cluster", "nosecondopinion", "selfinstruct")
    }
    assert {name for name, made in asked if made} == NEWER


@pytest.mark.parametrize("override", WEIGHTS)
def test_the_key_of_a_fine_tune_is_that_of_november_2026(override):
    assert key_of(override) == WEIGHTS[override]


MOVED = """
from typing import ClassVar
from sei.parts import part

@part
class Double:
    identity: ClassVar[str] = "stage/double"
    version: ClassVar[int] = 1
    factor: int = 2

    def __call__(self, number: int) -> int:
        return number * self.factor
"""


def test_a_part_that_moves_to_another_module_keeps_its_results(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("here_first", "there_later"):
        (tmp_path / f"{name}.py").write_text(MOVED)
    first, later = (importlib.import_module(n).Double for n in ("here_first", "there_later"))
    store = Store(root=tmp_path / "store")
    assert (store.once(first(), 4), store.once(later(), 4)) == (8, 8)
    assert [u.made for u in store.uses] == [1, 0]
    store.once(later(factor=3), 4)
    assert store.uses[-1].made == 1


def test_a_part_without_a_name_is_known_by_module_and_class():
    @part
    class Mine(TargetModel):
        version: ClassVar[int] = 1

    assert identity_of(Mine).startswith(f"{__name__}.")
    assert identity_of(TargetModel) == "model/target"


def test_an_old_path_of_a_class_is_refused_with_the_way_on():
    with pytest.raises(ConfigError, match=r"it moved; the file for clusterer/ward in conf/ has its new path"):
        build({"_target_": "sei.stages.partitions.Ward"}, "clusterer", ())


def test_an_edit_of_a_plugin_is_never_ignored(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "edited_part.py"
    file.write_text(MOVED)
    module = importlib.import_module("edited_part")
    store = Store(root=tmp_path / "store")
    assert store.once(module.Double(), 4) == 8
    file.write_text(MOVED.replace("number * self.factor", "number + self.factor"))
    os.utime(file, ns=(1, 1))
    assert store.once(importlib.reload(module).Double(), 4) == 6
    assert [u.made for u in store.uses] == [1, 1]


def test_every_part_has_a_name_and_old_ones_keep_their_spelling():
    found = stage_sources.parts()
    assert all("/" in name for name in found), "give it an identity such as clusterer/ward"
    assert set(FORMER) <= set(found) | GONE
    assert len(set(FORMER.values())) == len(FORMER)


if __name__ == "__main__":
    shutil.rmtree(KEPT, ignore_errors=True)
    print(ask(Store(root=KEPT)), {o: key_of(o) for o in WEIGHTS}, file=sys.stderr)
    for extra in (*KEPT.rglob(".lock"), *KEPT.rglob("*.lock")):
        extra.unlink(missing_ok=True)
