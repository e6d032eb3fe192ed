"""No tracker; the run folder still holds everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from sei.parts import part
from sei.records import RoundRecord, Score


@part
class NoTracker:
    """Logs nowhere."""

    identity: ClassVar[str] = "tracker/none"
    version: ClassVar[int] = 1

    def start(self, name: str, config: dict[str, Any], folder: Path, *, group: str, run_id: str) -> NoRun:
        """Nothing to open."""
        return NoRun()


class NoRun:
    """What is logged here goes nowhere."""

    def baseline(self, scores: dict[str, Score]) -> None:
        """Nothing to log."""

    def round(self, record: RoundRecord, report: dict[str, Any], folder: Path) -> None:
        """Nothing to log."""

    def model(self, folder: Path, scores: dict[str, Score], rounds: tuple[int, ...]) -> None:
        """Nothing to log."""

    def finish(self, summary: dict[str, Any], exit_code: int) -> None:
        """Nothing to close."""
