"""What may be compared: the same questions, the same base, and settings that can change a result."""

from __future__ import annotations

import json
import typing

import pytest
import yaml

from sei.compare import build
from sei.compare.differences import compare
from sei.compare.measures import STAGES, estimate, outcomes
from sei.compare.runs import Run, Skipped, read_run
from sei.compare.settings import SPEED, settings
from sei.engines.openai_server import ServedEngine
from sei.errors import DataError
from sei.finetuners.supervised import Finetune
from sei.grading import MathGrader
from sei.instructors.remote.instructor import OpenAICompatible
from sei.loading import load
from sei.parts import IMMATERIAL
from sei.report.inputs import settings_digest
from tests.compare.made_up_runs import BEST, NO_REFINEMENT, names, read, write, write_items

ONE = {"near": "in_domain"}


def main_rows(blocks) -> dict[str, tuple[str, ...]]:
    return {row[2]: row for row in build.main_table(blocks, BEST).tables[0].rows}


def test_other_questions_of_the_same_number_are_another_set(tmp_path):
    """A mended test file was averaged with the old one, in silence."""
    for seed, content in enumerate(["aaaa0000", "bbbb1111", "bbbb1111"]):
        write(tmp_path / str(seed), seed=seed, sets=ONE, held_out={"near": content})
    blocks = read(tmp_path)
    assert sorted((b.data, *(len(m.runs) for m in b.methods)) for b in blocks) == [
        ("Arithmetic (near aaaa0000)", 1),
        ("Arithmetic (near bbbb1111)", 2),
    ]


def test_runs_that_do_not_tell_their_questions_go_by_number(tmp_path):
    write(tmp_path / "0", seed=0, sets=ONE)
    write(tmp_path / "1", seed=1, sets=ONE, held_out={"near": "aaaa0000"})
    (block,) = read(tmp_path)
    assert block.data == "Arithmetic"
    assert len(block.full.runs) == 2


def test_every_base_has_a_row_of_its_own(tmp_path):
    """The bases of arms that are asked in another way were averaged into a model that never was."""
    short = {"engine": {"max_new_tokens": 24}}
    for seed, more in [(0, {}), (1, {}), (2, short), (3, short)]:
        write(tmp_path / f"a{seed}", seed=seed, base=0.3 if more else 0.5, rounds=(0.6,), **more)
    first, second = (row for name, row in main_rows(read(tmp_path)).items() if name.startswith("base model"))
    assert first[2] == "base model"
    assert second[2].startswith("base model of Self-Error-Instruct, engine.max_new_tokens=")
    assert {first[3:5], second[3:5]} == {("2", "50.0 [40.4, 59.6]"), ("2", "30.0 [21.9, 39.6]")}


@pytest.mark.parametrize(("base", "said"), [(0.5, 1), (0.4, 2)])
def test_bases_with_equal_scores_are_one(tmp_path, base, said):
    write(tmp_path / "0", rounds=(0.6,), engine={"max_new_tokens": 64})
    write(tmp_path / "1", rounds=(0.6,), base=base, engine={"max_new_tokens": 96})
    assert sum(name.startswith("base model") for name in main_rows(read(tmp_path))) == said


def test_a_method_that_shares_no_seed_has_the_same_base(tmp_path):
    write(tmp_path / "0", seed=0, rounds=(0.6,))
    write(tmp_path / "1", seed=1, base=0.52, rounds=(0.6,), **NO_REFINEMENT)
    assert [r[3] for name, r in main_rows(read(tmp_path)).items() if name.startswith("base")] == ["2"]


def sampled(home, seed=1, **more):
    """Write a run with four answers to each of 60 questions."""
    write(home, seed=seed, sets=ONE, rounds=(0.5,), **more)
    summary = json.loads((home / "summary.json").read_text())
    for scores in (summary["baseline"], summary["rounds"][0]["scores"]):
        scores["near"] |= {"n": 240, "samples": 4, "ci95": [0.392, 0.625], "accuracy": 0.5083}
    (home / "summary.json").write_text(json.dumps(summary))


def test_several_answers_to_a_question_are_not_several_questions(tmp_path):
    """The interval of 60 questions with four answers each was that of 240 questions."""
    sampled(tmp_path / "0")
    (block,) = read(tmp_path)
    (outcome,) = outcomes(list(block.full.runs.values()))
    found = estimate(block.full, outcome, STAGES["last"])
    assert found.kind == "clustered by question"
    assert (found.interval.low, found.interval.high) == pytest.approx((0.392, 0.625))


def scored(home, **scores):
    """Write a run of one round whose base and round have these scores by set."""
    write(home, sets=dict.fromkeys(scores, "in_domain"), rounds=(0.5,))
    summary = json.loads((home / "summary.json").read_text())
    for stage in (summary["baseline"], summary["rounds"][0]["scores"]):
        for name, more in scores.items():
            stage[name] |= more
    (home / "summary.json").write_text(json.dumps(summary))


NOTHING = {"n": 40, "accuracy": 0.0, "correct": 0, "samples": 4, "ci95": [0.0, 0.278]}
ALL = {"n": 40, "accuracy": 1.0, "correct": 40, "samples": 4, "ci95": [0.722, 1.0]}


@pytest.mark.parametrize(
    ("scores", "low", "high"),
    [
        ({"near": NOTHING}, 0.0, 0.278),
        ({"near": ALL}, 0.722, 1.0),
        ({"near": NOTHING, "far": ALL}, 0.5 - 0.278 / 2, 0.5 + 0.278 / 2),
        ({"near": {"n": 30, "accuracy": 0.0}, "far": {"n": 30, "accuracy": 0.0}}, 0.0, 0.1135 / 2**0.5),
    ],
)
def test_intervals_at_the_ends_are_possible_and_have_a_width(scores, low, high, tmp_path):
    """0 of 10 questions gave -13.9 to 13.9 %, and 0 of 30 on two sets 0 to 0 %."""
    scored(tmp_path / "0", **scores)
    (block,) = read(tmp_path)
    outcome = max(outcomes(list(block.full.runs.values())), key=lambda o: len(o.sets))
    found = estimate(block.full, outcome, STAGES["last"]).interval
    assert (found.low, found.high) == pytest.approx((low, high), abs=2e-4)


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_difference_is_of_the_questions_that_both_answered(seeds, tmp_path):
    """Ten wrong answers that were missing in one run made a difference of 10 points with the interval 0 to 0."""
    for seed in range(seeds):
        for name, right, more in (("full", [1] * 90 + [0] * 10, {}), ("none", [1] * 90, NO_REFINEMENT)):
            home = write(tmp_path / name / str(seed), seed=seed, sets=ONE, rounds=(0.5,), **more)
            summary = json.loads((home / "summary.json").read_text())
            score = {"n": len(right), "accuracy": sum(right) / len(right), "grader_errors": 100 - len(right)}
            summary["rounds"][0]["scores"]["near"] |= score
            (home / "summary.json").write_text(json.dumps(summary))
            write_items(home, "round_1", "near", right)
    (block,) = read(tmp_path)
    (outcome,) = outcomes(list(block.full.runs.values()))
    found = compare(block, outcome, STAGES["last"])[-1]
    assert (found.method, found.delta.mean) == ("no refinement", 0.0)


def test_numbers_are_not_shown_under_settings_of_a_later_command(tmp_path):
    """``estimate=true`` in a finished run's folder wrote its settings there, and tables named the numbers by them."""
    home = write(tmp_path / "0", sets=ONE, rounds=(0.5,))
    config = home / ".hydra" / "config.yaml"
    summary = json.loads((home / "summary.json").read_text())
    summary["settings"] = settings_digest(yaml.safe_load(config.read_text()))
    (home / "summary.json").write_text(json.dumps(summary))
    written = config.read_text()
    config.write_text(written + "tracker: none\nestimate: true\n")
    assert isinstance(read_run(home), Run)
    config.write_text(written.replace("Agglomerative", "NoClustering"))
    found = read_run(home)
    assert isinstance(found, Skipped)
    assert "changed after its numbers were made" in found.reason
    with pytest.raises(DataError, match="changed after its numbers were made"):
        load(home)
    assert len(read(tmp_path)) == 0


def test_runs_with_one_and_several_answers_are_compared(tmp_path):
    sampled(tmp_path / "0", engine={"samples": 4})
    write(tmp_path / "1", sets=ONE, rounds=(0.5,), engine={"samples": 1})
    home = tmp_path / "1" / "summary.json"
    home.write_text(home.read_text().replace('"n": 100', '"n": 60'))
    assert len(read(tmp_path)) == 1


def test_settings_of_speed_and_cost_do_not_part_seeds(tmp_path):
    """Raising ``instructor.max_usd``, as the message tells users to do, split an arm in two."""
    for seed, usd in enumerate((1, 5)):
        tuned = {"_target_": "sei.finetuners.supervised.Finetune", "lr": 0.1, "resume_every": 10 + seed}
        paid = {"_target_": "sei.instructors.remote.instructor.OpenAICompatible", "model": "m", "max_usd": usd}
        write(tmp_path / str(seed), seed=seed, finetuner=tuned, instructor=paid)
    (block,) = read(tmp_path)
    assert names([block]) == ["Self-Error-Instruct"]
    assert "finetuner.lr" in block.full.settings
    theirs = {"_target_": "mine.Finetune", "resume_every": 1}  # a plugin's class of the same name
    assert "finetuner.resume_every" in settings({"finetuner": theirs})


IN_THE_KEY_IF_SET = {  # ``reads`` or the stages put them there
    "Finetune": {"micro_batch", "supervised_logits", "deterministic"},
    "MathGrader": {"skip_bad_gold"},
    "OpenAICompatible": {"prompts"},
    "ServedEngine": {"samples", "temperature", "adapters", "finetunes", "lora_rank", "env"},
}


@pytest.mark.parametrize("part", [Finetune, MathGrader, OpenAICompatible, ServedEngine], ids=lambda p: p.__name__)
def test_settings_of_speed_are_those_that_no_key_holds(part):
    hints = typing.get_type_hints(part, include_extras=True)
    immaterial = {name for name, hint in hints.items() if IMMATERIAL in getattr(hint, "__metadata__", ())}
    assert immaterial == set(SPEED[part.__name__]) | IN_THE_KEY_IF_SET[part.__name__]
    assert set(SPEED) == set(IN_THE_KEY_IF_SET)


def with_inputs(home, digest):
    summary = json.loads((home / "summary.json").read_text())
    (home / "summary.json").write_text(json.dumps({**summary, "inputs": digest}))


@pytest.mark.parametrize(("second", "told"), [("aaaa", 0), ("bbbb", 1), ("", 0)])
def test_seeds_that_read_other_files_are_told(tmp_path, second, told):
    """A model folder, review file or plugin that is edited in place keeps its path, so the settings are equal."""
    for seed, digest in enumerate(["aaaa", second]):
        with_inputs(write(tmp_path / str(seed), seed=seed), digest)
    notes = build.main_table(read(tmp_path), BEST).tables[0].notes
    assert sum("may be of different methods" in n for n in notes) == told


def test_a_run_that_trains_nothing_is_a_base_and_no_method(tmp_path):
    write(tmp_path / "0", rounds=())
    for i, more in enumerate(({}, NO_REFINEMENT)):
        write(tmp_path / f"m{i}", **more)
    config = tmp_path / "0" / ".hydra" / "config.yaml"
    config.write_text(yaml.safe_dump({**yaml.safe_load(config.read_text()), "rounds": 0}))
    blocks = read(tmp_path)
    assert sorted(main_rows(blocks)) == ["Self-Error-Instruct", "base model", "no refinement"]
    assert all("rounds=0" not in str(table.rows) for table in build.ablation_tables(blocks, BEST).tables)
    alone = read(tmp_path / "0")
    assert list(main_rows(alone)) == ["base model"]
    assert build.rounds_tables(alone).tables == build.ablation_tables(alone, BEST).tables == ()


def test_intervals_of_two_seeds_hold_possible_values_only(tmp_path):
    for seed, accuracy in enumerate((0.5, 0.95)):
        write(tmp_path / f"a{seed}", seed=seed, rounds=(accuracy,), sets=ONE)
        write(tmp_path / f"b{seed}", seed=seed, rounds=(0.9 - accuracy / 2,), sets=ONE, **NO_REFINEMENT)
    blocks = read(tmp_path)
    assert main_rows(blocks)["Self-Error-Instruct"][4] == "72.5 [0.0, 100.0]"
    (row, *_) = [r for r in compare(blocks[0], outcomes(list(blocks[0].full.runs.values()))[0], BEST) if r.p]
    assert -1 <= row.delta.low < row.delta.mean < row.delta.high <= 1


def test_blocks_of_the_same_size_have_names_of_their_own(tmp_path):
    for seed, (n, content) in enumerate([(100, "aaaa0000"), (20, "bbbb1111"), (20, "cccc2222")]):
        home = write(tmp_path / str(seed), seed=seed, sets=ONE, held_out={"near": content})
        summary = json.loads((home / "summary.json").read_text())
        for scores in (summary["baseline"], *(r["scores"] for r in summary["rounds"])):
            scores["near"]["n"] = n
        (home / "summary.json").write_text(json.dumps(summary))
    assert sorted(b.data for b in read(tmp_path)) == [
        "Arithmetic (near n=100)",
        "Arithmetic (near n=20 bbbb1111)",
        "Arithmetic (near n=20 cccc2222)",
    ]
