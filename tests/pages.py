"""Pages of documentation, as a reader takes them: code blocks, files to paste, commands to run."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sei.finetuners.supervised import Finetune
from sei.lit.fits import Followed

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PLACE = re.compile(r"(?:# @package _global_\n)?# (\S+\.\w+)\n")  # Hydra wants that line first


@dataclass
class Command:
    """One call of ``sei`` on a page: its arguments, the folder of ``--config-dir``, and what was exported before it."""

    arguments: list[str]
    config_dir: str | None = None
    environment: dict[str, str] = field(default_factory=dict)


SMALL = (
    *("data.pool=40", "data.dev=10", "data.test=10", "budget.candidates=8", "budget.per_request=4"),
    *("finetuner.schedule.steps=2", "refiner=none", "tracker=none"),
)
"""What makes a command of a page a matter of seconds, where it does not say otherwise itself."""


def hasten(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Run what follows in a folder with a store of its own, without what no command of a page is about.

    No picture is drawn, and the shipped finetuner trains nothing: all its checkpoints are then evaluated once.
    """
    patch.chdir(folder)
    patch.setattr(sys, "path", list(sys.path))
    patch.setenv("SEI_STORE", str(folder / "store"))
    patch.setattr("sei.report.run_report._draw", lambda *_: None)
    patch.setattr("sei.report.run_report.write_page", lambda *_, **__: None)
    patch.setattr("sei.__main__._defaults_text", lambda: "{}")
    patch.setattr(Finetune, "_fit_here", lambda *_: Followed(curve=[(0.0, 1)]))


def blocks(text: str) -> list[tuple[str, str]]:
    """Return (language, body) of every fenced block that begins at the left margin."""
    return _BLOCK.findall(text)


def files(text: str) -> dict[str, str]:
    """Return the blocks that name their file in their first lines, as a reader would save them."""
    return {place[1]: body for _, body in blocks(text) if (place := _PLACE.match(body))}


def paste(text: str, home: Path) -> None:
    """Write the files of a page below a folder."""
    for name, body in files(text).items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)


def commands(text: str) -> list[Command]:
    """Return the calls of ``sei`` in blocks without a language, in order."""
    found: list[Command] = []
    exported: dict[str, str] = {}
    for line in "\n".join(body for language, body in blocks(text) if not language).splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["export"]:
            exported.update(w.split("=", 1) for w in words[1:])
        if words[:1] == ["sei"]:
            flags = [w for w in words[1:] if w.startswith("--config-dir=")]
            given = [w for w in words[1:] if w not in flags]
            found.append(Command(given, flags[0].partition("=")[2] if flags else None, dict(exported)))
    return found
