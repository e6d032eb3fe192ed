"""Tables from made-up run folders, with numbers that can be computed by hand."""

from __future__ import annotations

import json

import pytest

from sei.compare import build, figures, render
from sei.compare.measures import STAGES
from sei.compare.runs import collect
from sei.compare.significance import paired_t
from tests.compare.made_up_runs import (
    BEST,
    NO_REFINEMENT,
    full_and_ablated,
    read,
    set_accuracy,
    write,
    write_items,
)


def test_main_table(tmp_path):
    full_and_ablated(tmp_path)
    table = build.main_table(read(tmp_path), BEST).tables[0]
    assert table.header == ("model", "data", "method", "seeds", "near (in domain, n=100)", "far (out of domain, n=100)")
    rows = {r[2]: r for r in table.rows}
    assert rows["base model"][4] == "50.0 [40.4, 59.6]"  # one base: Wilson over items, not a spread over seeds
    assert rows["Self-Error-Instruct"][3:5] == ("3", "82.0 [77.0, 87.0]")  # 2 * 4.3027 / sqrt(3)


def test_sets_of_a_role_are_averaged_and_missing_ones_said(tmp_path):
    write(tmp_path / "0", sets={"a": "in_domain", "b": "in_domain", "c": "out_of_domain"}, rounds=(0.6,))
    home = write(tmp_path / "1", sets={"a": "in_domain", "c": "out_of_domain"}, rounds=(0.6,), **NO_REFINEMENT)
    set_accuracy(home, a=0.7)
    result = build.main_table(read(tmp_path), BEST)
    assert result.tables[0].header[4:6] == ("in domain, mean of 2 sets", "a (in domain, n=100)")
    assert [r[4:7] for r in result.tables[0].rows if r[2] == "no refinement"] == [
        ("not measured", "70.0 [60.4, 78.1]", "not measured")
    ]
    missing = [r for r in result.records if r["method"] == "no refinement" and r["outcome"] == "b (in domain)"]
    assert [(r["accuracy"], r["interval"]) for r in missing] == [(None, "not measured")]


def test_seeds_that_rounding_alone_parts_show_no_spread(tmp_path):
    for seed, (a, b) in enumerate([(0.1, 0.2), (0.3, 0.0)]):  # (0.1 + 0.2) / 2 is not 0.3 / 2 to the last digit
        home = write(tmp_path / str(seed), seed=seed, sets={"a": "in_domain", "b": "in_domain"}, rounds=(0.6,))
        set_accuracy(home, a=a, b=b)
    records = build.main_table(read(tmp_path), BEST).records
    (mean,) = (r for r in records if r["method"] != "base model" and r["outcome"].startswith("in domain, mean"))
    assert (mean["interval"], mean["seeds"]) == ("bootstrap over items", 2)
    assert mean["accuracy_high"] - mean["accuracy_low"] > 0.05


def test_scores_of_answers_that_cannot_be_read_are_marked(tmp_path):
    home = write(tmp_path / "0", sets={"a": "in_domain", "b": "in_domain"}, rounds=(0.6,))
    summary = json.loads((home / "summary.json").read_text())
    summary["baseline"]["b"]["unreadable"] = 51
    (home / "summary.json").write_text(json.dumps(summary))
    table = build.main_table(read(tmp_path), BEST).tables[0]
    rows = {r[2]: r[4:] for r in table.rows}
    assert [c.endswith(" †") for c in rows["base model"]] == [True, False, True]  # the mean, a and b
    assert not any("†" in c for c in rows["Self-Error-Instruct"])
    assert "†: more than half of a run's answers" in render.markdown(table)
    summary["baseline"]["b"]["unreadable"] = 50
    (home / "summary.json").write_text(json.dumps(summary))
    assert "†" not in render.markdown(build.main_table(read(tmp_path), BEST).tables[0])


def test_main_records_hold_the_mean_and_each_outcome_once(tmp_path):
    write(tmp_path / "0", sets={"a": "in_domain", "b": "in_domain"}, rounds=(0.6,))
    for more in ({}, {"model": {"name": "other"}}):  # only the second block has one set in domain
        if more:
            write(tmp_path / "1", sets={"c": "in_domain"}, rounds=(0.7,), **more)
        records = build.main_table(read(tmp_path), BEST).records
        mine = [r for r in records if r["model"] == "small" and r["method"] != "base model"]
        assert [(r["outcome"], r["accuracy"]) for r in mine if r["accuracy"] is not None] == [
            ("in domain, mean of 2 sets", pytest.approx(0.6)),
            ("a (in domain)", 0.6),
            ("b (in domain)", 0.6),
        ]
        known = [(r["model"], r["method"], r["outcome"]) for r in records]
        assert len(known) == len(set(known))


def test_methods_without_a_run_stand_as_not_measured(tmp_path):
    full_and_ablated(tmp_path)
    table = build.main_table(read(tmp_path), BEST, ["no refinement", "MetaMath rewriting"]).tables[0]
    assert [r[2] for r in table.rows] == ["base model", "Self-Error-Instruct", "no refinement", "MetaMath rewriting"]
    assert table.rows[-1][3:] == ("0", "not measured", "not measured")


def test_a_set_without_items_was_not_measured(tmp_path):
    home = write(tmp_path / "0", rounds=(0.6,))
    summary = json.loads((home / "summary.json").read_text())
    summary["rounds"][0]["scores"]["near"] = {"role": "in_domain", "n": 0, "accuracy": 0.0}
    (home / "summary.json").write_text(json.dumps(summary))
    assert [r[4] for r in build.main_table(read(tmp_path), BEST).tables[0].rows][-1] == "not measured"


def test_checkpoint_best_or_last(tmp_path):
    write(tmp_path / "0", rounds=(0.8, 0.7), best=1)
    for which, shown in (("best", "80.0"), ("last", "70.0")):
        assert build.main_table(read(tmp_path), STAGES[which]).tables[0].rows[-1][4].startswith(shown)


def test_ablation_is_paired_over_seeds(tmp_path):
    full_and_ablated(tmp_path)
    result = build.ablation_tables(read(tmp_path), BEST)
    by_hand = paired_t([0.75, 0.74, 0.80], [0.80, 0.82, 0.84])
    record = next(r for r in result.records if r["method"] == "no refinement" and r["outcome"] == "near (in domain)")
    assert record["delta"] == pytest.approx(-0.17 / 3)
    assert record["p"] == record["p_holm"] == by_hand.p
    assert record["detectable"] == by_hand.detectable
    assert record["test"] == "paired t over seeds"
    assert record["verdict"] == ("real" if by_hand.p < 0.05 else "null")
    assert record["budget"] == "equal"
    assert result.tables[0].rows[1][2] == "-5.7 [-10.8, -0.5]"  # sd 2.082, times 4.3027 / sqrt(3)


def test_holm_counts_the_methods_of_a_table_but_not_the_base(tmp_path):
    full_and_ablated(tmp_path)
    for seed in (1, 2, 3):
        write(tmp_path / "z" / str(seed), seed=seed, rounds=(0.6, 0.7 + seed / 50), budget_scale=2)
    records = [r for r in build.ablation_tables(read(tmp_path), BEST).records if r["outcome"] == "near (in domain)"]
    assert {r["method"]: r["verdict"] for r in records}["base model"] == "outside Holm"
    tested = sorted((r["p"], r["p_holm"]) for r in records if r["p_holm"] is not None)
    assert [p_holm for _, p_holm in tested] == [pytest.approx(2 * tested[0][0])]


def test_a_p_that_nothing_defines_is_no_number(tmp_path):
    full_and_ablated(tmp_path)
    for seed, accuracy in ((1, 0.70), (2, 0.72), (3, 0.74)):  # all 10 points below the full method
        write(tmp_path / "z" / str(seed), seed=seed, rounds=(0.6, accuracy), budget_scale=2)
    result = build.ablation_tables(read(tmp_path), BEST)
    row = next(r for r in result.tables[0].rows if "budget_scale" in r[0])
    assert (row[2], row[4], row[5], row[7]) == ("-10.0", "not defined", "not defined", "not defined")
    assert "Not defined: " in render.markdown(result.tables[0])
    record = next(r for r in result.records if "budget_scale" in r["method"] and r["outcome"].startswith("near"))
    assert (record["p"], record["p_holm"], record["verdict"]) == (None, None, "not defined")


def test_one_seed_in_which_no_item_differs_has_no_p(tmp_path):
    for n, more in enumerate(({}, NO_REFINEMENT)):
        write_items(write(tmp_path / str(n), rounds=(0.8,), **more), "round_1", "near", [True] * 80 + [False] * 20)
    row = build.ablation_tables(read(tmp_path), BEST).tables[0].rows[1]
    assert (row[4], row[5], row[7]) == ("not defined", "not defined", "not defined")


def test_seeds_that_only_one_side_has_are_not_compared(tmp_path):
    write(tmp_path / "0", seed=1)
    write(tmp_path / "1", seed=2, **NO_REFINEMENT)
    result = build.ablation_tables(read(tmp_path), BEST)
    assert result.tables[0].rows[1][2] == "not measured"
    assert [r["method"] for r in result.records] == ["base model"] * 2


def test_one_seed_with_items_is_tested_by_mcnemar(tmp_path):
    a = write(tmp_path / "0", rounds=(0.8,))
    b = write(tmp_path / "1", rounds=(0.6,), **NO_REFINEMENT)
    write_items(a, "round_1", "near", [True] * 80 + [False] * 20)
    write_items(b, "round_1", "near", [False] * 99, stamp="2025-01-01T00-00-00.000000")  # an older file of the same run
    write_items(b, "round_1", "near", [False] * 30 + [True] * 60 + [False] * 10)  # 10 fixed, 30 broken
    near, far = build.ablation_tables(read(tmp_path), BEST).records[1::2]
    assert near["test"] == "exact McNemar over items"
    assert near["p"] == pytest.approx(0.0022, abs=1e-4)  # scipy.stats.binomtest(10, 40)
    assert near["verdict"] == "real (one seed)"
    assert near["delta_low"] < -0.2 < near["delta_high"] < 0
    assert near["questions_low"] == pytest.approx(-0.2 - 1.96 * 0.06, abs=1e-4)  # sd of differences 0.6
    assert far["test"].startswith("not tested")
    assert (far["p"], far["verdict"]) == (None, "not tested")


def test_items_that_do_not_fit_the_summary_test_nothing(tmp_path):
    a = write(tmp_path / "runs" / "0", rounds=(0.5,))
    b = write(tmp_path / "runs" / "1", rounds=(0.9,), **NO_REFINEMENT)
    write_items(a, "round_1", "near", [True] * 80 + [False] * 20)
    write_items(b, "round_1", "near", [True] * 30 + [False] * 70)  # 40 points better, says the summary; 50 worse
    near = build.ablation_tables(read(tmp_path), BEST).records[1]
    assert (near["test"], near["verdict"]) == ("not tested: one seed, no item files that fit the summary", "not tested")
    assert (near["delta"], near["delta_low"], near["p"]) == (pytest.approx(0.4), None, None)
    figures.draw(read(tmp_path), BEST, tmp_path)


def test_items_of_runs_without_harness_files_are_read_too(tmp_path):
    home = write(tmp_path / "0", rounds=(0.5,))
    (home / "round_1").mkdir()
    problem = {"id": "1", "question": "q", "set": "near"}
    rows = [
        {"attempt": {"problem": {**problem, "id": str(i)}}, "verdict": v, "fault": f}
        for i, (v, f) in enumerate([("right", ""), ("wrong", ""), ("unreadable", "timeout")])
    ]
    (home / "round_1" / "evaluation.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    run = collect([tmp_path])[0][0]
    assert run.items(1) == {"near": {("0", "q"): True, ("1", "q"): False}}
    assert run.items(0) == {}


def test_broken_item_files_are_as_good_as_none(tmp_path):
    home = write(tmp_path / "0", rounds=(0.5,))
    write_items(home, "round_1", "near", [True])
    next((home / "round_1" / "lm_eval").iterdir()).write_text('{"doc": ')
    assert collect([tmp_path])[0][0].items(1) == {}


def test_one_seed_over_several_sets_is_tested_on_the_shown_mean(tmp_path):
    sets = {"a": "in_domain", "b": "in_domain"}
    one = write(tmp_path / "0", rounds=(0.5,), sets=sets)
    other = write(tmp_path / "1", rounds=(0.5,), sets=sets, **NO_REFINEMENT)
    set_accuracy(one, a=0.96, b=1.0)
    set_accuracy(other, a=1.0, b=0.4)
    write_items(one, "round_1", "a", [False] * 40 + [True] * 960)
    write_items(other, "round_1", "a", [True] * 1000)  # 40 of 1,000 fixed: +4 points
    write_items(one, "round_1", "b", [True] * 10)
    write_items(other, "round_1", "b", [False] * 6 + [True] * 4)  # 6 of 10 broken: -60 points
    (mean,) = [
        r
        for r in build.ablation_tables(read(tmp_path), BEST).records
        if r["method"] == "no refinement" and r["outcome"].startswith("in domain")
    ]
    assert mean["test"] == "sign flips of discordant items, mean over sets"
    # the six of the small set decide: all have one sign by chance in 2 of 64, and the 40 can just outweigh them
    assert 0.02 < mean["p"] < 0.05
    assert mean["detectable"] > 0.3


@pytest.mark.parametrize(
    ("tokens", "candidates", "said"),
    [
        (1019, 400, "equal"),
        (1021, 400, "NOT equal: tokens 1.02x"),
        (1000, 200, "NOT equal: candidates 0.50x"),
        (500, 0, "NOT equal: candidates 0.00x, tokens 0.50x"),
        (None, 400, "NOT equal: tokens not measured"),
    ],
)
def test_budgets_are_compared_within_two_percent(tmp_path, tokens, candidates, said):
    write(tmp_path / "0")
    write(tmp_path / "1", tokens=tokens, candidates=candidates, **NO_REFINEMENT)
    assert build.ablation_tables(read(tmp_path), BEST).tables[0].rows[1][-1] == said


def test_budgets_that_deviate_both_ways_are_given_as_a_range(tmp_path):
    for seed, tokens in enumerate((900, 1100), 1):
        write(tmp_path / f"a{seed}", seed=seed)
        write(tmp_path / f"b{seed}", seed=seed, tokens=tokens, **NO_REFINEMENT)
    said = build.ablation_tables(read(tmp_path), BEST).tables[0].rows[1][-1]
    assert said == "NOT equal: tokens 0.90x to 1.10x"


def test_tokens_of_another_kind_of_fine_tuning_are_not_compared(tmp_path):
    write(tmp_path / "0", finetuner={"_target_": "sei.finetuners.supervised.Finetune"})
    write(tmp_path / "1", finetuner={"_target_": "sei.finetuners.grpo.GRPO"}, tokens=2500)
    said = build.ablation_tables(read(tmp_path), BEST).tables[0].rows[1][-1]
    assert said == "NOT equal: different fine-tuning: steps and tokens not comparable"


def test_fewer_fine_tunes_of_the_same_size_are_said(tmp_path):
    write(tmp_path / "0")
    (tmp_path / "1").mkdir()
    write(tmp_path / "2", rounds=(0.6,), candidates=800, **NO_REFINEMENT)
    said = build.ablation_tables(read(tmp_path), BEST).tables[0].rows[1][-1]
    assert said == "NOT equal: tokens 0.50x (a fine-tune: equal)"


def test_rounds_table_says_who_stopped_early(tmp_path):
    write(tmp_path / "0", seed=1, rounds=(0.6, 0.7))
    write(tmp_path / "1", seed=2, rounds=(0.62,))
    table = build.rounds_tables(read(tmp_path)).tables[0]
    assert table.header == ("outcome", "method", "seeds", "base", "round 1", "round 2")
    assert table.rows[0][3:] == ("50.0 [40.4, 59.6]", "61.0 [48.3, 73.7]", "70.0 [60.4, 78.1] (1 of 2 seeds)")


def test_budget_curve_joins_methods_that_differ_in_budget_alone(tmp_path):
    write(tmp_path / "0")
    write(tmp_path / "1", candidates=800, budget_scale=2)
    write(tmp_path / "2", candidates=800, **NO_REFINEMENT)
    table = build.budget_table(read(tmp_path), BEST).tables[0]
    assert [r[2:7] for r in table.rows] == [
        ("Self-Error-Instruct", "Self-Error-Instruct", "1", "800", "2000"),
        ("Self-Error-Instruct", "Self-Error-Instruct, budget_scale=2", "1", "1600", "2000"),
    ]
