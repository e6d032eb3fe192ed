"""Tables of finished runs: ``python -m experiments.tables FOLDER...`` (run folders or sweep folders).

One row per configuration (everything but the seed), one column per set: the mean over seeds of the last
round's accuracy with a 95 % t-interval over seeds, and the mean gain over the base of the same seed.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import yaml
from scipy.stats import t as student

PARTS = ("data", "model", "instructor", "clusterer", "synthesizer", "refiner", "finetuner")


def method_name(run: Path) -> str:
    """Name a run by its built settings: the classes of its parts that differ from the default, and its rounds."""
    config = yaml.safe_load((run / ".hydra" / "config.yaml").read_text())
    usual = {"clusterer": "Agglomerative", "synthesizer": "SelfInstruct", "refiner": "OneShotStep"}
    found = {k: str(config[k]["_target_"]).rsplit(".", 1)[-1] for k in usual}
    other = [v for k, v in found.items() if v != usual[k]]
    name = " + ".join(other) or "Self-Error-Instruct"
    return f"{config['model']['name']}: {name}, {config['rounds']} round(s)"


def interval(values: list[float]) -> str:
    """Return mean and half width of the 95 % t-interval over seeds, in points."""
    centre = f"{100 * mean(values):.1f}"
    if len(values) < 2:
        return centre
    half = float(student.ppf(0.975, len(values) - 1)) * stdev(values) / len(values) ** 0.5
    return f"{centre} ± {100 * half:.1f}"


def collect(folders: list[Path]) -> dict[str, list[dict[str, Any]]]:
    """Read every ``summary.json`` below the folders, grouped by method, one per seed (the newest)."""
    newest: dict[tuple[str, int], tuple[float, dict[str, Any]]] = {}
    for folder in folders:
        for path in folder.rglob("summary.json"):
            summary = json.loads(path.read_text())
            key = (method_name(path.parent), summary["seed"])
            stamp = path.stat().st_mtime
            if key not in newest or stamp > newest[key][0]:
                newest[key] = (stamp, summary)
    grouped: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for (name, _), (_, summary) in sorted(newest.items(), key=lambda kv: kv[0]):
        grouped[name].append(summary)
    return grouped


def table(grouped: dict[str, list[dict[str, Any]]]) -> str:
    """Return a Markdown table."""
    sets = list(next(iter(grouped.values()))[0]["baseline"])
    lines = ["| method | seeds | " + " | ".join(sets) + " |", "|---|---|" + "---|" * len(sets)]
    for name, runs in grouped.items():
        seeds = ",".join(str(r["seed"]) for r in runs)
        cells = []
        for s in sets:
            after = [r["rounds"][-1]["scores"][s]["accuracy"] for r in runs]
            gains = [a - r["baseline"][s]["accuracy"] for a, r in zip(after, runs, strict=True)]
            cells.append(f"{interval(after)} (gain {interval(gains)}; n={runs[0]['baseline'][s]['n']})")
        lines.append(f"| {name} | {seeds} | " + " | ".join(cells) + " |")
    first = next(iter(grouped.values()))[0]["baseline"]
    base = " | ".join(
        f"{100 * v['accuracy']:.1f} [{100 * v['ci95'][0]:.1f}, {100 * v['ci95'][1]:.1f}]" for v in first.values()
    )
    lines.insert(2, f"| base (Wilson interval) | - | {base} |")
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    folders = [Path(a) for a in sys.argv[1:]]
    missing = [str(f) for f in folders if not f.is_dir()]
    if not folders or missing:
        raise SystemExit(
            f"usage: python -m experiments.tables FOLDER...{f'; no such folder: {missing}' if missing else ''}"
        )
    grouped = collect(folders)
    if not grouped:
        raise SystemExit("no summary.json below these folders")
    print(table(grouped))


if __name__ == "__main__":
    main()
