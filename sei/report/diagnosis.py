"""The results of a run with given outputs: one round that ends after its error types, and no model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sei.choice import DIAGNOSED, Ending
from sei.records import RoundRecord
from sei.report import console
from sei.report.folder import write_errors, write_json, write_rows
from sei.report.page.files import FAILURE
from sei.report.pictures import Shown, draw
from sei.report.summary import git_commit, instructor_dict, machine, round_dict
from sei.store import Store

_OF_ERRORS = (
    "round",
    "bad_cases",
    "unreadable",
    "error_types",
    "second_opinion",
    "dropped",
    "scores",
    "instructor",
    "seconds",
    "devices",
)


def write_diagnosis(folder: Path, record: RoundRecord, store: Store) -> dict[str, Any]:
    """Write ``round_1/`` up to its error types; return its part of the summary. ``store`` keeps the pictures."""
    home = folder / f"round_{record.round}"
    (folder / FAILURE).unlink(missing_ok=True)  # from an earlier attempt
    said = round_dict(record, ())
    report = {k: said[k] for k in _OF_ERRORS if k in said}
    report["right"] = sum(g.verdict == "right" and not g.fault for g in record.graded)
    report["outputs"] = len(record.graded)
    report["grader_errors"] = sum(bool(g.fault) for g in record.graded)
    write_errors(home, record)
    write_rows(home / "dropped.jsonl", record.error_map.rejections)
    write_json(home / "report.json", report)
    draw(Shown(error_map=record.error_map), folder, record.round, store)
    return report


def finish_diagnosis(
    folder: Path, record: RoundRecord, report: dict[str, Any], ending: Ending | None, about: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the summary, show the types in the terminal, and return the summary.

    ``report`` is the round's part; ``about`` names the run and the outputs (``attempts``).
    """
    summary = {
        **about,
        "git_commit": git_commit(),
        "versions": machine(),
        "baseline": {},
        "rounds": [report],
        "stopped": ending or DIAGNOSED,
        "best_round": 0,
        "instructor": instructor_dict([record]),
    }
    write_json(folder / "summary.json", summary)
    console.show_types(record, summary["stopped"], folder)
    return summary
