"""The page of a sweep: jobs that differ only in the seed are one setting, with curves, changes and cost over seeds."""

from __future__ import annotations

import math

import filelock
import pytest

from sei.report.page import make_sweep_page
from sei.report.page.settings import is_seed
from sei.report.page.spread import over_seeds, spread
from sei.report.page.sweep import gather_sweep
from sei.statistics import wilson
from tests.report.run_folders import HOSTILE, data_of
from tests.report.sweep_folders import SETTINGS, large_sweep, make_sweep, scored, summary


def test_the_interval_over_seeds_is_students():
    found = spread([1.0, 2.0, 3.0, 4.0, 5.0])  # by hand: t(4) = 2.776445, deviation sqrt(2.5)
    half = 2.776445 * math.sqrt(2.5) / math.sqrt(5)
    assert (found["n"], found["mean"], found["range"]) == (5, 3.0, [1.0, 5.0])
    assert found["ci95"] == pytest.approx([3 - half, 3 + half], abs=1e-6)
    half = 4.302653 / math.sqrt(3)  # t(2), deviation 1
    assert spread([0.0, 1.0, 2.0])["ci95"] == pytest.approx([1 - half, 1 + half], abs=1e-5)


@pytest.mark.parametrize("values", [[0.3], [0.3, 0.3, 0.3], [0.1 + 0.2, 0.3], [0.0, 2.0]])
def test_seeds_that_show_no_difference_have_no_interval(values):
    assert spread(values)["ci95"] is None


def test_an_accuracy_has_the_interval_of_its_seeds_or_one_seed():
    one = over_seeds([scored("dev", 30, 200)])
    assert (one["how"], one["n"], one["ci95"]) == ("wilson", 1, list(wilson(30, 200).ends))
    two = over_seeds([scored("dev", 10, 200), scored("dev", 12, 200)])
    assert (two["how"], two["ci95"], two["range"]) == ("two", None, [0.05, 0.06])  # two seeds are two points
    three = over_seeds([scored("dev", n, 200) for n in (0, 2, 10)])
    half = 4.302653 * math.sqrt(0.0007) / math.sqrt(3)  # by hand: shares 0, 0.01, 0.05
    assert (three["how"], three["ci95"]) == ("t", [0.0, pytest.approx(0.02 + half, abs=1e-6)])
    same = over_seeds([scored("dev", 10, 200)] * 2)
    assert (same["how"], same["ci95"], same["n"]) == ("equal", None, 2)


@pytest.mark.parametrize(
    ("override", "seed"), [("seed=1", True), ("+seed=1", True), ("data.seed=1", False), ("seeds=1", False)]
)
def test_the_seed_of_the_run_is_told_from_other_settings(override, seed):
    assert is_seed(override) is seed


def test_jobs_that_differ_in_the_seed_alone_are_one_setting(tmp_path):
    made = summary(0, [80, 90], 1)
    jobs = [
        ([f"seed={s}", "rounds=1", r], "done", {**made, "seed": s}) for s in (0, 1) for r in ("refiner=none", "a=b")
    ]
    data = gather_sweep(make_sweep(tmp_path, jobs))
    assert data["shared"] == ["rounds=1"]
    assert [s["own"] for s in data["settings"]] == [["refiner=none"], ["a=b"]]
    assert [s["jobs"] for s in data["settings"]] == [["0", "2"], ["1", "3"]]
    assert [s["seeds"] for s in data["settings"]] == [2, 2]


def test_settings_that_differ_in_a_hidden_value_stay_apart(tmp_path):
    jobs = [([f"instructor.token={t}", "seed=0"], "done", summary(0, [80, 90], 1)) for t in ("abc", "xyz")]
    data = gather_sweep(make_sweep(tmp_path, jobs))
    assert [s["jobs"] for s in data["settings"]] == [["0"], ["1"]]
    assert "abc" not in str(data)


def test_the_same_seed_twice_is_one_result(tmp_path):
    jobs = [([f"seed={s}"], "done", summary(s, [80, c], 1)) for s, c in ((0, 90), (1, 100), (0, 110))]
    (setting,) = gather_sweep(make_sweep(tmp_path, jobs))["settings"]
    assert (setting["seeds"], setting["jobs"]) == (2, ["0", "1", "2"])
    assert setting["changes"]["test_set"]["n"] == 2
    assert setting["changes"]["test_set"]["mean"] == pytest.approx((0.15 + 0.1) / 2)  # the last job of seed 0


def test_curves_are_means_over_seeds_from_the_base_on(tmp_path):
    jobs = [
        (["seed=0"], "done", summary(0, [80, 90, 100], 2)),
        (["seed=1"], "done", summary(1, [84, 96, 90], 1)),
        (["seed=2"], "done", summary(2, [82, 90], 1)),
    ]
    (setting,) = gather_sweep(make_sweep(tmp_path, jobs))["settings"]
    curve = setting["curves"]["test_set"]
    assert [p["n"] for p in curve] == [3, 3, 2]
    assert [p["mean"] for p in curve] == pytest.approx([0.41, 0.46, 0.475])
    half = 4.302653 * 0.01 / math.sqrt(3)  # t(2); base accuracies 0.40, 0.41, 0.42
    assert curve[0]["ci95"] == pytest.approx([0.41 - half, 0.41 + half], abs=1e-6)
    assert [p["how"] for p in curve] == ["t", "t", "two"]
    assert setting["chosen"] == [(1, 2), (2, 1)]
    assert list(setting["curves"]) == ["test_set", "far", "dev_set"]


def test_a_single_seed_has_the_interval_of_its_own_summary(tmp_path):
    jobs = [(["seed=4"], "done", summary(4, [80, 90], 1))]
    (setting,) = gather_sweep(make_sweep(tmp_path, jobs))["settings"]
    assert [p["ci95"] for p in setting["curves"]["test_set"]] == [list(wilson(k, 200).ends) for k in (80, 90)]
    assert setting["changes"]["test_set"]["ci95"] is None


def test_a_change_is_that_of_the_chosen_round(tmp_path):
    """A change is that of the chosen round, with interval, range and number of seeds."""
    scores = ((0, [80, 120, 90], 1), (1, [80, 84, 96], 2), (2, [80, 80, 70], 0))
    jobs = [([f"seed={s}"], "done", summary(s, corrects, best)) for s, corrects, best in scores]
    (setting,) = gather_sweep(make_sweep(tmp_path, jobs))["settings"]
    change = setting["changes"]["test_set"]  # 0.20, 0.08 and 0.00
    mean, deviation = 0.28 / 3, math.sqrt(sum((x - 0.28 / 3) ** 2 for x in (0.2, 0.08, 0.0)) / 2)
    half = 4.302653 * deviation / math.sqrt(3)
    assert (change["n"], change["mean"]) == (3, pytest.approx(mean))
    assert change["range"] == pytest.approx([0.0, 0.2])
    assert change["ci95"] == pytest.approx([mean - half, mean + half], abs=1e-6)
    assert change["reached"] == pytest.approx(0.4 + mean)


def test_cost_is_the_mean_of_the_jobs_that_say(tmp_path):
    without = {k: v for k, v in summary(1, [80, 90, 90], 1).items() if k != "instructor"}
    jobs = [
        (["seed=0"], "done", summary(0, [80, 90, 90], 1)),  # 100 s, two rounds: 1000 + 2000 tokens, 400 + 400 made
        (["seed=1"], "done", without),  # 110 s, one more token in each round
        (["seed=2"], "failed", None),  # 120 s that are not counted
    ]
    (setting,) = gather_sweep(make_sweep(tmp_path, jobs))["settings"]
    cost = {k: (v["mean"], v["range"], v["n"]) for k, v in setting["cost"].items()}
    assert cost["seconds"] == (105, [100, 110], 2)
    assert cost["making"] == (201, [200, 202], 2)
    assert cost["tokens"] == (3001, [3000, 3002], 2)
    assert cost["candidates"] == (800, [800, 800], 2)
    assert cost["requests"] == (700, [700, 700], 1)
    assert (cost["input_tokens"][0], cost["output_tokens"][0], cost["usd"][0]) == (90_000, 30_000, 0.5)


def test_what_no_summary_says_is_no_cost_of_nothing(tmp_path):
    made = summary(0, [80, 90], 1)
    made.pop("instructor")
    made["rounds"][0].pop("trained_tokens")
    (setting,) = gather_sweep(make_sweep(tmp_path, [(["seed=0"], "done", made)]))["settings"]
    assert {k for k, v in setting["cost"].items() if v is None} == {
        "tokens", "requests", "input_tokens", "output_tokens", "usd"
    }  # fmt: skip


def test_jobs_without_a_result_are_told_and_count_in_no_mean(tmp_path):
    old = summary(9, [0, 200], 1)  # from an earlier attempt in the same folder
    jobs = [
        (["seed=0"], "done", summary(0, [80, 90], 1)),
        (["seed=1"], "running", old),
        (["seed=2"], "failed", old),
        (["seed=0", "a=b"], "killed", None),
    ]
    data = gather_sweep(make_sweep(tmp_path, jobs))
    first, second = data["settings"]
    assert first["states"] == {"done": 1, "running": 1, "failed": 1}
    assert (first["seeds"], first["changes"]["test_set"]["mean"]) == (1, pytest.approx(0.05))
    assert (second["states"], second["seeds"], second["curves"], second["changes"]) == ({"killed": 1}, 0, {}, {})
    assert [j["exit_code"] for j in data["jobs"]] == [0, None, 3, -9]


def test_a_job_of_a_killed_sweep_is_told_from_one_that_runs(tmp_path):
    """A job that ran when its sweep was killed differs from a running one."""
    jobs = [([f"seed={s}"], "running", None) for s in range(4)]
    home = make_sweep(tmp_path / "one", jobs)
    for lock in (".job_0.lock", ".job_1.lock", ".job_2.lock", "2/.lock", "0/.lock"):
        (home / lock).touch()
    with filelock.FileLock(home / ".job_1.lock"), filelock.FileLock(home / "2" / ".lock"):
        # 0: no process; 1: its sweep runs it; 2: the job itself still runs; 3: not begun
        states = [j["state"] for j in gather_sweep(home)["jobs"]]
        assert states == ["killed", "running", "running", "running"]
        assert gather_sweep(home)["settings"][0]["states"] == {"killed": 1, "running": 3}


def test_a_done_job_whose_summary_cannot_be_read_says_so(tmp_path):
    home = make_sweep(tmp_path, [([f"seed={s}"], "done", summary(s, [80, 90], 1)) for s in range(3)])
    (home / "0" / "summary.json").write_text("{")
    (home / "1" / "summary.json").unlink()
    data = gather_sweep(home)
    assert ["damaged" in " ".join(j["notes"]) for j in data["jobs"]] == [True, False, False]
    assert data["jobs"][1]["notes"] == ["summary.json is not in the run folder"]
    assert data["settings"][0]["seeds"] == 1


def test_tests_stand_before_dev_with_their_numbers_of_problems(tmp_path):
    small = summary(1, [80, 90], 1, n=150)
    for stage in (small["baseline"], small["rounds"][0]["scores"]):
        stage["extra"] = stage.pop("far")
    jobs = [(["seed=0"], "done", summary(0, [80, 90], 1)), (["seed=1"], "done", small)]
    data = gather_sweep(make_sweep(tmp_path, jobs))
    assert [s["name"] for s in data["sets"]] == ["test_set", "far", "extra", "dev_set"]
    assert [s["n"] for s in data["sets"]] == [[150, 200], [200, 200], [150, 150], [150, 200]]
    assert data["settings"][0]["changes"]["far"]["n"] == 1


def test_nine_settings_and_hostile_overrides_fit_one_page(tmp_path):
    home = large_sweep(tmp_path / "sweep", (*SETTINGS[:8], f"name={''.join(HOSTILE.split())}"))
    page = make_sweep_page(home)
    text = page.read_text("utf-8")
    assert text.count("<script") == text.count("</script>") == 2
    assert "<img" not in text
    settings = data_of(page)["settings"]
    assert len(settings) == 9
    assert [s["seeds"] for s in settings] == [5, 4, 5, 5, 5, 5, 5, 5, 3]
    assert all(len(s["curves"]) == 3 for s in settings)
