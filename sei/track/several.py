"""Several trackers at once."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from sei.parts import part
from sei.ports import TrackedRun, Tracker
from sei.records import RoundRecord, Score

log = logging.getLogger(__name__)


@part
class SeveralTrackers:
    """Logs to all ``trackers``, in order."""

    identity: ClassVar[str] = "tracker/several"
    version: ClassVar[int] = 1
    trackers: Annotated[dict[str, Tracker], Field(min_length=1)]

    def start(self, name: str, config: dict[str, Any], folder: Path, *, group: str, run_id: str) -> SeveralRuns:
        """Open the run in every tracker; if one fails to open, the others are closed."""
        opened = SeveralRuns()
        try:
            for label, tracker in self.trackers.items():
                opened.runs[label] = tracker.start(name, config, folder, group=group, run_id=run_id)
        except BaseException:
            opened.finish({}, 1)
            raise
        return opened


class SeveralRuns:
    """The same run in several open trackers."""

    def __init__(self) -> None:
        self.runs: dict[str, TrackedRun] = {}

    def baseline(self, scores: dict[str, Score]) -> None:
        """Log the base in all trackers."""
        for run in self.runs.values():
            run.baseline(scores)

    def round(self, record: RoundRecord, report: dict[str, Any], folder: Path) -> None:
        """Log a round in all trackers."""
        for run in self.runs.values():
            run.round(record, report, folder)

    def model(self, folder: Path, scores: dict[str, Score], rounds: tuple[int, ...]) -> None:
        """Log the model in all trackers."""
        for run in self.runs.values():
            run.model(folder, scores, rounds)

    def finish(self, summary: dict[str, Any], exit_code: int) -> None:
        """Close all trackers; an error in one does not keep the others open."""
        for label, run in self.runs.items():
            try:
                run.finish(summary, exit_code)
            except Exception as e:  # a tracker may raise anything
                log.warning("tracker %s could not be closed (%s: %s)", label, type(e).__name__, e)
