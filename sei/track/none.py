"""No tracker; the run folder is still complete."""

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
        """Open nothing."""
        return NoRun()


class NoRun:
    """A run that is logged nowhere."""

    def baseline(self, scores: dict[str, Score]) -> None:
        """Log nothing."""

    def round(self, record: RoundRecord, report: dict[str, Any], folder: Path) -> None:
        """Log nothing."""

    def model(self, folder: Path, scores: dict[str, Score], rounds: tuple[int, ...]) -> None:
        """Log nothing."""

    def finish(self, summary: dict[str, Any], exit_code: int) -> None:
        """Close nothing."""
