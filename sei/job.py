"""One job: from built parts to a run folder, a tracker run and a table."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import filelock

from sei.build import build, build_all, require_fit
from sei.choice import Evaluated, best_on_dev
from sei.data.benchmarks import with_benchmarks
from sei.data.given import read_given
from sei.data.study import Benchmark
from sei.diagnosis import find_given_errors
from sei.errors import BusyError, DiskError
from sei.estimate import Assumptions
from sei.exchange import DataSet
from sei.exits import exit_code_of
from sei.lit.trainer import TrainerSettings
from sei.loop import Method, Round, Rounds, RoundState
from sei.merged import against_merged
from sei.models.own import named
from sei.models.reading import require_words
from sei.models.target import TargetModel
from sei.parts import parts_in
from sei.ports import DataSource, Placed, Preflight, Reading, TrackedRun, Tracker
from sei.preview import preview
from sei.report.diagnosis import finish_diagnosis, write_diagnosis
from sei.report.inputs import inputs_digest
from sei.report.run_report import RunReport
from sei.report.summary import card_digest, config_digest
from sei.secrecy import without_secrets
from sei.space import tell_of_space
from sei.stages.given import GivenAttempts
from sei.stages.refine import require_solutions
from sei.stages.traceable import tell_traceable
from sei.store import Store, digest, lock_of, patience, require_locks, require_writable
from sei.walkthrough import walk_through

log = logging.getLogger(__name__)
_ELSEWHERE = "free space or fix permissions, or hydra.run.dir=PATH (a sweep: hydra.sweep.dir=PATH) in a writable place"


@dataclass(frozen=True, kw_only=True)
class Job:
    """Everything a job needs, built. ``group``: its sweep (empty for a single run). ``number``: its place in it."""

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
    def parts(self) -> list[Any]:
        """Return the objects that hold all parts of a run."""
        return [self.model, self.method, self.data, self.benchmarks, self.tracker]

    @property
    def run_id(self) -> str:
        """Return the run's name in W&B and the store, made from config, sweep (or run folder) and place in it."""
        return digest(config_digest(self.config), self.group or self.folder.name, self.number)[:12]


def perform(config: dict[str, Any], folder: Path, *, sweep: str = "", number: int = 0) -> dict[str, Any]:
    """Build all parts of a checked, plain config and run the job.

    Raises:
        ConfigError: if a part cannot be built; raised before anything costs.
        BusyError: if another process works in the same run folder.
    """
    config = named(config)
    plugins = tuple(config["plugins"])
    parts = build_all(config, ("model", "method", "data", "benchmarks", "tracker"), plugins)
    require_fit("data", parts["data"], DataSource)
    require_fit("tracker", parts["tracker"], Tracker)
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
    if config["teacher_card"]:
        return _card(job, plugins)
    if config["estimate"] or config["dry_run"]:
        given = with_benchmarks(job.data.load(), job.benchmarks)
        assume, dry_run = build(config["assume"], "assume", plugins), config["dry_run"]
        store, base = Store(root=job.store), job.model.base()
        ahead: dict[str, Any] = {"rounds": job.rounds, "seed": job.seed, "dry_run": dry_run, "folder": folder}
        return preview(job.method, given, base, store, assume, **ahead)
    with _alone_in(folder):
        if config["preview"]:
            return show_a_few(job, build(config["assume"], "assume", plugins))
        return diagnose(job, Path(config["attempts"]).expanduser()) if config["attempts"] else run(job)


def show_a_few(job: Job, assume: Assumptions) -> dict[str, Any]:
    """Take a few problems through every stage, then print the estimate of the whole run."""
    preflight(job, job.parts)
    data = with_benchmarks(job.data.load(), job.benchmarks)
    require_words(job.model, [p.question for p in data.pool])
    tell_traceable(job.method.diagnose.instructor, data.pool)
    base, store = job.model.base(), Store(root=job.store)
    seen = walk_through(job.method, data, base, store, job.seed, job.folder)
    if seen is None:
        return {}
    assume = replace(assume, ledger=assume.ledger or str(seen))
    more: dict[str, Any] = {"rounds": job.rounds, "seed": job.seed, "dry_run": False, "folder": job.folder}
    return preview(job.method, data, base, store, assume, **more)


def _card(job: Job, plugins: tuple[str, ...]) -> dict[str, Any]:
    card, assume = (build(job.config[key], key, plugins) for key in ("card", "assume"))
    ahead = {key: job.config[key] for key in ("estimate", "dry_run")}
    from sei.card.make import teacher_card  # a run needs nothing of it

    with _alone_in(job.folder):
        return teacher_card(
            job.method, job.data, card, assume, folder=job.folder, digest=card_digest(job.config), **ahead
        )


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = lock_of(folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            if patience(lock):
                log.info("%s is in use; waiting %d s in case its machine is dead", folder, patience(lock))
            lock.acquire(timeout=patience(lock))
    except filelock.Timeout:
        raise BusyError(
            f"run folder {folder} is in use by another process. Remedy: wait for it, or drop hydra.run.dir so that "
            "every run gets its own folder."
        ) from None
    except OSError as e:
        raise DiskError(f"run folder {folder} cannot be written: {e.strerror or e}. Remedy: {_ELSEWHERE}.") from e
    try:
        yield
    finally:
        lock.release()


def preflight(job: Job, used: Sequence[Any]) -> None:
    """Check before anything costs that a job can run: folders are writable, and parts have what they need.

    ``used``: objects that hold the parts which the job will use.

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
    for part in parts_in(used):
        if isinstance(part, Preflight):
            part.preflight()
        if isinstance(part, Reading):
            part.reads()  # so a missing file is reported now, not when its stage begins
    _tell_of_idle_devices(list(parts_in(used)))


def _tell_of_idle_devices(used: Sequence[Any]) -> None:
    devices = max((p.devices for p in used if isinstance(p, TrainerSettings)), default=1)
    fewest = min((p.devices or devices for p in used if isinstance(p, Placed)), default=devices)
    if fewest < devices:
        log.warning(
            "trainer.devices=%d: answers are made on %d of them. Remedy: engine=openai_server with more copies of the "
            "model (engine.scale.data_parallel)",
            *(devices, fewest),
        )


def run(job: Job) -> dict[str, Any]:
    """Run a job and return its summary. The tracker is closed in every case."""
    preflight(job, job.parts)
    data = with_benchmarks(job.data.load(), job.benchmarks)
    require_words(job.model, [p.question for p in data.pool])
    if job.rounds:
        tell_of_space(job.model, job.rounds + bool(data.warm_up), Store(root=job.store).root, job.folder)
        tell_traceable(job.method.diagnose.instructor, data.pool)
        require_solutions(getattr(job.method.refine, "scorer", None), data.pool)
    base = job.model.base()
    store = Store(root=job.store)
    store.keep_run(job.run_id, job.folder, job.label)
    report = _report(job, store)
    config = without_secrets(job.config)
    tracked = job.tracker.start(job.label, config, job.folder, group=job.group, run_id=job.run_id)
    rounds = Rounds(job.method, data, job.rounds, job.seed, store, base)
    exit_code = 1
    summary: dict[str, Any] = {}
    evaluated: list[Evaluated] = []
    try:
        for e in rounds:
            evaluated.append(e)
            said = report.publish(evaluated)
            if e.record is None:
                tracked.baseline(e.scores)
            else:
                tracked.round(e.record, said, job.folder / f"round_{e.record.round}")
        evaluated = against_merged(job.method, evaluated, store)
        summary = report.finish(evaluated, store.uses, rounds.ending)
        behind = job.method.curriculum.rounds_behind(summary["best_round"])
        tracked.model(job.folder / "model", best_on_dev(evaluated).scores, behind)
        exit_code = 0
    except BaseException as e:
        exit_code = exit_code_of(e)
        report.failed(e, exit_code, len(evaluated), store.place, rounds.so_far)
        report.show_so_far(evaluated)
        raise
    finally:
        report.close(store, evaluated, done=exit_code == 0)
        _close(tracked, summary, exit_code)
    return summary


def diagnose(job: Job, file: Path) -> dict[str, Any]:
    """Grade given outputs, diagnose and cluster their errors, and return the summary; no model is opened."""
    found = read_given(file, job.data, lambda: with_benchmarks(job.data.load(), job.benchmarks))
    attempt = GivenAttempts(outputs=found.outputs)
    method, store = replace(job.method, attempt=attempt), Store(root=job.store)
    report = _report(job, store)
    preflight(job, [method.grade, method.diagnose, method.cluster, method.second_opinion, job.tracker])
    store.keep_run(job.run_id, job.folder, job.label)
    state = RoundState(current=attempt.checkpoint, base=attempt.checkpoint)
    data = DataSet(pool=found.problems, held_out=())
    r = Round(number=1, method=method, data=data, state=state, store=store, seed=job.seed)
    config = without_secrets(job.config)
    tracked = job.tracker.start(job.label, config, job.folder, group=job.group, run_id=job.run_id)
    exit_code = 1
    summary: dict[str, Any] = {}
    done: list[Evaluated] = []
    try:
        record, ending = find_given_errors(r, str(file))
        said = write_diagnosis(job.folder, record, store)
        done.append(Evaluated(checkpoint=attempt.checkpoint, graded=(), scores={}, record=record))
        tracked.round(record, said, job.folder / f"round_{record.round}")
        about = {"experiment": job.name, "seed": job.seed, "config_digest": config_digest(job.config)}
        skipped = len(found.problems) - len(record.graded)
        left_out = found.left_out | ({"gold answer that the grader refuses": skipped} if skipped else {})
        given = {"file": file.name, "layout": found.layout, "outputs": len(found.outputs), "left_out": left_out}
        summary = finish_diagnosis(job.folder, record, said, ending, {**about, "attempts": given})
        exit_code = 0
    except BaseException as e:
        exit_code = exit_code_of(e)
        report.failed(e, exit_code, r.number, store.place, r.so_far)
        raise
    finally:
        report.close(store, done, done=exit_code == 0)
        _close(tracked, summary, exit_code)
    return summary


def _report(job: Job, store: Store) -> RunReport:
    return RunReport(
        folder=job.folder,
        experiment=job.name,
        seed=job.seed,
        rounds=job.rounds,
        config=job.config,
        model=job.model,
        method=job.method,
        data=job.data,
        store=store,
        inputs=inputs_digest(job.config),
    )


def _close(tracked: TrackedRun, summary: dict[str, Any], exit_code: int) -> None:
    """Close the tracker. An error there changes neither the result nor the exit code.

    A scheduler signals the whole process group, so the tracker's own process may be gone already.
    """
    try:
        tracked.finish(summary, exit_code)
    except Exception as e:  # a tracker may raise anything
        log.warning("the tracker could not be closed (%s: %s); the run folder is complete", type(e).__name__, e)
