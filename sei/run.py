"""One job: from built parts to a run folder, a tracker run and a table."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import yaml

from sei.build import build
from sei.choice import Evaluated, best_on_dev, stop_reason
from sei.data.study import Benchmark, with_benchmarks
from sei.errors import BusyError, DiskError
from sei.estimate import observations
from sei.exits import exit_code_of
from sei.loop import Method, run_rounds
from sei.models.target import TargetModel
from sei.parts import parts_in
from sei.ports import DataSource, Paid, Preflight, Tracker
from sei.preview import foresee
from sei.records import RoundRecord, Score
from sei.report import console, histograms, plots
from sei.report.cards import Origin, described
from sei.report.dataset import write_dataset
from sei.report.flow import flows
from sei.report.folder import write_json, write_round, write_rows
from sei.report.lm_eval import write_lm_eval
from sei.report.model_folder import write_model
from sei.report.page import write_page
from sei.report.summary import (
    config_digest,
    from_environment,
    git_commit,
    instructor_dict,
    machine,
    round_dict,
    score_dict,
)
from sei.stages.diagnose import RefusedDiagnosesError
from sei.store import Store, digest, require_locks, require_writable
from sei.store.uses import devices_by_stage

log = logging.getLogger(__name__)
_ELSEWHERE = "free space or fix permissions, or hydra.run.dir=PATH (a sweep: hydra.sweep.dir=PATH) in a writable place"


@dataclass(frozen=True, kw_only=True)
class Job:
    """Everything a job needs, built. ``group``: the sweep it belongs to (empty: a single run), ``number`` its place."""

    name: str
    label: str
    seed: int
    rounds: int
    store: Path
    folder: Path
    group: str
    number: int
    config: dict[str, Any]
    model: TargetModel
    method: Method
    data: DataSource
    benchmarks: dict[str, Benchmark]
    tracker: Tracker

    @property
    def run_id(self) -> str:
        """Return what names the run in W&B and in the store: made of config, sweep (or run folder) and place in it."""
        return digest(config_digest(self.config), self.group or self.folder.name, self.number)[:12]


def perform(config: dict[str, Any], folder: Path, *, sweep: str = "", number: int = 0) -> dict[str, Any]:
    """Build all parts of a checked, plain config and run the job.

    Raises:
        ConfigError: for a part that cannot be built, before anything costs.
        BusyError: when another process works in the same run folder.
    """
    plugins = tuple(config["plugins"])
    parts = {k: build(config[k], k, plugins) for k in ("model", "method", "data", "benchmarks", "tracker")}
    ablation = (config["ablation"] or {}).get("name", "full")
    job = Job(
        name=str(config["name"]),
        label=f"{config['name']}-{ablation}-s{config['seed']}",
        seed=config["seed"],
        rounds=config["rounds"],
        store=Path(str(config["store"])),
        folder=folder,
        group=sweep,
        number=number,
        config=config,
        **parts,
    )
    if config["estimate"] or config["dry_run"]:
        given = with_benchmarks(job.data.load(), job.benchmarks)
        assume, dry_run = build(config["assume"], "assume", plugins), config["dry_run"]
        store, base, rounds = Store(root=job.store), job.model.base(), job.rounds
        return foresee(job.method, given, base, store, assume, rounds=rounds, dry_run=dry_run, folder=folder)
    with _alone_in(folder):
        return run(job)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    lock = filelock.FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise BusyError(
            f"run folder {folder} is in use by another process. Remedy: wait for it, or drop hydra.run.dir so that "
            "every run gets a folder of its own."
        ) from None
    except OSError as e:
        raise DiskError(f"run folder {folder} cannot be written: {e.strerror or e}. Remedy: {_ELSEWHERE}.") from e
    try:
        yield
    finally:
        lock.release()


def preflight(job: Job) -> None:
    """Find out before anything costs whether a job can be done: folders take files, parts have what they need.

    Raises:
        DiskError: naming a folder that cannot be written.
        ConfigError: from a part that lacks something (a key, a GPU).
    """
    require_writable(job.folder, "run folder", _ELSEWHERE)
    root = Store(root=job.store).root
    require_writable(root, "store", "free space or fix permissions, or store=PATH (SEI_STORE) in a writable place")
    require_locks(
        root, "store", "store=PATH (SEI_STORE) on a local disk, or on a file system mounted with locks for all"
    )
    for part in parts_in([job.model, job.method, job.data, job.benchmarks, job.tracker]):
        if isinstance(part, Preflight):
            part.preflight()


def run(job: Job) -> dict[str, Any]:
    """Run a job and return its summary; the tracker is closed whatever happens."""
    preflight(job)
    data = with_benchmarks(job.data.load(), job.benchmarks)
    base = job.model.base()
    store = Store(root=job.store)
    job.tracker.start(job.label, job.config, job.folder, group=job.group, run_id=job.run_id)
    exit_code = 1
    summary: dict[str, Any] = {}
    evaluated: list[Evaluated] = []
    try:
        for e in run_rounds(job.method, data, job.rounds, job.seed, store, base):
            evaluated.append(e)
            _publish(job, evaluated)
            write_page(job.folder, so_far=len(evaluated) - 1)
            store.keep_run(job.run_id, job.folder, job.label)
        summary = summarize(job, evaluated)
        write_json(job.folder / "summary.json", summary)
        best = best_on_dev(evaluated)
        write_model(job.folder, best.checkpoint, best.scores, _origin(job), best_round=summary["best_round"])
        behind = job.method.curriculum.rounds_behind(summary["best_round"])
        job.tracker.model(job.folder / "model", best.scores, behind)
        made, reused = sum(u.made for u in store.uses), sum(u.reused for u in store.uses)
        console.show(_stages(evaluated), summary["best_round"], summary["stopped"], job.folder, made, reused)
        exit_code = 0
    except BaseException as e:
        exit_code = exit_code_of(e)
        if isinstance(e, RefusedDiagnosesError):
            write_rows(job.folder / f"round_{e.number}" / "diagnoses.jsonl", e.diagnoses)
        raise
    finally:
        records = [e.record for e in evaluated if e.record is not None]
        write_json(job.folder / "ledger.json", ledger(store, job.method, records))
        if exit_code == 0:
            write_page(job.folder)
        _close(job.tracker, summary, exit_code)
    return summary


def _close(tracker: Tracker, summary: dict[str, Any], exit_code: int) -> None:
    """Close the tracker; one that fails at it changes neither the result nor the exit code.

    A scheduler sends its signal to the whole process group, so a tracker's own process may be gone already.
    """
    try:
        tracker.finish(summary, exit_code)
    except Exception as e:  # whatever a tracker raises
        log.warning(
            "the tracker could not be closed (%s: %s); the run folder holds all of the run", type(e).__name__, e
        )


def _publish(job: Job, evaluated: list[Evaluated]) -> None:
    """Write and log what just became known."""
    last = evaluated[-1]
    where = "base" if last.record is None else f"round_{last.record.round}"
    write_lm_eval(
        job.folder / where / "lm_eval",
        last.graded,
        model=job.model.name,
        digest=last.checkpoint.digest,
        commit=git_commit(),
        shots=len(job.model.shots()),
    )
    if last.record is None:
        write_json(job.folder / "base" / "report.json", {"scores": score_dict(last.scores)})
        job.tracker.baseline(last.scores)
        return
    report = round_dict(last.record, evaluated[-2].graded)
    write_round(job.folder, last.record, report)
    records = [e.record for e in evaluated if e.record is not None]
    write_dataset(job.folder / where / "dataset", records, report["dropped"], _origin(job))
    write_json(job.folder / "error_type_flow.json", [dataclasses.asdict(f) for f in flows(records)])
    _draw(job.folder, records, _stages(evaluated))
    job.tracker.round(last.record, report, job.folder / f"round_{last.record.round}")


def _origin(job: Job) -> Origin:
    method, instructor = job.method, job.method.diagnose.instructor
    return Origin(
        experiment=job.name,
        seed=job.seed,
        config_digest=config_digest(job.config),
        git_commit=git_commit(),
        target=job.model,
        parts={
            "data": described(job.data),
            "instructor": " ".join([type(instructor).__name__, str(getattr(instructor, "model", ""))]).strip(),
            "clusterer": described(method.cluster.clusterer),
            "synthesizer": described(method.synthesize),
            "refiner": described(method.refine),
            "finetuner": described(method.finetune),
        },
    )


def _draw(folder: Path, records: list[RoundRecord], stages: list[tuple[str, dict[str, Score]]]) -> None:
    record = records[-1]
    home = folder / f"round_{record.round}"
    plots.cluster_map(record.error_map, home / "cluster_map.png")
    plots.criterion_curve(record.error_map, home / "criterion_curve.png")
    plots.training_curve(record.trained.curve, home / "training_curve.png")
    histograms.score_histograms(record.refined, home / "refinement_scores.png")
    plots.score_curve(stages, folder / "scores.png")
    if len(records) > 1:
        plots.type_flow(records, folder / "error_type_flow.png")


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
        "environment": from_environment(job.config, _as_written(job.folder)),
        "git_commit": git_commit(),
        "versions": machine(),
        "baseline": score_dict(evaluated[0].scores),
        "rounds": rounds,
        "stopped": stop_reason(evaluated, job.rounds, job.method.patience),
        "best_round": evaluated.index(best_on_dev(evaluated)),
        "instructor": instructor_dict([e.record for e in evaluated if e.record is not None]),
    }


def _as_written(folder: Path) -> dict[str, Any]:
    """Return the config as Hydra wrote it, before references were filled in; empty where a run came without Hydra."""
    path = folder / ".hydra" / "config.yaml"
    found = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found if isinstance(found, dict) else {}


def ledger(store: Store, method: Method, records: list[RoundRecord]) -> dict[str, Any]:
    """Return what this invocation made and reused, by stage, and what it spent on an instructor that costs.

    ``observed`` is what ``assume.ledger`` reads for the estimate of a larger run.
    """
    instructor = method.diagnose.instructor
    stages: dict[str, dict[str, Any]] = {}
    for u in store.uses:
        row = stages.setdefault(u.stage, {"made": 0, "reused": 0, "seconds": 0.0})
        row["made"] += u.made
        row["reused"] += u.reused
        row["seconds"] += u.seconds if u.made else 0.0
    for name, device in devices_by_stage(store.uses).items():
        stages[name]["device"] = device
    uses = [dataclasses.asdict(u) for u in store.uses]
    spent = instructor.spent() if isinstance(instructor, Paid) else {}
    second = getattr(method.second_opinion, "instructor", None)
    paid_too = {"second_instructor": second.spent()} if isinstance(second, Paid) else {}
    seen = observations(method, records)
    return {"store": str(store.root), "instructor": spent, **paid_too, "observed": seen, "stages": stages, "uses": uses}
