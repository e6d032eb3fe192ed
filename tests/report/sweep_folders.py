"""Sweep folders with made-up summaries: any settings, seeds and states, and any scores."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from sei.statistics import wilson

SETTINGS = (
    "",
    "refiner=none",
    "refiner=random",
    "refiner=perplexity",
    "clusterer=none",
    "clusterer=shuffled",
    "clusterer=kmeans",
    "synthesizer=random",
    "finetuner=full budget.candidates=800 clusterer=agglomerative",
)


def scored(role: str, correct: int, n: int) -> dict[str, Any]:
    return {"role": role, "n": n, "correct": correct, "unreadable": 2, "grader_errors": 0, "accuracy": correct / n,
            "accuracy_strict": correct / n, "macro": None, "ci95": list(wilson(correct, n).ends)}  # fmt: skip


def summary(seed: int, corrects: list[int], best: int, n: int = 200, **rest: Any) -> dict[str, Any]:
    """Return the summary of a run with these numbers of right answers on each set, at the base and after each round."""
    stages = [
        {
            "test_set": scored("in_domain", c, n),
            "far": scored("out_of_domain", c // 2, n),
            "dev_set": scored("dev", c, n),
        }
        for c in corrects
    ]
    rounds = [
        {"round": i, "scores": s, "synthesized": 400, "trained_tokens": 1000 * i + seed,
         "seconds": {"attempts": 60.0, "finetune": 40.0 + seed}}
        for i, s in enumerate(stages[1:], 1)
    ]  # fmt: skip
    used = {
        "requests": 700 + seed,
        "cached": 0,
        "input_tokens": 90_000,
        "output_tokens": 30_000,
        "usd": 0.5 + seed / 10,
    }
    return {"experiment": "example", "seed": seed, "baseline": stages[0], "rounds": rounds, "best_round": best,
            "stopped": "rounds", "instructor": used, **rest}  # fmt: skip


def make_sweep(folder: Path, jobs: list[tuple[list[str], str, dict[str, Any] | None]]) -> Path:
    """Write a sweep of jobs, each with its overrides, its state and its summary."""
    codes = {"done": 0, "running": None, "failed": 3, "killed": -9}
    rows = {}
    for i, (overrides, state, made) in enumerate(jobs):
        (folder / str(i)).mkdir(parents=True)
        if made is not None:
            (folder / str(i) / "summary.json").write_text(json.dumps(made))
            (folder / str(i) / "report.html").write_text("")
        rows[str(i)] = {
            "overrides": overrides,
            "folder": str(folder / str(i)),
            "state": state,
            "exit_code": codes[state],
            "seconds": 0.0 if state == "running" else 100.0 + 10 * i,
        }
    (folder / "sweep.json").write_text(json.dumps({"jobs": rows}))
    return folder


def large_sweep(folder: Path, settings: tuple[str, ...] = SETTINGS, seeds: int = 5, n: int = 300) -> Path:
    """Write a sweep of nine settings and five seeds in which one job runs, one failed and one was killed."""
    jobs: list[tuple[list[str], str, dict[str, Any] | None]] = []
    for k, setting in enumerate(settings):
        for seed in range(seeds):
            draw = random.Random(100 * k + seed)
            corrects = [int(0.42 * n)]
            for step in range(3 if (k, seed) != (2, 1) else 2):
                corrects.append(corrects[-1] + round(n * draw.gauss((0.05, 0.03, 0.005)[step] - 0.006 * k, 0.012)))
            best = corrects.index(max(corrects))
            overrides = ["experiment=example", *setting.split(), f"seed={seed}"]
            jobs.append((overrides, "done", summary(seed, corrects, best, n)))
    for at, state in ((8, "failed"), (len(jobs) - 2, "running"), (len(jobs) - 1, "killed")):
        jobs[at] = (jobs[at][0], state, None)
    return make_sweep(folder, jobs)
