"""Jobs of a sweep. Each has its own process, so a job that fails or is killed harms no other."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import logging.config
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from sei import exits
from sei.compare import console
from sei.errors import SeiError
from sei.imports import module_command
from sei.report.page import write_sweep_page
from sei.report.page.sweep import at_work
from sei.store import lock_of, require_locks, write_atomic

log = logging.getLogger("sei")
_PATIENCE = 15  # seconds for a job to finish writing before it is killed
_POLL = 0.2
COMMAND = "SEI_COMMAND"  # environment variable that identifies a command; a launcher's workers inherit it
_RESULTS = ("summary.json", "teacher_card.json", "estimate.json")  # a finished job leaves one of these
_USAGE = 2  # the exit code of a wrong command


_announced: list[Path] = []  # folders
_asking = ("estimate", "dry_run")  # a sweep of previews has no runs to compare


class SweepError(SeiError):
    """Some jobs of a sweep failed; ``str`` of the error names them."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.file = Path(file)

    def __str__(self) -> str:
        """Name the failed jobs by their overrides."""
        jobs = read(self.file)
        failed = [f"job {k} ({' '.join(j['overrides'])}): {_worded(j)}" for k, j in jobs.items() if j["exit_code"]]
        return (
            f"{len(failed)} of {len(jobs)} jobs failed; {'; '.join(failed)}. States: {self.file}. Remedy: run the same "
            "command again, finished results are reused (with hydra.sweep.dir set to this folder, finished jobs are "
            "skipped)."
        )


@dataclass(frozen=True, kw_only=True)
class SweepJob:
    """The input of a job's process: the resolved config, its folders and its logging."""

    number: int
    overrides: tuple[str, ...]
    config: dict[str, Any]
    folder: Path
    sweep: Path
    logging: dict[str, Any] | None

    @property
    def states(self) -> Path:
        """Return the file with the states of all jobs of the sweep."""
        return self.sweep / "sweep.json"


def read(file: Path) -> dict[str, dict[str, Any]]:
    """Return the states of a sweep's jobs by number: overrides, folder, state, exit code, seconds."""
    jobs: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["jobs"] if file.exists() else {}
    return jobs


def run_apart(job: SweepJob) -> None:
    """Run one job in its own process and record its state. A job that is finished in the same folder is skipped.

    Several processes may run the same sweep folder at once: one of them runs a given job, and the others wait for it.

    Raises:
        SweepError: if the job ended with anything but 0.
        SystemExit: if this process was told to end (it has then told the job), or if the job was.
    """
    with _claimed(job):
        _wait_for_orphan(job)
        if _finished(job):
            log.info("job %d is done already: %s", job.number, job.folder)
            before = read(job.states).get(str(job.number), {})
            mark(job, "done", 0, before.get("seconds", 0.0) if before.get("state") == "done" else 0.0)
            return
        _run(job)


@contextlib.contextmanager
def _claimed(job: SweepJob) -> Iterator[None]:
    """Hold a job's lock against other processes of the same sweep folder; waits until it is free."""
    job.sweep.mkdir(parents=True, exist_ok=True)
    lock = lock_of(job.sweep / f".job_{job.number}.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        log.info("another process runs job %d: waiting for it", job.number)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _wait_for_orphan(job: SweepJob) -> None:
    """Wait for a process that still works in the job's folder after its sweep was killed (SIGKILL)."""
    if not (job.folder / ".lock").exists():
        return
    lock = lock_of(job.folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        log.info("a process of a killed sweep still runs job %d: waiting for it", job.number)
        lock.acquire()
    lock.release()


def _hear_of_preemption() -> None:
    """Let SIGUSR1 do what SIGUSR2 does, if a launcher handles that one: submitit requeues its job then.

    Clusters send either as notice of preemption, and the other one would end the process that stands for the job.
    """
    handler = signal.getsignal(signal.SIGUSR2)
    if callable(handler) and signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
        with contextlib.suppress(ValueError):  # only the main thread can set one
            signal.signal(signal.SIGUSR1, handler)


def _run(job: SweepJob) -> None:
    _hear_of_preemption()
    start = time.time()
    process = subprocess.Popen(module_command("sei.sweep"), stdin=subprocess.PIPE, text=True)  # noqa: S603
    mark(job, "running", None, 0.0, pid=process.pid)
    try:
        process.communicate(json.dumps(dataclasses.asdict(job), default=str))
    except BaseException:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
        process.kill()
        process.wait()
        mark(job, "interrupted", exits.TERMINATED, time.time() - start)
        raise
    interrupted = exits.ended_by_signal(process.returncode)
    if interrupted is not None:  # a scheduler signals the whole process group, but a launcher may survive
        mark(job, "interrupted", interrupted, time.time() - start)
        raise exits.Interruption(interrupted)
    left = job.config.get("dry_run") or any((job.folder / name).exists() for name in _RESULTS)  # a dry run leaves none
    code = process.returncode or int(not left)
    mark(job, "done" if code == 0 else "killed" if code < 0 else "failed", code, time.time() - start)
    if code:
        raise SweepError(str(job.states))


def announce(folder: Path, jobs: Sequence[tuple[str, ...]]) -> None:
    """Write the jobs that a sweep will run, with their overrides, as ``waiting``.

    Known states in the folder stay, with two exceptions: jobs that were running when a sweep was killed, and rows of
    another sweep in the same folder, which had other overrides for that number.
    """
    folder.mkdir(parents=True, exist_ok=True)
    require_locks(folder, "sweep folder", "hydra.sweep.dir=PATH on a local disk, or one with locks for all machines")
    _announced.append(folder)
    states = folder / "sweep.json"
    with _states(folder):
        rows = {str(n): _row(o, folder / str(n), "waiting", None, 0.0) for n, o in enumerate(jobs)}
        for number, job in read(states).items():
            ended = job["state"] != "running" and job["overrides"] == rows.get(number, job)["overrides"]
            if ended or at_work(folder, number, Path(job["folder"])):
                rows[number] = job
        _write(states, rows)


def settle_announced(code: int) -> None:
    """Correct the job states of this process's sweeps as it ends with an exit code other than 0."""
    for folder in _announced:
        settle(folder, code)


def forget() -> None:
    """Forget the sweeps of an earlier command in this process."""
    _announced.clear()


def failed_announced() -> SweepError | None:
    """Return the error of a sweep of this process that has failed jobs, if there is one."""
    states = (folder / "sweep.json" for folder in _announced)
    failed = (s for s in states if s.exists() and any(j["exit_code"] for j in read(s).values()))
    return next((SweepError(str(s)) for s in failed), None)


def compare_announced() -> None:
    """Print the comparison of this process's sweeps as the last lines of the command."""
    for folder in _announced:
        jobs = read(folder / "sweep.json").values()
        asked = any(o.startswith(_asking) and o.endswith("true") for job in jobs for o in job["overrides"])
        if jobs and not asked:
            with contextlib.suppress(OSError, ValueError):  # the results exist without these lines
                console.show(folder, folder / "report.html")


def settle(folder: Path, code: int) -> None:
    """Correct the job states of a sweep that ends early.

    Jobs that still run although their parent process is gone (a worker of a launcher) are told to end. Running jobs
    become ``interrupted``. Waiting jobs become ``failed`` if the command itself was wrong (exit code 2).
    """
    states = folder / "sweep.json"
    if not states.exists():
        return
    _end_jobs(folder)
    with _states(folder):
        rows = read(states)
        for number, row in rows.items():
            if row["state"] == "running" and not at_work(folder, number, Path(row["folder"])):
                rows[number] = {**row, "state": "interrupted", "exit_code": code if exits.was_signal(code) else 1}
            elif row["state"] == "waiting" and code == _USAGE:
                rows[number] = {**row, "state": "failed", "exit_code": code}
        _write(states, rows)


def _end_jobs(folder: Path) -> None:
    """Send SIGTERM to the running jobs of this command, and wait for them."""

    def working() -> list[dict[str, Any]]:
        mine = [(n, j) for n, j in read(folder / "sweep.json").items() if j.get("command") == os.environ.get(COMMAND)]
        return [j for n, j in mine if j["state"] == "running" and at_work(folder, n, Path(j["folder"]))]

    for row in working():
        with contextlib.suppress(OSError, KeyError):
            if b"sei.sweep" in Path(f"/proc/{row['pid']}/cmdline").read_bytes():  # pid may be another process
                os.kill(row["pid"], signal.SIGTERM)
    end = time.monotonic() + _PATIENCE
    while working() and time.monotonic() < end:
        time.sleep(_POLL)


def mark(job: SweepJob, state: str, code: int | None, seconds: float, *, pid: int | None = None) -> None:
    """Write a job's state into ``sweep.json`` and onto the page. Jobs of one sweep may do so at the same time."""
    with _states(job.sweep):
        row = _row(job.overrides, job.folder, state, code, seconds)
        row |= {} if pid is None else {"pid": pid, "command": os.environ.get(COMMAND)}
        _write(job.states, {**read(job.states), str(job.number): row})


def _row(overrides: Sequence[str], folder: Path, state: str, code: int | None, seconds: float) -> dict[str, Any]:
    return {
        "overrides": list(overrides),
        "folder": str(folder),
        "state": state,
        "exit_code": code,
        "seconds": round(seconds, 1),
    }


@contextlib.contextmanager
def _states(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with lock_of(folder / ".sweep.lock"):
        yield


def _write(states: Path, jobs: dict[str, dict[str, Any]]) -> None:
    ordered = dict(sorted(jobs.items(), key=lambda kv: int(kv[0])))
    write_atomic(states, (json.dumps({"jobs": ordered}, indent=1) + "\n").encode())
    write_sweep_page(states.parent)


def _worded(job: dict[str, Any]) -> str:
    code = job["exit_code"]
    return f"killed by signal {-code}" if code < 0 else f"exit {code}"


def _finished(job: SweepJob) -> bool:
    from sei.models.own import named
    from sei.report.inputs import inputs_digest
    from sei.report.summary import card_digest, config_digest

    is_card = bool(job.config.get("teacher_card"))
    result = job.folder / _RESULTS[is_card]
    if not result.exists():
        return False
    config = named(job.config)
    held = json.loads(result.read_text(encoding="utf-8"))
    if held.get("config_digest", "") != (card_digest if is_card else config_digest)(config):
        return False
    return not held.get("inputs") or held["inputs"] == inputs_digest(config)


def numbered(settings: dict[str, Any], number: int) -> dict[str, Any]:
    """Return logging settings that put the job's number into each line, since parallel jobs share one terminal."""
    formatters = {k: dict(f) for k, f in settings.get("formatters", {}).items()}
    for formatter in formatters.values():
        if formatter.get("style", "%") == "%":
            formatter["format"] = f"[job {number}]{formatter.get('format') or ' %(message)s'}"
    return {**settings, "formatters": formatters}


def main() -> None:
    """Run the job given on standard input; the main function of a job's process."""
    exits.catch_signals()
    job = json.load(sys.stdin)
    if job["logging"] is not None:
        logging.config.dictConfig(numbered(job["logging"], job["number"]))
    from sei.job import perform

    try:
        perform(job["config"], Path(job["folder"]), sweep=Path(job["sweep"]).name, number=job["number"])
    except BaseException as e:  # any error ends this process
        raise SystemExit(exits.tell(e, f"sei: job {job['number']}")) from None


if __name__ == "__main__":
    main()
