"""The pictures of a round: drawn once, kept in the store, and copied into every run folder with the same results."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

from sei.parts import part
from sei.records import ErrorMap, RefinedSet, Score, StepLog
from sei.report import histograms, plots
from sei.report.flow import Places
from sei.store import Store

_SOURCES = ("plots.py", "histograms.py", "flow.py", "pictures.py")
_OF_RUN = ("scores.png", "error_type_flow.png")  # these show all rounds so far


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What the pictures of a round show.

    ``stages``: the scores of the base and every round so far. ``places``: the error type of every pool problem at the
    start of every round. A run with given outputs has error types alone.
    """

    error_map: ErrorMap
    losses: tuple[StepLog, ...] = ()
    refined: RefinedSet | None = None
    stages: tuple[tuple[str, dict[str, Score]], ...] = ()
    places: tuple[Places, ...] = ()


@part
class Pictures:
    """Draws the pictures of one round. The code that draws them is part of the key."""

    identity: ClassVar[str] = "report/pictures"
    version: ClassVar[int] = 1

    def reads(self) -> dict[str, str]:
        """Return the digest of the code that draws, and the version of the library that it uses."""
        here = files(__package__)
        code = b"".join((here / name).read_bytes() for name in _SOURCES)
        return {"code": hashlib.sha256(code).hexdigest()[:24], "matplotlib": version("matplotlib")}

    def __call__(self, shown: Shown, *, folder: Path = Path()) -> tuple[str, ...]:
        """Draw all pictures into a folder and return their paths."""
        plots.cluster_map(shown.error_map, folder / "cluster_map.png")
        plots.criterion_curve(shown.error_map, folder / "criterion_curve.png")
        if shown.refined is not None:
            plots.training_curve(shown.losses, folder / "training_curve.png")
            histograms.score_histograms(shown.refined, folder / "refinement_scores.png")
        if shown.stages:
            plots.score_curve(shown.stages, folder / "scores.png")
        if len(shown.places) > 1:
            plots.type_flow(shown.places, folder / "error_type_flow.png")
        return tuple(str(p) for p in sorted(folder.glob("*.png")))


def draw(shown: Shown, run: Path, number: int, store: Store) -> None:
    """Copy the pictures of round ``number`` into the run folder ``run``; they are drawn if the store has none.

    Raises:
        DiskError: if the store cannot be written.
    """
    for drawn in map(Path, store.aside().once(Pictures(), shown)):
        home = run if drawn.name in _OF_RUN else run / f"round_{number}"
        home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(drawn, home / drawn.name)
