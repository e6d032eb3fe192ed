"""The data of a sweep's page: its settings over their seeds, and its jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sei.errors import DataError
from sei.report.page.build import sets
from sei.report.page.files import Files
from sei.report.page.settings import Job, settings_of
from sei.report.page.titles import methods_of, varied
from sei.secrecy import hidden
from sei.store import is_held


def gather_sweep(folder: Path) -> dict[str, Any]:
    """Return the state, overrides and scores of every job of a sweep, with jobs that differ only in the seed combined.

    Raises:
        DataError: if the folder has no readable ``sweep.json``.
    """
    try:
        jobs: dict[str, dict[str, Any]] = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))["jobs"]
    except (OSError, ValueError, KeyError) as e:
        raise DataError(f"{folder} is not a sweep folder: sweep.json cannot be read ({e}).") from e
    found = [_job(folder, number, job) for number, job in jobs.items()]
    shown = [j.shown for j in found]
    homes = [Files(home=folder / _inside(folder, Path(job["folder"]))) for job in jobs.values()]
    for job, method in zip(shown, methods_of(homes), strict=True):
        job["method"] = hidden(method)
    common = _common(shown)
    settings = settings_of(found, [s["name"] for s in common["sets"]])
    methods = list(dict.fromkeys(s["method"] for s in settings if s["method"]))
    about = {"methods": methods, "varied": varied([j["overrides"] for j in shown])}
    return {"kind": "sweep", "folder": folder.absolute().name, **about, "jobs": shown, **common, "settings": settings}


def at_work(sweep: Path, number: str, home: Path) -> bool | None:
    """Return whether a process holds a lock of the job in folder ``home``: the sweep's lock for it, or the job's own.

    ``None`` if neither exists. While the sweep's lock is held, the job's is not touched: the job may be taking it.
    """
    found = None
    for path in (sweep / f".job_{number}.lock", home / ".lock"):
        held = is_held(path)
        if held:
            return True
        found = held if found is None else found
    return found


def _job(folder: Path, number: str, job: dict[str, Any]) -> Job:
    inside = _inside(folder, Path(job["folder"]))
    files, state = Files(home=folder / inside), job["state"]
    if state == "running" and at_work(folder, number, folder / inside) is False:
        state = "killed"  # killed with its sweep, which could not record it
    summary = files.json("summary.json") if state == "done" else None
    if not isinstance(summary, dict) or "baseline" not in summary:
        summary = None
    scores, best = [], 0
    if summary:
        best = summary["best_round"]
        scores = sets([summary["baseline"], ([{"scores": summary["baseline"]}, *summary["rounds"]])[best]["scores"]])
    shown = {
        "number": number,
        "link": (inside / "report.html").as_posix() if (folder / inside / "report.html").is_file() else "",
        "overrides": [hidden(o) for o in job["overrides"]],
        "state": state,
        "exit_code": job.get("exit_code"),
        "seconds": job["seconds"],
        "best": best,
        "rounds": len(summary["rounds"]) if summary else 0,
        "sets": scores,
        "notes": files.notes,
    }
    base = files.json("base/report.json", expected=False) if summary else None
    took = sum((base.get("seconds") or {}).values()) if isinstance(base, dict) else 0.0
    return Job(overrides=tuple(job["overrides"]), shown=shown, summary=summary, base_seconds=took)


def _inside(folder: Path, job: Path) -> Path:
    """Return a job's folder relative to its sweep's, which may have been moved or may not contain it."""
    above = [i for i, part in enumerate(job.parts) if part == folder.absolute().name]
    return Path(*job.parts[above[-1] + 1 :]) if above and above[-1] + 1 < len(job.parts) else Path(job.name)


def _common(jobs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the overrides that all jobs share, removed from each job, and all held-out sets, tests before dev."""
    shared = [o for o in jobs[0]["overrides"] if all(o in j["overrides"] for j in jobs)] if len(jobs) > 1 else []
    for job in jobs:
        job["own"] = [o for o in job["overrides"] if o not in shared]
    roles = {s["name"]: s["role"] for j in jobs for s in j["sets"]}
    held_out = [{"name": name, "role": role, "n": _problems(jobs, name)} for name, role in roles.items()]
    return {"shared": shared, "sets": sorted(held_out, key=lambda s: bool(s["role"] == "dev"))}


def _problems(jobs: list[dict[str, Any]], name: str) -> list[int]:
    """Return the smallest and largest number of problems of a set in any job."""
    numbers = [x["n"] for j in jobs for s in j["sets"] if s["name"] == name for x in s["scores"] if x]
    return [min(numbers), max(numbers)]
