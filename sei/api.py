"""The Python interface: makes a run as the command ``sei`` does, in this process, and reads it back."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sei import __main__ as door
from sei.errors import ConfigError, SeiError, disk_trouble
from sei.exits import Interruption, lent_signals
from sei.imports import forget_changed
from sei.job import perform
from sei.loaded import Run
from sei.loading import load
from sei.printable import Formatter

log = logging.getLogger("sei")


def run(overrides: Sequence[str] = (), *, config_dir: str | Path | None = None, quiet: bool = False) -> Run:
    """Make a run and return it, read back from its folder.

    The settings are those of the command: ``sei.run(["experiment=smoke", "tracker=none"])`` does what
    ``sei experiment=smoke tracker=none`` does, with the same store and so the same numbers. Finished work is reused.
    The run folder is ``outputs/<name>/<stamp>_<hex>`` below the current folder, unless ``hydra.run.dir=PATH`` says
    otherwise.

    The call never ends the process, and it restores signal handlers and log settings. Stopping a notebook cell raises
    ``KeyboardInterrupt``; the same call resumes the run. A package of your own under ``plugins`` is imported again if
    it was edited since the last call.

    Args:
        overrides: settings, one text each, such as ``"rounds=2"``.
        config_dir: a folder of your own options, as ``--config-dir``.
        quiet: if true, log lines go only to ``sei.log`` in the run folder, not to standard output.

    Raises:
        ConfigError: if the run is impossible; raised before anything costs.
        SeiError: if anything else ends the run; ``sei.load`` of its folder then shows what was finished.
        KeyboardInterrupt: if the run was interrupted.
    """
    prepared = door.prepare(overrides, None if config_dir is None else Path(config_dir))
    _refuse_processes(prepared.plain)
    for package in forget_changed(prepared.plain["plugins"]):
        log.info("%s was edited and is imported again", package)
    prepared.write()
    with ExitStack() as stack:
        stack.enter_context(lent_signals())
        stack.enter_context(_logging(prepared.log, quiet=quiet))
        try:
            perform(prepared.plain, prepared.folder)
        except ConfigError as e:
            raise prepared.said(e, door.CONF) from e
        except Interruption:
            raise
        except SystemExit as e:
            raise SeiError(
                f"a part ended the process with exit code {e.code}. Rule: a part raises an error instead. "
                f"Remedy: look at {prepared.folder / 'failure.json'}."
            ) from e
        except Exception as e:
            known = e if isinstance(e, SeiError) else disk_trouble(e) or e
            known.add_note(f"Finished so far: sei.load({str(prepared.folder)!r})")
            if known is e:
                raise
            raise known from e
    return load(prepared.folder)


def _refuse_processes(plain: dict[str, Any]) -> None:
    """Refuse a fine-tune on several devices in interactive Python, where its processes cannot start."""
    devices = plain["trainer"].get("devices", 1)
    if devices != 1 and hasattr(sys, "ps1"):
        raise ConfigError(
            f"trainer.devices={devices}: rule: several devices need processes, and a notebook or interactive Python "
            "has no file to start them from. Remedy: trainer.devices=1, or the command sei with the same settings and "
            "then sei.load of its run folder."
        )


@contextmanager
def _logging(file: Path | None, *, quiet: bool) -> Iterator[None]:
    """Write log lines to a file, and to standard output if no other handler shows them; undone at the end."""
    root, level = logging.getLogger(), log.level
    shown: list[tuple[logging.Logger, logging.Handler]] = []
    if not quiet and not root.handlers and not log.handlers:
        shown.append((log, logging.StreamHandler(sys.stdout)))
    if file is not None:
        shown.append((root, logging.FileHandler(file, encoding="utf-8")))
    for logger, handler in shown:
        handler.setFormatter(Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))
        logger.addHandler(handler)
    if log.getEffectiveLevel() > logging.INFO:
        log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(level)
        for logger, handler in shown:
            logger.removeHandler(handler)
            handler.close()
