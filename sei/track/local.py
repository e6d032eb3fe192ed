"""A table of scores in the run folder."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, ClassVar

from sei.parts import part
from sei.records import RoundRecord, Score

_HEAD = ["round", "set", "role", "n", "accuracy", "low95", "high95"]


def _cell(text: str) -> str:
    """Return a text that a spreadsheet treats as text: one that starts like a formula gets a leading quote."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


@part
class LocalTracker:
    """``metrics.csv`` in the run folder: one row per round and set."""

    identity: ClassVar[str] = "tracker/local"
    version: ClassVar[int] = 1

    def start(self, name: str, config: dict[str, Any], folder: Path, *, group: str, run_id: str) -> LocalRun:
        """Write the header of the file."""
        run = LocalRun(folder / "metrics.csv")
        run.write([_HEAD], "w")
        return run


class LocalRun:
    """An open table."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def baseline(self, scores: dict[str, Score]) -> None:
        """Append round 0."""
        self._append(0, scores)

    def round(self, record: RoundRecord, report: dict[str, Any], folder: Path) -> None:
        """Append one round."""
        self._append(record.round, record.scores)

    def model(self, folder: Path, scores: dict[str, Score], rounds: tuple[int, ...]) -> None:
        """Does nothing; the model is in the run folder."""

    def finish(self, summary: dict[str, Any], exit_code: int) -> None:
        """Does nothing; no file is open."""

    def _append(self, number: int, scores: dict[str, Score]) -> None:
        self.write([[number, _cell(name), s.role, s.n, s.accuracy, *s.ci95] for name, s in scores.items()], "a")

    def write(self, rows: list[list[Any]], mode: str) -> None:
        """Write rows to the file."""
        with self._path.open(mode, newline="", encoding="utf-8") as f:
            csv.writer(f).writerows(rows)
