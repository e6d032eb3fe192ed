"""Whole runs of ``sei`` as child processes, several at once on one device."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Run:
    """One ``sei`` command that runs in the background, with a folder, a log and a store."""

    def __init__(self, folder: Path, store: Path, arguments: Sequence[str], **environment: str) -> None:
        self.folder, self.store, self.arguments = folder, store, tuple(arguments)
        self.environment = environment
        self.seconds = 0.0
        self.start()

    def start(self) -> None:
        """Start the command; a second start goes on with the same store."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "log.txt"
        self._began = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sei", *self.arguments, "tracker=none", f"hydra.run.dir={self.folder / 'run'}"],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, "SEI_STORE": str(self.store), "HF_HUB_OFFLINE": "1", **self.environment},
                start_new_session=True,
            )

    def over(self) -> bool:
        """Say whether the command has ended; its seconds are kept."""
        if self.process.poll() is None:
            return False
        self.seconds = self.seconds or time.monotonic() - self._began
        return True

    def wait(self, limit: float) -> None:
        """Wait for the end; stop the command resumably after ``limit`` seconds."""
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill(signal.SIGTERM)
            self.process.wait(30)
        self.over()

    def kill(self, how: int = signal.SIGKILL) -> None:
        """Send a signal to the command and its children."""
        os.killpg(self.process.pid, how)

    def summary(self) -> dict[str, Any]:
        """Return ``summary.json``, or why there is none: exit code and the last lines of the log."""
        file = self.folder / "run" / "summary.json"
        if self.process.returncode == 0 and file.exists():
            found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            return found
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return {"failed": f"exit {self.process.returncode}: " + " / ".join(lines[-3:])}


def accuracies(summary: dict[str, Any], at: int = -1) -> dict[str, str]:
    """Return accuracy and interval of every set after a round (``at``), or of the base where there is no round."""
    if "failed" in summary:
        return {"failed": summary["failed"]}
    rounds = summary["rounds"]
    scores = rounds[at]["scores"] if rounds else summary["baseline"]
    return {k: f"{s['accuracy']} {s['ci95']} n={s['n']}" for k, s in scores.items()}
