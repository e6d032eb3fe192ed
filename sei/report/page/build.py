"""The data of a run's page, gathered from the files of its folder into a plain dict."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from sei.errors import DataError
from sei.report.inputs import settings_digest
from sei.report.page.cases import Texts, label, read_round
from sei.report.page.config import read_config
from sei.report.page.files import FAILURE, Files, Known, cut
from sei.report.page.model import named
from sei.report.page.paired import changes
from sei.report.page.saturation import saturation
from sei.report.page.training import training

_COUNTS = (
    "bad_cases",
    "unreadable",
    "synthesized",
    "refined",
    "tied",
    "trained_examples",
    "trained_steps",
    "trained_tokens",
)
_FLIPS = ("fixed", "broken", "kept")


def gather(folder: Path, so_far: int | None = None, known: Known | None = None) -> dict[str, Any]:
    """Return everything that the page shows. ``so_far``: rounds done in a running run (its summary is not read).

    ``known``: what earlier pages of this run have read; files that have not changed since are not read again.

    Raises:
        DataError: if the folder has no summary and no results of a base or a round.
    """
    files = Files(home=folder, known={} if known is None else known)
    config = read_config(files)
    base = files.json("base/report.json", expected=False)
    base = base if isinstance(base, dict) else {}
    summary = files.json("summary.json", expected=False) if so_far is None else None
    if not isinstance(summary, dict) or "baseline" not in summary:
        summary = _unfinished(files, base, config["values"], so_far)
    elif summary.get("settings") and summary["settings"] != settings_digest(config["values"]):
        files.notes.append("the settings shown were written by a later command; the numbers were made with others")
    if not summary["baseline"] and not summary["rounds"]:
        raise DataError(f"{folder} is not a run folder: it has no summary.json and no base/report.json.")
    reports, texts = summary["rounds"], Texts()
    given = summary.get("attempts")  # given outputs: the run ends after its error types
    shown = [read_round(files, r["round"], texts, whole=not given) for r in reports]
    for before, after in itertools.pairwise(shown):
        for case in before["cases"]:
            case["next"] = after["places"].get(texts.id_of(case["problem"]), "")
    scores = sets([summary["baseline"], *(r["scores"] for r in reports)])
    if scores:
        paired = changes(files, summary["best_round"] or len(reports))
        scores = [{**s, "change": paired.get(s["name"])} for s in scores]
    ledger = files.json("ledger.json", expected=False) if so_far is None else None
    flow = (files.json("error_type_flow.json", expected=len(reports) > 1) if len(reports) > 1 else None) or []
    return {
        "kind": "run",
        "given": given,
        "folder": folder.absolute().name,
        "run": {k: summary.get(k, "") for k in ("experiment", "seed", "config_digest", "git_commit", "versions")},
        "model": named(base.get("model"), config["values"]),
        "planned": config["values"].get("rounds"),
        "stopped": summary["stopped"],
        "failure": None if summary["stopped"] else files.json(FAILURE, expected=False),
        "best": summary["best_round"],
        "sets": scores,
        "base": {"seconds": base.get("seconds") or {}, "devices": base.get("devices") or {}},
        "rounds": [_round(r, s, training(files, r["round"])) for r, s in zip(reports, shown, strict=True)],
        "followed": any("stable" in t for r in reports for t in r["error_types"]),
        "problems": texts.problems,
        "cases": [c for s in shown for c in s["cases"]],
        "synthetic": [x for s in shown for x in s["synthetic"]],
        "dropped": [x for s in shown for x in s["dropped"]],
        "flow": [f for f in flow if f["round"] < len(reports)],
        "cost": {"needed": summary.get("instructor", {}), "ledger": _invocation(ledger)},
        "config": {k: v for k, v in config.items() if k != "values"},
        "prompt": cut(files.text("prompt.txt", expected=False)),
        "notes": files.notes,
    }


def sets(stages: list[dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return every held-out set with its score at each stage (``None`` if missing), tests before dev."""
    names = list(dict.fromkeys(name for scores in stages for name in scores))
    out = []
    for name in names:
        scores = [s.get(name) for s in stages]
        role = next(s["role"] for s in scores if s)
        out.append({"name": name, "role": role, "scores": scores})
    return sorted(out, key=lambda s: bool(s["role"] == "dev"))


def _round(report: dict[str, Any], shown: dict[str, Any], speed: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "round": report["round"],
        **{k: report.get(k, 0) for k in (*_COUNTS, *_FLIPS)},
        "right": report.get("right"),
        "pool": len(shown["places"]),
        "still_wrong": _still_wrong(report),
        "pooled": report.get("pooled_validation_share"),
        "requests": {k: u.get("requests", 0) for k, u in report.get("instructor", {}).items()},
        "types": [[label(t), t["size"]] for t in report["error_types"]],
        "dropped": report.get("dropped", {}),
        "seconds": report.get("seconds", {}),
        "training": speed,
        "devices": report.get("devices", {}),
        "opinion": report.get("second_opinion"),
        "merged": report.get("served_vs_merged"),
        "points": shown["points"],
        "saturation": saturation([c["type"] for c in shown["cases"] if c["type"]]),
    }


def _still_wrong(report: dict[str, Any]) -> int | None:
    """Return how many test problems were wrong and still are; ``None`` if grader faults make the count unclear."""
    tests = [s for s in report["scores"].values() if s["role"] != "dev"]
    counted = sum(int(report.get(k, 0)) for k in _FLIPS)
    if not counted or any(s["grader_errors"] for s in tests):
        return None
    return max(0, sum(int(s["n"]) // int(s.get("samples", 1)) for s in tests) - counted)


def _invocation(ledger: Any) -> dict[str, Any]:
    """Return what the last invocation made, reused and spent."""
    if not isinstance(ledger, dict):
        return {}
    said = {"spent": ledger.get("instructor", {}), "stages": ledger.get("stages", {})}
    return {**said, "last_trained": ledger.get("last_trained")}


def _unfinished(files: Files, base: dict[str, Any], config: dict[str, Any], so_far: int | None) -> dict[str, Any]:
    """Return a summary of the existing results of a run without a summary."""
    rounds: list[dict[str, Any]] = []
    while so_far is None or len(rounds) < so_far:
        report = files.json(f"round_{len(rounds) + 1}/report.json", expected=False)
        if not isinstance(report, dict):
            break
        rounds.append(report)
    stages = [base.get("scores", {}), *(r["scores"] for r in rounds)]
    dev = [[s for s in scores.values() if s["role"] == "dev"] for scores in stages]
    accuracy = [sum(s["correct"] for s in d) / max(1, sum(s["n"] for s in d)) for d in dev]
    return {
        "experiment": config.get("name", ""),
        "seed": config.get("seed", ""),
        "baseline": stages[0],
        "rounds": rounds,
        "stopped": "",
        "best_round": accuracy.index(max(accuracy)),
    }
