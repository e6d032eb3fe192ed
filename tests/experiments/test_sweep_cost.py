"""The savings of a sweep: a small run, and the count of results made twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.measurements import sweep_cost
from tests.compose import SHORT


def run(home: Path, *uses: tuple[str, str, int]) -> Path:
    home.mkdir(parents=True)
    rows = [{"stage": s, "key": k, "made": n, "reused": 0, "seconds": 0.0} for s, k, n in uses]
    (home / "ledger.json").write_text(json.dumps({"uses": rows}))
    return home


def test_results_made_by_two_jobs_are_counted(tmp_path):
    """Results made by two jobs are counted, and row-wise entries that both extend are not."""
    rows = tmp_path / "store" / "attempts" / "k" / "rows.jsonl"
    rows.parent.mkdir(parents=True)
    rows.write_text("{}\n" * 5)
    runs = [
        run(tmp_path / "a", ("cluster", "c", 1), ("attempts", "k", 3)),
        run(tmp_path / "b", ("cluster", "c", 0), ("attempts", "k", 2)),
    ]
    assert sweep_cost.made_twice(runs, tmp_path / "store") == {}
    runs.append(run(tmp_path / "c", ("cluster", "c", 1), ("attempts", "k", 2)))
    assert sweep_cost.made_twice(runs, tmp_path / "store") == {"cluster": 1, "attempts": 2}


def test_a_part_that_was_interrupted_is_not_timed(tmp_path, capsys):
    (tmp_path / "together").mkdir()
    assert sweep_cost.main([str(tmp_path), "seed=0"]) == 2
    assert str(tmp_path / "together") in capsys.readouterr().err


@pytest.mark.slow
def test_jobs_together_and_apart_have_equal_scores(tmp_path, capsys):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="needs the sweep extra")
    home = tmp_path / "cost"
    command = [str(home), *SHORT[:1], *SHORT[2:], "refiner=none,random"]
    assert sweep_cost.main(command) == 0
    together, apart, wall, jobs, differ = capsys.readouterr().out.splitlines()
    assert "2 jobs" in together
    assert together.endswith("made twice: 0")
    counts = [int(line.split(" results")[0].split()[-1]) for line in (together, apart)]
    assert counts[0] < counts[1]
    # Savings are counted above, in results: the time of two short jobs on a busy machine says nothing.
    seconds = {part: float((home / part / "seconds").read_text()) for part in ("together", "apart")}
    assert wall == f"wall time, together / apart: {seconds['together'] / seconds['apart']:.2f}"
    joint = json.loads((home / "together" / "sweep" / "sweep.json").read_text())["jobs"].values()
    alone = [float(p.read_text()) for p in (home / "apart").glob("*/seconds") if p.parent.name.isdigit()]
    mine, theirs = sum(j["seconds"] for j in joint), sum(alone)
    assert jobs == f"of 2 jobs that ran both ways: {mine:.0f} s together, {theirs:.0f} s apart, {mine / theirs:.2f}"
    assert differ == "jobs with other scores: none"
    assert sweep_cost.main(command) == 0, "what is done is not run again"
    assert capsys.readouterr().out.splitlines()[0] == together


def test_jobs_apart_may_be_those_with_one_override_alone(tmp_path, monkeypatch, capsys):
    sweep = tmp_path / "together" / "sweep"
    jobs = {str(n): {"overrides": ["experiment=smoke", f"seed={n}"], "folder": str(sweep / str(n))} for n in range(3)}
    for n, job in jobs.items():
        job["seconds"] = 10.0 + int(n)
        summary = {"baseline": {"accuracy": int(n)}, "rounds": []}
        (run(sweep / n, ("cluster", n, 1)) / "summary.json").write_text(json.dumps(summary))
    (sweep / "sweep.json").write_text(json.dumps({"jobs": jobs}))
    (tmp_path / "together" / "seconds").write_text("20\n")

    def timed(command):
        (number,) = (c.split("/apart/")[1].split("/")[0] for c in command if c.startswith("hydra.run.dir="))
        assert f"seed={number}" in command
        home = run(tmp_path / "apart" / number / "run", ("cluster", number, 1))
        accuracy = {"0": 0, "2": 5}[number]
        (home / "summary.json").write_text(json.dumps({"baseline": {"accuracy": accuracy}, "rounds": []}))
        return 16.0

    monkeypatch.setattr(sweep_cost, "_timed", timed)
    assert sweep_cost.main([str(tmp_path), "--only", "seed=0", "seed=2", "--", "experiment=smoke", "seed=0,1,2"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert not any(line.startswith("wall time") for line in said)
    assert said[-2:] == [
        "of 2 jobs that ran both ways: 22 s together, 32 s apart, 0.69",
        "jobs with other scores: ['2']",
    ]
