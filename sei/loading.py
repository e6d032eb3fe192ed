"""Reads run folders back: finished, unfinished and failed runs, and the jobs of a sweep."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pydantic
import yaml

from sei.compare.runs import Run as Finished
from sei.compare.runs import read_run
from sei.errors import DataError
from sei.loaded import AGAIN, Failure, Round, Run, TypeRow
from sei.records import Score
from sei.report.page.files import FAILURE


def load(folder: str | Path) -> Run:
    """Return the run of a folder, even if it is unfinished or failed.

    Raises:
        DataError: if there is no run, if it is damaged, or if the folder is a sweep's (the message lists its jobs).
    """
    home = Path(folder).expanduser().absolute()
    if jobs := _jobs(home):
        shown = "; ".join(f"{n} ({' '.join(j['overrides'])}): {j['state']}" for n, j in jobs.items())
        raise DataError(
            f"{home} is the folder of a sweep. Rule: sei.load takes one run. Its jobs: {shown}. Remedy: "
            f"sei.load({str(home / next(iter(jobs)))!r}), or sei.load_sweep for all of them."
        )
    if (home / "summary.json").exists() and _json(home / "summary.json").get("attempts"):  # given outputs: no scores
        summary = _json(home / "summary.json", "baseline", "rounds")
        return _run(home, summary, _config(home), summary["baseline"], summary["rounds"])
    found = read_run(home)
    if (home / "summary.json").exists():
        if not isinstance(found, Finished):
            raise DataError(f"{home}: {found.reason}. Remedy: {AGAIN}.")
        summary = _json(home / "summary.json")
        baseline, reports = summary["baseline"], summary["rounds"]
        return _run(home, summary, dict(found.config), baseline, reports)
    if not _begun(home):
        rule = "a run folder has summary.json, or .hydra/config.yaml if the run is unfinished"
        raise DataError(f"{home}: there is no run here. Rule: {rule}. Remedy: the path outputs/<name>/<stamp>_<hex>.")
    base = home / "base" / "report.json"
    baseline = _json(base, "scores")["scores"] if base.exists() else {}
    made = sorted(
        (_json(p, "round", "scores") for p in home.glob("round_*/report.json")), key=lambda r: int(r["round"])
    )
    return _run(home, {}, _config(home), baseline, made)


def load_sweep(folder: str | Path) -> dict[int, Run]:
    """Return the runs of a sweep by job number. Jobs that have not begun are left out.

    Raises:
        DataError: if the folder is not that of a sweep, or if a run in it is damaged.
    """
    home = Path(folder).expanduser().absolute()
    jobs = _jobs(home)
    if not jobs:
        raise DataError(f"{home}: no sweep here. Rule: its folder has sweep.json. Remedy: sei.load for one run.")
    return {int(n): load(home / n) for n in jobs if _begun(home / n)}


def _run(
    home: Path, summary: dict[str, Any], config: dict[str, Any], baseline: dict[str, Any], reports: list[dict[str, Any]]
) -> Run:
    failure = _failure(home)
    rounds = [_round(home, report) for report in reports]
    if failure is not None and failure.round > len(rounds):
        rounds.append(_round(home, {"round": failure.round}))
    return Run(
        folder=home,
        summary=summary,
        config=config,
        baseline=_scores(home, baseline),
        rounds=tuple(rounds),
        failure=failure,
    )


def _failure(home: Path) -> Failure | None:
    if not (home / FAILURE).exists():
        return None
    names = [f.name for f in dataclasses.fields(Failure)]
    found = _json(home / FAILURE, *names)
    return Failure(**{n: found[n] for n in names})


def _round(home: Path, report: dict[str, Any]) -> Round:
    types = [
        TypeRow(name=t["name"], stable=t.get("stable", t["name"]), size=t["size"])
        for t in report.get("error_types", [])
    ]
    return Round(
        number=report["round"],
        folder=home / f"round_{report['round']}",
        scores=_scores(home, report.get("scores", {})),
        error_types=tuple(types),
        dropped=report.get("dropped", {}),
        report=report,
    )


def _scores(home: Path, found: dict[str, Any]) -> dict[str, Score]:
    adapter = pydantic.TypeAdapter(dict[str, Score])
    try:
        return adapter.validate_python({name: _paired(score) for name, score in found.items()})
    except pydantic.ValidationError as e:
        first = e.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{home}: its scores are damaged ({where}: {first['msg']}). Remedy: {AGAIN}.") from e


def _paired(score: Any) -> Any:
    """Return a summary's score with pass@k as pairs, since JSON keys cannot be integers."""
    passed = score.get("pass_at") if isinstance(score, dict) else None
    if not isinstance(passed, dict):
        return score
    return {**score, "pass_at": tuple((int(k), v) for k, v in passed.items() if str(k).isdigit())}


def _jobs(home: Path) -> dict[str, Any]:
    path = home / "sweep.json"
    if (home / "summary.json").exists() or not path.exists():
        return {}
    jobs: dict[str, Any] = _json(path).get("jobs", {})
    return jobs


def _begun(home: Path) -> bool:
    return any((home / name).exists() for name in ("summary.json", ".hydra/config.yaml", "base"))


def _config(home: Path) -> dict[str, Any]:
    path = home / ".hydra" / "config.yaml"
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError, yaml.YAMLError) as e:
        raise DataError(f"{path} cannot be read ({e}). Remedy: {AGAIN}.") from e
    return found if isinstance(found, dict) else {}


def _json(path: Path, *fields: str) -> dict[str, Any]:
    """Return the object in a JSON file, which must have these fields."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise DataError(f"{path} cannot be read ({e}). Remedy: {AGAIN}.") from e
    if not isinstance(found, dict):
        raise DataError(f"{path} is not a JSON object. Remedy: {AGAIN}.")
    if missing := [f for f in fields if f not in found]:
        raise DataError(f"{path} lacks {missing}. Remedy: {AGAIN}.")
    return found
