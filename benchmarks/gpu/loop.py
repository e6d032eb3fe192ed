"""Part (a): one round of the embedded default on the GPU, beside the CPU; killed in the fine-tune; in bfloat16."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu.runs import Run, accuracies

LIMIT = 280.0  # seconds for all runs, which go side by side


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Run four arms side by side; the killed one must end with the scores and losses of the undisturbed one."""
    gpu = [] if args.toy else ["trainer=gpu"]
    single = [*gpu, "trainer.precision=32-true", "trainer.threads=1"]
    half = [*gpu, "trainer.precision=bf16-true", "model.dtype=bfloat16", "trainer.threads=1"]
    small = ["experiment=smoke"] if args.toy else ["rounds=1"]
    often = "finetuner.resume_every=" + ("2" if args.toy else "20")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        arms = {
            "cpu": Run(home / "cpu", home / "s1", [*small, "trainer=cpu"]),
            "float32": Run(home / "f32", home / "s2", [*small, *single, often]),
            "killed in the fine-tune": Run(home / "kill", home / "s3", [*small, *single, often]),
            "bfloat16": Run(home / "bf16", home / "s4", [*small, *half]),
        }
        points = _killed(arms["killed in the fine-tune"])
        for run in arms.values():
            run.wait(max(1.0, LIMIT - (time.monotonic() - began)))
        rows = [
            {"arm": arm, "seconds": round(run.seconds, 1), **accuracies(run.summary())} for arm, run in arms.items()
        ]
        same = _results(arms["float32"].summary()) == _results(arms["killed in the fine-tune"].summary())
        stages = {arm: _stages(run.summary()) for arm, run in arms.items()}
    return {"rows": rows, "resume_points_at_kill": points, "killed_equals_undisturbed": same, "stages": stages}


def _killed(run: Run) -> int:
    """Kill a run hard once its fine-tune has a resume point, and start it again; return the points it had."""
    while not run.over():
        if points := list(run.store.glob("**/resume/*")):
            run.kill()
            run.process.wait(10)
            run.start()
            return len(points)
        time.sleep(0.01)
    return 0


def _results(summary: dict[str, Any]) -> Any:
    if "failed" in summary:
        return summary["failed"]
    kept = ("scores", "bad_cases", "error_types", "synthesized", "refined", "trained_tokens", "fixed", "broken")
    return [summary["baseline"], *({k: r.get(k) for k in kept} for r in summary["rounds"])]


def _stages(summary: dict[str, Any]) -> dict[str, Any]:
    """Return seconds by stage and the devices that they ran on."""
    last = summary["rounds"][-1] if summary.get("rounds") else {}
    return {k: last.get(k) for k in ("seconds", "devices")}
