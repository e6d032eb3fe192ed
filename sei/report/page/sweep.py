"""What the page of a sweep shows: its jobs side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sei.errors import DataError
from sei.report.page.build import sets
from sei.report.page.config import hidden
from sei.report.page.files import Files


def gather_sweep(folder: Path) -> dict[str, Any]:
    """Return the state, overrides and scores of every job of a sweep.

    Raises:
        DataError: where the folder has no readable ``sweep.json``.
    """
    try:
        jobs: dict[str, dict[str, Any]] = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))["jobs"]
    except (OSError, ValueError, KeyError) as e:
        raise DataError(f"{folder} is no sweep folder: sweep.json cannot be read ({e}).") from e
    shown = [_job(folder, number, job) for number, job in jobs.items()]
    return {"kind": "sweep", "folder": folder.absolute().name, "jobs": shown, **_common(shown)}


def _job(folder: Path, number: str, job: dict[str, Any]) -> dict[str, Any]:
    inside = _inside(folder, Path(job["folder"]))
    home = folder / inside
    summary = Files(home=home).json("summary.json", expected=False) if job["state"] == "done" else None
    scores, best = [], 0
    if isinstance(summary, dict) and "baseline" in summary:
        best = summary["best_round"]
        scores = sets([summary["baseline"], ([{"scores": summary["baseline"]}, *summary["rounds"]])[best]["scores"]])
    return {
        "number": number,
        "link": (inside / "report.html").as_posix() if (home / "report.html").is_file() else "",
        "overrides": [hidden(o) for o in job["overrides"]],
        "state": job["state"],
        "exit_code": job.get("exit_code"),
        "seconds": job["seconds"],
        "best": best,
        "rounds": len(summary["rounds"]) if scores and isinstance(summary, dict) else 0,
        "sets": scores,
    }


def _inside(folder: Path, job: Path) -> Path:
    """Return a job's folder as seen from its sweep's, which may have been moved since, or lie elsewhere then."""
    above = [i for i, part in enumerate(job.parts) if part == folder.absolute().name]
    return Path(*job.parts[above[-1] + 1 :]) if above and above[-1] + 1 < len(job.parts) else Path(job.name)


def _common(jobs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the overrides that all jobs share, taken out of each, and the names of all sets."""
    shared = [o for o in jobs[0]["overrides"] if all(o in j["overrides"] for j in jobs)] if len(jobs) > 1 else []
    for job in jobs:
        job["own"] = [o for o in job["overrides"] if o not in shared]
    return {"shared": shared, "names": list(dict.fromkeys(s["name"] for j in jobs for s in j["sets"]))}
