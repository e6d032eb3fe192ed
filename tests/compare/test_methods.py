"""Which runs are of the same method, and how methods are named: by what was built."""

from __future__ import annotations

import json
import os

import pytest

from sei.compare.methods import blocks, method_name
from sei.compare.runs import collect
from tests.compare.made_up_runs import (
    CONFIG,
    NO_REFINEMENT,
    names,
    read,
    write,
)


def test_methods_are_named_by_what_was_built_not_by_label(tmp_path):
    write(tmp_path / "no_clusters" / "0", name="experiment_no_refinement")
    write(tmp_path / "sei" / "0", **NO_REFINEMENT, ablation={"name": "full"})
    write(tmp_path / "z" / "0", rounds=(0.6,), budget_scale=3)
    assert names(read(tmp_path)) == ["Self-Error-Instruct", "Self-Error-Instruct, budget_scale=3", "no refinement"]


def test_settings_of_a_swapped_part_are_named_on_disagreement(tmp_path):
    write(tmp_path / "0")
    for i, length in enumerate((0.1, 0.2)):
        write(tmp_path / f"c{i}", refiner={"_target_": "sei.stages.selection.Gradient", "step_size": length})
    assert names(read(tmp_path))[1:] == [
        "gradient filter, refiner.step_size=0.1",
        "gradient filter, refiner.step_size=0.2",
    ]


def test_a_moved_part_is_the_same_a_plugins_is_another(tmp_path):
    for seed, place in enumerate(("sei.refiners.gradient", "sei.stages.selection", "mine.selection")):
        write(tmp_path / str(seed), seed=seed, refiner={"_target_": f"{place}.Gradient", "keep": 0.5})
    (block,) = read(tmp_path)
    assert sorted(m.seeds for m in block.methods) == [(0, 1), (2,)]
    assert names([block]) == ["gradient filter", "Gradient"]


@pytest.mark.parametrize(
    ("part", "key", "value", "said"),
    [
        ("correct.DirectCorrection", "solutions", "instructor", "direct correction by the instructor"),
        ("correct.DirectCorrection", "solutions", "gold", "direct correction"),
        ("single_errors.LearningFromError", "contrast", True, "learning from error by contrast"),
        ("single_errors.LearningFromError", "contrast", False, "learning from error"),
    ],
)
def test_a_variant_that_is_its_own_method_is_named_even_alone(tmp_path, part, key, value, said):
    write(tmp_path / "0")
    write(tmp_path / "1", synthesizer={"_target_": f"sei.stages.{part}", key: value})
    assert names(read(tmp_path)) == ["Self-Error-Instruct", said]


@pytest.mark.parametrize(
    ("usual", "other"),
    [
        ({"replay": 150}, {"replay": 0}),
        ({"budget": {"bad": 5}}, {"budget": {"bad": 1}}),
        ({"scoring": {"min_validation": 5}}, {"scoring": {"min_validation": 1_000_000}}),
        ({"budget_scale": 1}, {"budget_scale": 2}),
    ],
)
def test_of_two_arms_the_one_with_default_settings_is_the_method(tmp_path, usual, other):
    write(tmp_path / "0", **other)
    write(tmp_path / "1", **usual)
    (block,) = read(tmp_path)
    assert block.full.runs[1].folder.name == "1"
    assert names([block])[1].startswith("Self-Error-Instruct, ")


def test_what_came_from_the_environment_parts_methods(tmp_path):
    instructor = {"_target_": "sei.Remote", "model": "${oc.env:SEI_INSTRUCTOR,local}"}
    for model in ("small", "large"):
        home = write(tmp_path / model, instructor=instructor)
        summary = json.loads((home / "summary.json").read_text())
        (home / "summary.json").write_text(json.dumps({**summary, "environment": {"instructor.model": model}}))
    assert names(read(tmp_path)) == ["Self-Error-Instruct", "Self-Error-Instruct, instructor.model=small"]


def test_runs_on_test_sets_of_other_sizes_are_never_paired(tmp_path):
    sizes = {"small": 60, "large": 100}
    for name, n in sizes.items():
        home = write(tmp_path / name, **(NO_REFINEMENT if name == "small" else {}))
        summary = json.loads((home / "summary.json").read_text())
        summary["baseline"]["near"] |= {"n": n - 2, "grader_errors": 2}
        (home / "summary.json").write_text(json.dumps(summary))
    found = read(tmp_path)
    assert [(b.data, names([b])) for b in found] == [
        ("Arithmetic (near n=100)", ["Self-Error-Instruct"]),
        ("Arithmetic (near n=60)", ["no refinement"]),
    ]


def test_a_part_without_a_word_is_named_by_its_class(tmp_path):
    write(tmp_path / "0")
    write(tmp_path / "1", clusterer={"_target_": "mine.Halves"}, instructor={"_target_": "mine.Oracle"})
    assert names(read(tmp_path)) == ["Self-Error-Instruct", "Halves, instructor=Oracle"]


def test_method_name_beside_a_reference(tmp_path):
    run = collect([write(tmp_path / "0", budget_scale=2)])[0][0]
    assert method_name(run, CONFIG) == "Self-Error-Instruct, budget_scale=2"
    assert method_name(run, run.config) == "Self-Error-Instruct"


def test_models_and_kinds_of_data_are_apart(tmp_path):
    write(tmp_path / "0")
    write(tmp_path / "1", model={"name": "large"})
    write(tmp_path / "2", data={"_target_": "sei.data.mawps.Mawps"})
    assert [(b.model, b.data) for b in read(tmp_path)] == [
        ("large", "Arithmetic"),
        ("small", "Arithmetic"),
        ("small", "Mawps"),
    ]


def test_of_the_same_method_and_seed_the_newest_counts(tmp_path):
    for i, name in enumerate(("new", "old")):
        home = write(tmp_path / name, rounds=(0.9 - i / 10,))
        os.utime(home / "summary.json", (1000 - i, 1000 - i))
    found, older = blocks(collect([tmp_path])[0])
    assert found[0].methods[0].runs[1].folder.name == "new"
    assert [r.folder.name for r in older] == ["old"]
