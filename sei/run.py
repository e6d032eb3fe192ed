"""One job: from built parts to a run folder, a tracker run and a table."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sei.loop import Evaluated, Method, best_on_dev, run_rounds, stop_reason
from sei.models.target import TargetModel
from sei.ports import DataSource, Tracker
from sei.records import RoundRecord, Score
from sei.report import console, plots
from sei.report.folder import write_json, write_model, write_round
from sei.report.summary import (
    config_digest,
    git_commit,
    instructor_dict,
    machine,
    round_dict,
    score_dict,
)
from sei.store import Store, digest

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Job:
    """Everything a job needs, built. ``group`` is the sweep it belongs to, empty for a single run."""

    name: str
    label: str
    seed: int
    rounds: int
    store: Path
    folder: Path
    group: str
    config: dict[str, Any]
    model: TargetModel
    method: Method
    data: DataSource
    tracker: Tracker


def run(job: Job) -> dict[str, Any]:
    """Run a job and return its summary; the tracker is closed whatever happens."""
    data = job.data.load()
    base = job.model.base()
    store = Store(root=job.store)
    run_id = digest(config_digest(job.config), job.group, str(job.folder))[:12]
    job.tracker.start(job.label, job.config, job.folder, group=job.group, run_id=run_id)
    exit_code = 1
    summary: dict[str, Any] = {}
    try:
        evaluated = []
        for e in run_rounds(job.method, data, job.rounds, job.seed, store, base):
            evaluated.append(e)
            _publish(job, evaluated)
        summary = summarize(job, evaluated)
        write_json(job.folder / "summary.json", summary)
        write_json(job.folder / "ledger.json", ledger(store))
        best = best_on_dev(evaluated)
        write_model(job.folder, best.checkpoint, job.model.name, best.scores)
        made, reused = sum(u.made for u in store.uses), sum(u.reused for u in store.uses)
        console.show(_stages(evaluated), job.folder, made, reused)
        exit_code = 0
    finally:
        job.tracker.finish(summary, exit_code)
    return summary


def _publish(job: Job, evaluated: list[Evaluated]) -> None:
    """Write and log what just became known."""
    last = evaluated[-1]
    if last.record is None:
        job.tracker.baseline(last.scores)
        return
    report = round_dict(last.record, evaluated[-2].graded)
    write_round(job.folder, last.record, report)
    _draw(job.folder, last.record, _stages(evaluated))
    job.tracker.round(last.record, report, job.folder / f"round_{last.record.round}")


def _draw(folder: Path, record: RoundRecord, stages: list[tuple[str, dict[str, Score]]]) -> None:
    home = folder / f"round_{record.round}"
    plots.cluster_map(record.error_map, home / "cluster_map.png")
    plots.criterion_curve(record.error_map, home / "criterion_curve.png")
    plots.training_curve(record.trained.curve, home / "training_curve.png")
    plots.score_curve(stages, folder / "scores.png")


def _stages(evaluated: list[Evaluated]) -> list[tuple[str, dict[str, Score]]]:
    return [("base" if e.record is None else f"round {e.record.round}", e.scores) for e in evaluated]


def summarize(job: Job, evaluated: list[Evaluated]) -> dict[str, Any]:
    """Return the summary of a run; equal for equal configs but for ``seconds``."""
    pairs = itertools.pairwise(evaluated)
    rounds = [round_dict(b.record, a.graded) for a, b in pairs if b.record is not None]
    return {
        "experiment": job.name,
        "seed": job.seed,
        "config_digest": config_digest(job.config),
        "git_commit": git_commit(),
        "versions": machine(),
        "baseline": score_dict(evaluated[0].scores),
        "rounds": rounds,
        "stopped": stop_reason(evaluated, job.rounds, job.method.patience),
        "best_round": evaluated.index(best_on_dev(evaluated)),
        "instructor": instructor_dict([e.record for e in evaluated if e.record is not None]),
    }


def ledger(store: Store) -> dict[str, Any]:
    """Return what this invocation made and reused, by stage."""
    stages: dict[str, dict[str, float]] = {}
    for u in store.uses:
        row = stages.setdefault(u.stage, {"made": 0, "reused": 0, "seconds": 0.0})
        row["made"] += u.made
        row["reused"] += u.reused
        row["seconds"] += u.seconds if u.made else 0.0
    return {"store": str(store.root), "stages": stages}
