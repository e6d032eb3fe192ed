"""A composed run before it begins, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sei import commandline
from sei.errors import ConfigError, DiskError


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A run requested from Python, composed and checked.

    ``plain``: its config. ``log``: its log file. ``choices``: the chosen option of every config group. ``files``: the
    files that Hydra would write into the folder.
    """

    plain: dict[str, Any]
    folder: Path
    log: Path | None
    choices: dict[str, Any]
    overrides: tuple[str, ...]
    files: dict[Path, str]

    def write(self) -> None:
        """Create the run folder and write what Hydra writes: the config, the overrides and its own settings.

        Raises:
            DiskError: if the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for path, text in self.files.items():
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
        except OSError as e:
            raise no_folder(e) from e

    def said(self, error: ConfigError, conf: Path) -> ConfigError:
        """Return a refusal of a setting, with the experiment that set it, if one did."""
        more = commandline.said_by(str(error), str(self.choices.get("experiment")), self.overrides, conf)
        return ConfigError(f"{error}{more}") if more else error


def no_folder(error: OSError) -> DiskError:
    """Return the error for a run folder that could not be created."""
    return DiskError(
        f"run folder: {error.filename} cannot be written: {error.strerror or error}. Remedy: free space or fix "
        "permissions, or hydra.run.dir=PATH (a sweep: hydra.sweep.dir=PATH) in a writable place."
    )
