"""A sweep ends with its comparison, and log lines of its jobs have the job's number."""

from __future__ import annotations

import logging

from sei.compare.console import show
from sei.errors import DataError
from sei.exits import tell
from sei.sweep import numbered
from tests.compare.made_up_runs import NO_REFINEMENT, write


def test_the_comparison_and_the_page_are_the_last_lines(tmp_path, capsys):
    for seed in (1, 2):
        write(tmp_path / f"a{seed}", seed=seed)
        write(tmp_path / f"b{seed}", seed=seed, rounds=(0.6, 0.65 + seed / 100), **NO_REFINEMENT)
    (tmp_path / "c" / ".hydra").mkdir(parents=True)
    (tmp_path / "c" / ".hydra" / "config.yaml").write_text("{}")
    show(tmp_path, tmp_path / "report.html")
    lines = capsys.readouterr().out.splitlines()
    assert "finished runs: 4" in lines[0]
    rows = [line for line in lines if "│" in line]
    assert [row.split("│")[3].strip() for row in rows] == ["base model", "Self-Error-Instruct", "no refinement"]
    assert not any("main.csv" in line for line in lines)
    assert lines[-3] == (
        f"Left out: {tmp_path / 'c'}: no summary.json: not finished, or nothing was run (refused settings, dry_run, "
        "estimate)."
    )
    assert lines[-2] == f"tests of the differences: python -m sei.compare {tmp_path}"
    assert lines[-1] == f"page of the sweep: {tmp_path / 'report.html'}"


def test_a_sweep_without_results_names_its_page_all_the_same(tmp_path, capsys):
    show(tmp_path, tmp_path / "report.html")
    out = capsys.readouterr().out
    assert out.splitlines() == [f"page of the sweep: {tmp_path / 'report.html'}"]


def test_every_line_of_a_job_carries_its_number(capsys):
    given = {"version": 1, "formatters": {"a": {"format": "[%(name)s] - %(message)s"}, "b": {}, "c": {"style": "{"}}}
    found = numbered(given, 7)["formatters"]
    record = logging.LogRecord("sei", logging.INFO, "", 0, "done", None, None)
    assert logging.Formatter(found["a"]["format"]).format(record) == "[job 7][sei] - done"
    assert logging.Formatter(found["b"]["format"]).format(record) == "[job 7] done"
    assert found["c"] == {"style": "{"}
    assert given["formatters"]["b"] == {}
    assert tell(DataError("a row is broken"), "sei: job 7") == 2
    assert capsys.readouterr().err == "sei: job 7: a row is broken\n"
