"""A run before it begins: what the door has composed, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sei import commandline
from sei.errors import ConfigError, DiskError


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A run that was asked for from Python, composed and checked.

    ``plain``: its config. ``log``: the file that its log goes to. ``choices``: the option of every config group.
    ``files``: what Hydra would write into the folder.
    """

    plain: dict[str, Any]
    folder: Path
    log: Path | None
    choices: dict[str, Any]
    overrides: tuple[str, ...]
    files: dict[Path, str]

    def write(self) -> None:
        """Make the run folder, and write into it what Hydra writes: config, overrides and its own settings.

        Raises:
            DiskError: where that folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for path, text in self.files.items():
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
        except OSError as e:
            raise no_folder(e) from e

    def said(self, error: ConfigError, conf: Path) -> ConfigError:
        """Return a refusal of a setting, with the experiment that set it where one did."""
        more = commandline.said_by(str(error), str(self.choices.get("experiment")), self.overrides, conf)
        return ConfigError(f"{error}{more}") if more else error


def no_folder(error: OSError) -> DiskError:
    """Word why a run folder could not be made."""
    return DiskError(
        f"run folder: {error.filename} cannot be written: {error.strerror or error}. Remedy: free space or fix "
        "permissions, or hydra.run.dir=PATH (a sweep: hydra.sweep.dir=PATH) in a writable place."
    )
