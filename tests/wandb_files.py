"""Reads back offline files of W&B."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

COMMAND = (
    *("experiment=smoke", "tracker=wandb_offline", "rounds=2", "patience=0", "data.pool=60", "data.dev=20"),
    *("data.test=20", "budget.candidates=15", "finetuner.schedule.steps=4"),
)


def records(run: Path) -> list[dict[str, Any]]:
    (folder,) = (run / "wandb").glob("offline-run-*")
    wandb = str(Path(sys.executable).with_name("wandb"))  # from this environment, not from PATH
    command = [wandb, "leet", "inspect", "--json", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return [json.loads(line) for line in done.stdout.splitlines()]


def history(run: Path) -> list[dict[str, Any]]:
    return [r["history"] for r in records(run) if r["type"] == "history"]


def values(row: dict[str, Any]) -> dict[str, Any]:
    """Return a history row without times and file names, which contain random ids."""
    hidden = ("_runtime", "_timestamp", "artifact_path")
    return {k: v for k, v in row["item"].items() if not k.endswith(hidden)}
